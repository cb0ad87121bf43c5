#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-vm with --json: every row has the keys that others read, and where the host sleeps before
# each batch, one doorbell is due for it, whatever its size. Counts, no times.
. "$(dirname "$0")/../lib.sh"

rows=$tmp/rows

run_bench() {
	UTMEMD=$UTMEMD "$vm_here/bench.sh" --accel tcg -- --json --rounds 1 \
		--rows counts,paper,doorbell >"$rows"
}

# rows_of ROW: those that could be had here
rows_of() {
	grep "\"row\":\"$1\"" "$rows" | grep -v '"absent":'
}

# number KEY <ROWS: one a line
number() {
	sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p"
}

run_bench || bail "the bench ends well"
ok "the bench ends well"
for key in scenario row way op value depth batch engine transport accel doorbell host mops ns_per_op \
	p50_ns p99_ns p999_ns p99_round_ns submit_ns gbps ratio doorbells_per_op doorbells_saved_per_op \
	exits_per_op all_exits_per_op irqs_per_op guest_insns_per_op rounds requests commit; do
	check_is "every row has $key" "$(grep -vc '"absent":' "$rows")" \
		"$(grep -v '"absent":' "$rows" | grep -c "\"$key\":")"
done
check_is "batches of 1 to 256, asleep and awake" "1 4 16 64 256 1 4 16 64 256" \
	"$(rows_of counts | grep '"doorbell":"mmio"' | number batch | xargs)"
# due <ROWS: doorbells due for a batch of each row. A host that its own timer has woken is not rung: that
# doorbell was due, and saved.
due() {
	awk -F'"' '{
		for (i = 1; i < NF; i++) {
			value = $(i + 1)
			gsub(/[:,}]/, "", value)
			v[$i] = value
		}
		printf "%.4g\n", (v["doorbells_per_op"] + v["doorbells_saved_per_op"]) * v["batch"]
	}' | xargs
}

check_is "a doorbell is due for each batch" "1 1 1 1 1" \
	"$(rows_of counts | grep '"doorbell":"mmio".*"host":"asleep"' | due)"
check_is "in the paper's mode for each request, of PUT and of GET" "1 1 1 1" \
	"$(rows_of paper | grep '"way":"paper' | grep '"doorbell":"mmio"' | due)"
check_is "under emulation nobody counts exits" "null" \
	"$(number exits_per_op <"$rows" | sort -u | xargs)"
check_like "what cannot be had is said" '*"absent":"*' "$(grep '"doorbell":"hypercall"' "$rows" | head -n 1)"
