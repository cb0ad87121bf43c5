#!/bin/bash
# SPDX-License-Identifier: MIT
# MODULE UNLOAD is refused while commands are under way, and clean when none is.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant t:64m
redis_start t
redis UTMEM.SET kept value >"$tmp/reply"

worker=$(utmemd_worker)
kill -STOP "$worker"
redis UTMEM.GET kept >"$tmp/reply" &
client=$!
check "a command is in flight" wait_for 10 blocked_is 1
check_like "unload is refused" "ERR*" "$(redis MODULE UNLOAD utmem)"
kill -CONT "$worker"
wait "$client"
check_is "the command ends as if nothing was" value "$(cat "$tmp/reply")"
check_is "now it is unloaded" OK "$(redis MODULE UNLOAD utmem)"
check_like "its commands are gone" "ERR unknown command*" "$(redis UTMEM.GET kept)"
check_is "Redis goes on" PONG "$(redis PING)"
for i in 1 2 3; do
	check_is "it can be loaded again ($i)" "OK value" \
		"$(redis MODULE LOAD "$REDIS_MODULE" transport "unix:$RUN/t.sock") $(redis UTMEM.GET kept)"
	check_is "and unloaded ($i)" OK "$(redis MODULE UNLOAD utmem)"
done
redis_stop
utmemd_stop
