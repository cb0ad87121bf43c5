#!/bin/bash
# SPDX-License-Identifier: MIT
# utmem-bench --json: an object per row with the keys that others read, over a utmemd of
# its own, awake and asleep; one doorbell at most for each batch. Counts, no times.
set -eu
cd "$(dirname "$0")/../.."
bench=${B:-build}/utmem-bench
[ -x "$bench" ] || {
	echo "no $bench here"
	exit 77
}

for args in "loopback" "loopback --pause" "loopback --transport thread" "loopback --transport local" "ring"; do
	# shellcheck disable=SC2086
	rows=$("$bench" $args --json --rounds 1 --requests 640 --items 100 --batch 32)
	[ "$(wc -l <<<"$rows")" -eq 2 ] || {
		echo "$args: not a row for put and one for get: $rows"
		exit 1
	}
	for key in scenario op value depth batch engine transport accel mops ns_per_op p50_ns p99_ns \
		p999_ns gbps floor_mops ratio doorbells_per_op; do
		[ "$(grep -c "\"$key\":" <<<"$rows")" -eq 2 ] || {
			echo "$args: no $key in: $rows"
			exit 1
		}
	done
	awk -v args="$args" -F'"doorbells_per_op":' '{
		sub(/,.*/, "", $2)
		if ($2 + 0 > 1 / 32 || (args ~ /pause/ && $2 + 0 == 0)) {
			print args ": " $2 " doorbells per request"
			exit 1
		}
	}' <<<"$rows"
done
rows=$("$bench" engine --json --rounds 1 --requests 640 --items 100 --sizes 64,4k)
[ "$(grep -c '"lmdb_mops":.*"ratio":\|"ratio":.*"lmdb_mops":' <<<"$rows")" -eq 6 ] || {
	echo "engine: not a row for put, get and mix at two sizes: $rows"
	exit 1
}
for args in "--compress lz4" "--compress zstd --dedup tenant"; do
	# shellcheck disable=SC2086
	rows=$("$bench" engine --json --rounds 1 --requests 32 --items 1000 --sizes 16k $args)
	[ "$(grep -c '"compress":.*"dedup":.*"stored_ratio":' <<<"$rows")" -eq 3 ] || {
		echo "engine $args: a row does not say how it is stored: $rows"
		exit 1
	}
	# 16 MiB of text, nearly all of it in full segments: packed before it is read
	awk -v args="$args" -F'"stored_ratio":' '/"op":"get"/ {
		sub(/,.*/, "", $2)
		if ($2 + 0 < 1.4) {
			print "engine " args ": values are stored in 1/" $2
			exit 1
		}
	}' <<<"$rows"
done
rows=$("$bench" recover --json --rounds 1 --items 1000)
for key in items open_ms again_ms touch_ms map_ms; do
	grep -q "\"$key\":" <<<"$rows" || {
		echo "recover: no $key in: $rows"
		exit 1
	}
done
[ "$("$bench" memory --json --items 1000 | grep -c charged_beyond_payload)" -eq 1 ]
for wrong in "nothing" "loopback --json=1" "loopback --value 65m" "loopback --value 17179869185g" \
	"loopback --transport nowhere" "loopback --transport local --engine null" "loopback --engine n" \
	"loopback --ops put,set" "loopback --ops," "loopback --depth 0" "engine --sizes 1k," "engine --sizes 65m" "memory --value 65k" \
	"engine --compress zip" "engine --compress lz4,zstd" "engine --dedup all" "engine --engine null --compress lz4" \
	"ring --compress lz4" "loopback --transport local --dedup tenant" \
	"vm" "vm --transport dev:utmem0" "vm --transport dev:/dev/nothing" "vm --rows counts,all"; do
	# shellcheck disable=SC2086
	if "$bench" $wrong 2>/dev/null; then
		echo "$wrong: not refused"
		exit 1
	fi
done
echo "every row has its keys"
