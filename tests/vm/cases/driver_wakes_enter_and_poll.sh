#!/bin/bash
# SPDX-License-Identifier: MIT
# Two threads wait for one queue, one in ENTER, one in poll: neither takes the other's wake-up.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
driver-both || failed=1
GUEST
vm_wait one
utmemd_stop
