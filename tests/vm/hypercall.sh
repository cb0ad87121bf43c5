#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that make hypercalls, and what the daemon counts of them. Sourced by cases in nested/.
# shellcheck disable=SC2154,SC2034 # machine.sh has vm_line; the cases read what is found out here

# The guest's part: says its token, then makes whatever hypercalls it hears of
hypercall_guest() {
	cat <<'GUEST'
hypercall token
check "the driver loads" driver_load
check "hypercalls can be made in kernel mode" insmod /lib/hypercall.ko
echo ready
while hear && [ "$heard" != end ]; do
	# shellcheck disable=SC2086 # words
	hypercall $heard
done
ok "it is as well as before"
GUEST
}

# hypercall_boot NAME WORD_OF_VM_BOOT...: such a guest; its token is in $hypercall_token
hypercall_boot() {
	local name=$1

	vm_boot "$@" < <(hypercall_guest)
	vm_expect "$name" 'token *' || bail "$name has a token"
	hypercall_token=${vm_line#token }
	vm_expect "$name" ready || bail "$name boots"
}

# hypercall_make NAME MODE NR TOKEN COUNT: what the last one returned is in $hypercall_result
hypercall_make() {
	vm_say "$1" "$2 $3 $4 $5"
	vm_expect "$1" 'result *' || bail "$1 makes hypercalls"
	hypercall_result=${vm_line#result }
}

# A guest that rings as often as it is told, always by hypercall where the host says that it hears
# them: on a machine that is slow for the moment the driver would give up.
ring_guest() {
	cat <<'GUEST'
check "the driver loads" driver_load
echo hypercall >$dev/doorbell
mkfifo /run/orders
driver-ring </run/orders &
exec 3>/run/orders
while hear && [ "$heard" != end ]; do
	case $heard in
	unanswered) echo "unanswered $(cat $dev/unanswered)" ;;
	*) echo "$heard" >&3 ;;
	esac
done
exec 3>&-
check "it rings to the end" wait $!
GUEST
}

# ring_boot NAME WORD_OF_VM_BOOT...
ring_boot() {
	vm_boot "$@" < <(ring_guest)
	vm_expect "$1" ready || bail "$1 boots"
}

unanswered_of() {
	vm_say "$1" unanswered
	vm_expect "$1" 'unanswered *' || bail "$1 answers"
	unanswered=${vm_line#unanswered }
}

# ring_make NAME REQUESTS: one after the other, each for a host that sleeps. Of $rung doorbells $called
# were hypercalls; $written were writes, $unanswered of them because a hypercall had none woken for long.
ring_make() {
	local before

	unanswered_of "$1"
	before=$unanswered
	kvm_trace_start ioeventfd_write kvm:kvm_hypercall || bail "KVM can be traced"
	vm_say "$1" "$2 1 spin"
	vm_expect "$1" 'rung *' || bail "$1 is served"
	kvm_trace_stop
	read -r _ rung _ <<<"$vm_line"
	unanswered_of "$1"
	unanswered=$((unanswered - before))
	called=$(kvm_traced "kvm_hypercall: nr $kvm_hypercall_nr ")
	written=$(kvm_traced 'ioeventfd_write <')
	remark "$2 requests: rung=$rung called=$called written=$written unanswered=$unanswered"
}

# A number, or a word, of the daemon's counters
host_stat() {
	utmemctl stats --json | sed "s/.*\"$1\":\"\{0,1\}\([a-z0-9]*\).*/\1/"
}

# By which way the host hears hypercalls, of the two that there are: a test, and $hypercall_way
hypercall_heard() {
	hypercall_way=$(host_stat doorbell)
	check_like "the host hears hypercalls" '[tk][rv][am]*' "$hypercall_way"
}

# Wake-ups of the daemon's threads by doorbells; tenants have a number of that name, too
host_doorbells() {
	utmemctl stats --json | sed 's/\("doorbells":[0-9]*\).*/\1/; s/.*"doorbells"://'
}

# What has been counted since the last call, as "rung=N awake=N bad_token=N foreign=N". KVM's own way tells the
# guest and counts nothing: there "rung" is how often the daemon was woken, and all else 0.
declare -A hypercalls_before=([rung]=0 [awake]=0 [bad_token]=0 [foreign]=0)
hypercalls_since() {
	local name now

	hypercalls=''
	for name in rung awake bad_token foreign; do
		case $hypercall_way:$name in
		kvm:rung) now=$(host_doorbells) ;;
		*) now=$(host_stat "hypercalls_$name") ;;
		esac
		hypercalls+=" $name=$((now - hypercalls_before[$name]))"
		hypercalls_before[$name]=$now
	done
	hypercalls=${hypercalls# }
}

# hypercalls_are NAME PATTERN: a test of what has been counted since the last call; of those that
# ring, where all others are not counted
hypercalls_are() {
	local want=$2

	[ "$hypercall_way" != kvm ] || want="${2%% *} awake=0 bad_token=0 foreign=0"
	hypercalls_since
	check_like "$1" "$want" "$hypercalls"
}
