#!/bin/bash
# SPDX-License-Identifier: MIT
# A host that says it hears hypercalls, and does not: each doorbell comes by MMIO a moment later, and
# after three of them the driver rings so at once. It tries again when it is told to, when the
# host's life changes, and by one hypercall after a while.
. "$(dirname "$0")/../nested.sh"

utmemd_start --doorbell mmio --arena 64m --tenant t:64m --heartbeat-ms 60000
vm_boot guest tenant=t <<'GUEST'
driver_load || exit 1
check_is "no hypercall is offered" "auto [mmio]" "$(cat $dev/doorbell)"
echo asks; hear
check_is "one is" "auto [hypercall]" "$(cat $dev/doorbell)"

# rings N: for a sleeping host each; what that has added. Once in a while the host is up by itself, for
# something else, when it is to be rung, or when it is looked at whether it has heard.
rings() {
	doorbells=$(cat $dev/doorbells)
	hypercalls=$(cat $dev/hypercalls) unanswered=$(cat $dev/unanswered)
	check "$1 requests are served" sh -c "echo $1 1 spin | driver-ring"
	doorbells=$(($(cat $dev/doorbells) - doorbells))
	hypercalls=$(($(cat $dev/hypercalls) - hypercalls))
	unanswered=$(($(cat $dev/unanswered) - unanswered))
	echo "doorbells=$doorbells hypercalls=$hypercalls unanswered=$unanswered"
}
given_up() {
	check "$1: at least 3 hypercalls are made, and not many more" \
		[ $hypercalls -ge 3 -a $hypercalls -le 8 ]
	check "$1: 3 that nobody hears are the last" [ $unanswered -ge 3 -a $unanswered -le 5 ]
	check_is "$1: they are given up" "auto [mmio]" "$(cat $dev/doorbell)"
}
rings 20
given_up "a host that hears none"
check_is "one line of the log says so" 1 "$(dmesg | grep -c 'hypercalls in a row woke nobody')"
echo "traced $doorbells $hypercalls"; hear

check "after a while they are tried again" wait_for 60 grep -q 'auto \[hypercall\]' $dev/doorbell
rings 10
check "by one" [ $hypercalls -ge 1 -a $hypercalls -le 2 ]
check_is "which is given up at once" "auto [mmio]" "$(cat $dev/doorbell)"

echo auto >$dev/doorbell
rings 20
given_up "who sets the knob has them tried again"
echo hypercall >$dev/doorbell
rings 10
check_is "who insists gets nothing else" $doorbells $hypercalls
check "heard or not" [ $unanswered -ge 5 ]
check_is "as sysfs says" "hypercall [hypercall]" "$(cat $dev/doorbell)"
echo mmio >$dev/doorbell
rings 10
check_is "who does not want them gets none" "0 0" "$hypercalls $unanswered"
echo auto >$dev/doorbell
rings 20
given_up "once more"

echo dies; hear
check_is "another worker does not offer them" "auto [mmio]" "$(cat $dev/doorbell)"
echo asks; hear
check_is "or it does, and is believed" "auto [hypercall]" "$(cat $dev/doorbell)"
rings 20
given_up "another life"
GUEST

offer_hypercalls() {
	"$VM_DIR/host/evil-host" "$(utmemd_worker)" t <<<offers-hypercalls >/dev/null
}

vm_expect guest asks
offer_hypercalls
kvm_trace_start ioeventfd_write kvm:kvm_hypercall || bail "KVM can be traced"
vm_say guest offered
vm_expect guest 'traced *'
kvm_trace_stop
read -r _ doorbells hypercalls <<<"$vm_line"
# shellcheck disable=SC2154 # kvm.sh
check_is "KVM has seen those hypercalls" "$hypercalls" "$(kvm_traced "kvm_hypercall: nr $kvm_hypercall_nr ")"
check "and a write for every doorbell that they did not ring" \
	[ "$(kvm_traced 'ioeventfd_write <')" -ge $((doorbells - hypercalls + 3)) ]
vm_say guest "go on"
vm_expect guest dies
worker=$(utmemd_worker)
kill -KILL "$worker"
another() {
	[ "$(utmemd_worker)" -ne "$worker" ]
}
check "the worker dies, another serves" wait_for 30 another
vm_say guest "go on"
vm_expect guest asks
offer_hypercalls
vm_say guest "go on"
vm_wait guest
utmemd_stop
