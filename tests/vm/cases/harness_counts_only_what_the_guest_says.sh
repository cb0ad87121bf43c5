#!/bin/bash
# SPDX-License-Identifier: MIT
# The harness itself, without utmemd: a guest that works, one that hangs, one that panics, one
# that says nothing, one whose kernel complains. Only the first may pass.
. "$(dirname "$0")/../lib.sh"

# fails NAME COMMAND...: run apart, the command reports a failed test
fails() {
	local name=$1 out
	shift
	out=$("$@")
	if grep -q '^not ok' <<<"$out"; then
		ok "$name"
	else
		not_ok "$name"
		printf '%s\n' "$out" | sed 's/^/#   /'
	fi
}

vm_boot talker <<'GUEST'
check "commands run" true
check_is "the root cannot be written" no "$(touch /x 2>/dev/null && echo yes || echo no)"
echo hello
hear && check_is "the guest hears the host" "good day" "$heard"
check_is "there is no network but lo" lo "$(ls /sys/class/net | tr '\n' ' ' | sed 's/ $//')"
GUEST
vm_expect talker hello
vm_say talker "good day"
vm_wait talker

hang() {
	vm_boot hang seconds=12 <<<'ok "so far"; sleep 1000'
	vm_wait hang
}
fails "a guest that hangs fails" hang

crash() {
	vm_boot panic <<<'ok "so far"; echo c >/proc/sysrq-trigger; sleep 100'
	vm_wait panic
}
fails "a guest that panics fails" crash

silent() {
	vm_boot silent <<<':'
	vm_wait silent
}
fails "a guest that reports no test fails" silent

complain() {
	vm_boot splat <<<'ok "so far"; echo "WARNING: CPU: 0 PID: 1 at made/up.c:1" >/dev/kmsg'
	vm_wait splat
}
fails "a kernel that complains fails" complain

dies() {
	vm_boot dies <<<'ok "so far"; exit 3'
	vm_wait dies
}
fails "a guest script that ends badly fails" dies
