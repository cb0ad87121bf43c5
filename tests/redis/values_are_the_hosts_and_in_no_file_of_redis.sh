#!/bin/bash
# SPDX-License-Identifier: MIT
# Values belong to the host: they are in no snapshot and in no append-only file, and outlive the
# server.
. "$(dirname "$0")/lib.sh"

utmemd_start --arena 64m --tenant t:64m
redis_start t --appendonly yes --appendfsync always
check_is "a value of the pool, and one of Redis" "OK OK" \
	"$(redis UTMEM.SET pooled needle-in-the-pool) $(redis SET plain needle-in-redis)"
check_is "a snapshot is written" OK "$(redis SAVE)"
check "Redis' value is in its files" grep -rqa needle-in-redis "$tmp"/appendonlydir "$tmp"/dump.rdb
check_is "the pool's is not" "" "$(grep -rla needle-in-the-pool "$tmp"/appendonlydir "$tmp"/dump.rdb)"
redis_stop
redis_start t
check_is "the next server finds it where it was" needle-in-the-pool "$(redis UTMEM.GET pooled)"
redis_stop
redis_start t pool another
check_is "another pool is another world" "(nil)" "$(redis --no-raw UTMEM.GET pooled)"
redis_stop
utmemd_stop
