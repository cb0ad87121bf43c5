#!/bin/bash
# SPDX-License-Identifier: MIT
# What KVM says of a guest, for cases that run in L1: its counters (debugfs) and its trace (ftrace).
# Sourced by nested.sh.
# shellcheck disable=SC2154,SC2034,SC2004 # machine.sh has vm_pid; results by name, arrays with words as keys

kvm_tracing=/sys/kernel/debug/tracing

# kvm_counters ARRAY NAME: into the associative array, all counters of the guest: exits,
# mmio_exits, io_exits, irq_injections, hypercalls, ... summed over its CPUs
kvm_counters() {
	local -n kc_out=$1
	local kc_file kc_value

	kc_out=()
	while IFS=: read -r kc_file kc_value; do
		kc_out[${kc_file##*/}]=$kc_value
	done < <(grep -s . /sys/kernel/debug/kvm/"${vm_pid[$2]}"-*/*)
}

# kvm_since ARRAY NAME: from what kvm_counters has put there to what has happened since
kvm_since() {
	local -n ks_array=$1
	local ks_key
	local -A ks_now

	kvm_counters ks_now "$2"
	for ks_key in "${!ks_now[@]}"; do
		ks_array[$ks_key]=$((ks_now[$ks_key] - ${ks_array[$ks_key]:-0}))
	done
}

# kvm_trace_start [FUNCTION|SYSTEM:EVENT]...: from now on; what was traced before is forgotten
kvm_trace_start() {
	local word tracer=nop

	echo nop >$kvm_tracing/current_tracer
	echo >$kvm_tracing/set_event
	echo >$kvm_tracing/set_ftrace_filter
	echo 8192 >$kvm_tracing/buffer_size_kb
	for word in "$@"; do
		case $word in
		*:*) echo "$word" >>$kvm_tracing/set_event ;;
		*) echo "$word" >>$kvm_tracing/set_ftrace_filter && tracer=function ;;
		esac || return 1
	done
	echo $tracer >$kvm_tracing/current_tracer
	echo >$kvm_tracing/trace
	echo 1 >$kvm_tracing/tracing_on
}

# The end of it; what was traced is in $tmp/trace
kvm_trace_stop() {
	echo 0 >$kvm_tracing/tracing_on
	cat $kvm_tracing/trace >"$tmp/trace"
	echo >$kvm_tracing/set_event
	echo nop >$kvm_tracing/current_tracer
}

# kvm_traced REGEX: how many lines of the trace have it
kvm_traced() {
	grep -cE -- "$1" "$tmp/trace"
}

# kvm_ring NAME REQUESTS BATCH sleep|spin: so many for driver-ring in the guest. Its word of it is in
# $doorbells, $awake, $deferred, $interrupts; KVM's in $tmp/trace and the array kvm_cost.
declare -A kvm_cost
kvm_ring() {
	kvm_counters kvm_cost "$1"
	kvm_trace_start ioeventfd_write irqfd_wakeup kvm:kvm_mmio kvm:kvm_hypercall ||
		bail "KVM can be traced"
	vm_say "$1" "$2 $3 $4"
	vm_expect "$1" 'rung *' || bail "$1 rings"
	kvm_trace_stop
	kvm_since kvm_cost "$1"
	read -r _ doorbells awake deferred interrupts <<<"$vm_line"
}

# The number of the doorbell hypercall, as KVM's trace writes it
kvm_hypercall_nr=0x75746d65

process_is_asleep() {
	[ "$(cut -d ' ' -f 3 "/proc/$1/stat")" = S ]
}

kvm_has_rung() {
	grep -qE "ioeventfd_write <|kvm_hypercall: nr $kvm_hypercall_nr " $kvm_tracing/trace
}

# kvm_wake NAME: one request of driver-ring in the guest, whose answer comes only after it has gone to sleep,
# for the host stands still from before the doorbell on. Results as of kvm_ring, without kvm_cost.
kvm_wake() {
	local worker

	worker=$(utmemd_worker)
	kvm_trace_start ioeventfd_write irqfd_wakeup kvm:kvm_hypercall || bail "KVM can be traced"
	wait_for 30 process_is_asleep "$worker"
	kill -STOP "$worker"
	vm_say "$1" "1 1 sleep"
	wait_for 30 kvm_has_rung || remark "$1 has not rung"
	kill -CONT "$worker"
	vm_expect "$1" 'rung *' || bail "$1 is served"
	kvm_trace_stop
	read -r _ doorbells awake deferred interrupts <<<"$vm_line"
}

# kvm_rings_and_wakes NAME: with driver-ring in the guest, tests of doorbell and interrupt, whichever
# doorbell it is
kvm_rings_and_wakes() {
	local heard

	kvm_ring "$1" 50 1 spin
	heard=$(($(kvm_traced 'ioeventfd_write <') + $(kvm_traced "kvm_hypercall: nr $kvm_hypercall_nr ")))
	check "$1: doorbells ring" [ "$doorbells" -gt 0 ]
	check "$1: KVM hears each of them" [ "$heard" -ge "$doorbells" ]
	# The host may have been faster than the guest's way from the doorbell to its sleep
	for _ in 1 2 3 4 5 6 7 8; do
		kvm_wake "$1"
		[ "$interrupts" = 0 ] || break
	done
	check "$1: who sleeps is woken" [ "$interrupts" -gt 0 ]
	check "$1: by irqfd" [ "$(kvm_traced 'irqfd_wakeup <')" -ge "$interrupts" ]
}
