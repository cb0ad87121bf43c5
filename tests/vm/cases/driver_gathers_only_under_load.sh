#!/bin/bash
# SPDX-License-Identifier: MIT
# batch_mode adaptive: who comes alone is not made to wait, in a stream many share a doorbell.
. "$(dirname "$0")/../lib.sh"

# With so long a heartbeat nothing but a doorbell wakes the host.
utmemd_start --arena 64m --window 16m --tenant one:32m --heartbeat-ms 60000
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
driver-adapt || failed=1
GUEST
# asked before the guest looks at the host's sleep: the question ends it
worker=$(utmemd_worker)
vm_expect one ready
kill -STOP "$worker"
vm_say one stopped
vm_expect one rung
kill -CONT "$worker"
vm_say one again
vm_wait one
utmemd_stop
