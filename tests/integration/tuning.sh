#!/bin/bash
# SPDX-License-Identifier: MIT
# utmem-tuning(7) has every knob, and says of each what the code says: where it is set, what it may
# be, and what it is by default.
# shellcheck disable=SC2016 # backquotes of Markdown
. "$(dirname "$0")/lib.sh"

page=packaging/man/utmem-tuning.7

# The table's rows, one a line: cells between T{ and T} are put together.
table() {
	awk '
	/^\.T[SE]$/ { table = !table; next }
	!table || /^(tab|l[bw]|_|knob\||\.(nf|fi)$)/ { next }
	/^T}/ { block = 0; sub(/^T}/, "") }
	{ row = row (block ? " " : "") $0 }
	sub(/T{$/, "", row) { block = 1 }
	!block { print row; row = "" }' "$page"
}

# rows LETTER: "NAME RANGE DEFAULT" of all that are set there
rows() {
	table | awk -F '|' -v where="$1" 'index($6, where) { print $1, $4, $5 }' | tr -s ' '
}

check_is "the table has as many rows as it seems" \
	"$(sed -n '/^\.TS/,/^\.TE/p' "$page" | grep -cE '\|[A-Z]( [A-Z])*$')" "$(table | wc -l)"

# ---- S: the driver's settings ----

# "NAME RANGE DEFAULT" of the rows "| `batch_max` | rw, 1 … 65536, default 32: …"
driver_manual() {
	sed -nE 's/^\| `([a-z_]+)` \| rw, ([^:;]*), default ([^:;.]*)[:;.].*/\1 \2 \3/p' guest/dev/README.md |
		sed -e 's/ … /../' -e 's/ or / /' -e 's/[`,]//g'
}
check_is "the driver's manual says the same" "$(rows S | sort)" "$(driver_manual | sort)"

# value FILE NAME: the number that a macro stands for, or that NAME is already
value() {
	case $2 in
	[0-9]*) echo "${2%u}" ;;
	*) sed -nE "s/^#define $2 ([0-9]+)u?([ \t].*)?$/\1/p" "$1" ;;
	esac
}
# "NAME LEAST..MOST DEFAULT", all numbers, of the rows "[UTMEM_KNOB_BATCH_MAX] = {1, 65536, 32},"
driver_code() {
	local name cells

	sed -nE 's/^\t\[UTMEM_KNOB_([A-Z_]+)\] = \{(.*)\},$/\1 \2/p' guest/dev/utmem_knobs.c | tr -d , |
		while read -r name cells; do
			# shellcheck disable=SC2046,SC2086 # words
			set -- $(for cell in $cells; do value guest/ring/utmem_ioctl.h "$cell"; done)
			echo "${name,,} $1..$2 $3"
		done
}
# The same of the table; words are what the ioctl has for them
knob_rows() {
	rows I | sed -e 's/ fixed adaptive / FIXED..ADAPTIVE /' -e 's/ fixed$/ FIXED/' |
		sed -e "s/FIXED/$(value guest/ring/utmem_ioctl.h UTMEM_BATCH_FIXED)/g" \
			-e "s/ADAPTIVE/$(value guest/ring/utmem_ioctl.h UTMEM_BATCH_ADAPTIVE)/"
}
check_is "so does its code" "$(knob_rows | sort)" "$(driver_code | sort)"

# ---- I and L: fields ----

# fields STRUCT FILE
fields() {
	sed -n "/^struct $1 {/,/^}/p" "$2" | sed -e 's,/\*.*,,' -e '/^\t \*/d' | grep -oE '\b[a-z_0-9]+(\[[0-9]+\])?;' | tr -d ';' |
		grep -v '^resv' | sort
}
check_is "the ioctl has the same knobs" "$(rows I | cut -d ' ' -f 1 | sort)" \
	"$(fields utmem_ioc_batch guest/ring/utmem_ioctl.h)"
check_is "so has the library" "$(rows L | cut -d ' ' -f 1 | sort)" \
	"$(fields utmem_queue_params libutmem/include/utmem.h | grep -vE '^(sq_entries|cq_entries|data_len)$')"
check_is "and its own default" "$(rows L | awk '$1 == "spin_usecs" { print $3 }')" \
	"$(value libutmem/tune.c SPIN_USECS)"

# ---- R: the module's options ----

# "NAME RANGE DEFAULT" of the manual; the device's defaults are the table's
module_manual() {
	sed -nE 's/^\| `([a-z-]+)` \| ([^|]*) \| ([^|]+) \| .*/\1|\2|\3/p' redis-module/README.md |
		grep -E '^(batch|irq|spin)-' | tr -d '`,' | sed -e 's/ … /../' |
		awk -F '|' '{ print $1, $3, $2 }'
}
module_rows() {
	rows R | awk '{ gsub("_", "-", $1) } $1 !~ /^spin/ { $NF = "the device'"'"'s" } { print }'
}
check_is "the module's manual says the same" "$(module_rows | sort)" "$(module_manual | sort)"
module_code() {
	tr -d '\n\t' <redis-module/options.c |
		grep -oE '\{\.name = "[a-z-]+",[^{}]*\.max = [0-9]+\}' |
		sed -nE 's/.*"((batch|irq|spin)-[a-z]+)".*\.min = ([0-9]+), *\.max = ([0-9]+).*/\1 \3..\4/p'
}
check_is "so does its code" \
	"$(module_rows | awk '/[.][.]/ { print $1, $2 }' | sort)" "$(module_code | sort)"

# ---- D: utmemd's options ----

# "NAME RANGE DEFAULT" as the daemon itself tells a user who is wrong, and in --help
daemon_says() {
	local name=$1 why

	why=$("$UTMEMD" "--$name" 99999999 2>&1 >/dev/null </dev/null | tail -n 1)
	echo "$name" "$(sed -nE 's/.* is (not in|none of:) (.*)/\2/p' <<<"$why" | sed 's/ \.\. /../')" \
		"$("$UTMEMD" --help | sed -nE "s/^  --$name .*\[(.*)\]$/\1/p")"
}
check_is "utmemd says the same" "$(rows D)" \
	"$(for name in $(rows D | cut -d ' ' -f 1); do daemon_says "$name"; done)"

# ---- T: what can be tuned while it runs ----

utmemd_start --arena 1m
check_is "utmemctl tune has the same knobs" "$(rows T | sort)" \
	"$(utmemctl tune | awk 'NR > 1 { print $1, $(NF - 1), $NF }' | sort)"
utmemd_stop

# ---- all of them ----

check_is "each knob is written about" "" \
	"$(for name in $(table | cut -d '|' -f 1 | sort -u); do
		sed '/^\.TS/,/^\.TE/d' "$page" | grep -qiwE "^\.(Va|Fa|Ss).* $name" || echo "$name"
	done)"
