#!/bin/bash
# SPDX-License-Identifier: MIT
# irq_max and irq_usecs: completions wait for others, but not for long, and nobody gets an interrupt
# who does not wait.
. "$(dirname "$0")/../lib.sh"

# With so long a heartbeat nothing but a doorbell wakes the host.
utmemd_start --arena 64m --window 16m --tenant one:32m --heartbeat-ms 60000
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
driver-irq || failed=1
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
