#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever a guest puts into its registers, in user mode or in kernel mode: a hypercall is counted, or
# ends one sleep of the thread that serves that very guest. Another VM's token is of no use to it,
# nor is a guessed one.
# shellcheck disable=SC2154 # what it sources has utmemd_log
. "$(dirname "$0")/../nested.sh"
. "$(dirname "$0")/../hypercall.sh"

utmemd_start --arena 64m --tenant a:16m --tenant b:16m --heartbeat-ms 60000
hypercall_boot a tenant=a
hypercall_heard
token_a=$hypercall_token
hypercall_boot b tenant=b
token_b=$hypercall_token
check "each VM has a token of its own" [ "$token_a" != "$token_b" ]
hypercalls_since

for mode in user kernel; do
	hypercall_make b "$mode" "$kvm_hypercall_nr" "$token_a" 7
	hypercalls_are "$mode mode: another VM's token wakes nobody" \
		'rung=0 awake=0 bad_token=0 foreign=7'
	hypercall_make b "$mode" "$kvm_hypercall_nr" 0 1
	hypercall_make b "$mode" "$kvm_hypercall_nr" $((token_b ^ 1)) 1
	hypercall_make b "$mode" "$kvm_hypercall_nr" 0xffffffffffffffff 1
	hypercalls_are "$mode mode: nor does a guessed one" 'rung=0 awake=0 bad_token=3 foreign=0'
	hypercall_make b "$mode" 0x75746d64 "$token_b" 5
	hypercalls_are "$mode mode: other numbers are not ours" 'rung=0 awake=0 bad_token=0 foreign=0'
	vm_say b "$mode random 500 1"
	vm_expect b 'doorbells *'
	hypercalls_are "$mode mode: any registers are counted" \
		"rung=0 awake=0 bad_token=${vm_line#doorbells } foreign=0"
done

# Its own token, by whoever in the guest has got to know it: at most one wake-up each
if [ "$hypercall_way" = kvm ]; then
	user='rung=0' answer=0
else
	user='rung=[123]' answer=-1000
fi
hypercall_make b user "$kvm_hypercall_nr" "$token_b" 3
check_is "user mode: KVM refuses it, as any hypercall" -1 "$hypercall_result"
hypercalls_are "user mode: KVM's own way rings nobody, the tracepoint's all the same" \
	"$user awake=[012] bad_token=0 foreign=0"
hypercall_make b kernel "$kvm_hypercall_nr" "$token_b" 3
check_is "kernel mode: what KVM answers" "$answer" "$hypercall_result"
hypercalls_are "kernel mode: the bell has rung" 'rung=[123] awake=[012] bad_token=0 foreign=0'

# The token ends with the connection
vm_say b end
vm_wait b
check "its end is seen" wait_for 20 grep -q "tenant b: VM gone" "$utmemd_log"
hypercalls_since
hypercall_make a kernel "$kvm_hypercall_nr" "$token_b" 1
hypercalls_are "the token of a VM that has gone is nobody's" 'rung=0 awake=0 bad_token=1 foreign=0'
vm_say a end
vm_wait a
utmemd_stop
