#!/bin/bash
# SPDX-License-Identifier: MIT
# make vm: whoever types there has a driver, a Redis with the module, and a way out.
. "$(dirname "$0")/../lib.sh"

mkfifo "$tmp/keys"
"$vm_here/shell.sh" <"$tmp/keys" >"$tmp/terminal" 2>&1 &
pid=$!
shell_end() {
	kill -TERM "$pid" 2>/dev/null && pid_wait "$pid" 30
}
at_exit shell_end
exec 3>"$tmp/keys"

# see TEXT: a line of the terminal is that
see() {
	tr -d '\r' <"$tmp/terminal" | grep -qx -- "$1"
}

check "a prompt" wait_for 100 grep -q 'guest# ' "$tmp/terminal"
printf '%s\n' 'ls /dev/utmem0' 'redis UTMEM.SET greeting typed' 'redis UTMEM.GET greeting' >&3
check "the module answers" wait_for 20 see '"typed"'
check "the device is there" see /dev/utmem0
echo exit >&3
gone() {
	! kill -0 "$pid" 2>/dev/null
}
check "exit ends it" wait_for 30 gone
wait "$pid"
check_is "and well" 0 "$?"
# shellcheck disable=SC2154 # tap.sh
[ "$tap_failed" = 0 ] || remark "$(tail -n 30 "$tmp/terminal")"
