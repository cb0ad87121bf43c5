#!/bin/bash
# SPDX-License-Identifier: MIT
# Nobody reads utmemd's stderr and it is full: tenants are served all the same, and what was lost
# is counted and told when there is room again.
. "$(dirname "$0")/lib.sh"

mkdir -p "$RUN"
mkfifo "$tmp/full"
exec {full}<>"$tmp/full"
# To the last byte; O_NONBLOCK ends it there
dd if=/dev/zero of="$tmp/full" bs=1 count=1M oflag=nonblock 2>/dev/null
"$UTMEMD" --run-dir "$RUN" --arena 16m --tenant first:1m 2>&"$full" </dev/null &
utmemd_pid=$!

answers() {
	timeout 20 "$UTMEMCTL" --run-dir "$RUN" tenant "$@" >/dev/null 2>&1
}
deadline=$((SECONDS + 30))
while ! answers list && kill -0 "$utmemd_pid" && [ "$SECONDS" -lt "$deadline" ]; do
	:
done
check "it starts" answers list
check "it logs into nowhere and goes on" answers add second 1m

dd of=/dev/null if="$tmp/full" bs=64k iflag=nonblock 2>/dev/null
check "there is room again" answers add third 1m
IFS= read -r -t 30 -u "$full" lost
IFS= read -r -t 30 -u "$full" line
check_like "what was lost is told" 'utmemd: [1-9]* lines were lost: stderr was full' "$lost"
check_like "and the log goes on" 'utmemd: tenant third: quota 1048576 bytes' "$line"
utmemd_stop
