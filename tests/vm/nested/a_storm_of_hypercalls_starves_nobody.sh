#!/bin/bash
# SPDX-License-Identifier: MIT
# l1: smp=1 seconds=500
# A guest that makes nothing but hypercalls, with its own token, costs the daemon at most one wake-up
# for each of its sleeps, and with other tokens none. Another guest is served meanwhile.
. "$(dirname "$0")/../nested.sh"
. "$(dirname "$0")/../hypercall.sh"

storm=20000 requests=40
utmemd_start --arena 64m --tenant storm:16m --tenant calm:16m --heartbeat-ms 60000
hypercall_heard
hypercall_boot storm tenant=storm
vm_boot calm tenant=calm <<'GUEST'
check "the driver loads" driver_load
driver-ring
GUEST
vm_expect calm ready

ticks() {
	awk '{ print $14 + $15 }' "/proc/$worker/stat"
}
worker=$(utmemd_worker)

# weather NAME TOKEN: a storm with that token, and what the calm guest gets done in it. How often the
# daemon slept meanwhile is in $sleeps, what it counted in $hypercalls.
weather() {
	local cpu before=$SECONDS

	hypercalls_since
	sleeps=$(host_stat sleeps)
	cpu=$(ticks)
	vm_say storm "kernel $kvm_hypercall_nr $2 $storm"
	vm_say calm "$requests 1 spin"
	vm_expect calm 'rung *' || bail "the calm guest is served"
	ok "$1: $requests requests of the calm guest are served"
	vm_expect storm 'result *' || bail "the storm ends"
	cpu=$(($(ticks) - cpu))
	sleeps=$(($(host_stat sleeps) - sleeps))
	hypercalls_since
	remark "$1: $storm calls in $((SECONDS - before)) s: $hypercalls; sleeps=$sleeps, daemon's ticks=$cpu"
}

weather "a guessed token" 1
[ "$hypercall_way" = kvm ] || check_like "it is counted, and wakes nobody" "*bad_token=$storm foreign=0" "$hypercalls"

weather "its own token" "$hypercall_token"
rung=${hypercalls%% *} awake=${hypercalls#* }
rung=${rung#rung=} awake=${awake%% *}
awake=${awake#awake=}
[ "$hypercall_way" = kvm ] || check "every call is counted" [ $((rung + awake)) -ge "$storm" ]
check "at most one of them for a sleep wakes the daemon" [ "$rung" -le "$sleeps" ]
vm_say calm end
vm_wait calm
vm_say storm end
vm_wait storm
utmemd_stop
