#!/bin/bash
# SPDX-License-Identifier: MIT
# utmemctl upgrade: the binary that lies there now goes on with what there is; one that cannot
# start changes nothing, and the operator is told why.
. "$(dirname "$0")/lib.sh"

# A binary of our own, to replace. A new file each time: the one that runs cannot be written.
place() {
	cp "$1" "$tmp/utmemd.new" && chmod 755 "$tmp/utmemd.new" && mv "$tmp/utmemd.new" "$tmp/utmemd"
}
# program LINE: one of a single function, in the place of a binary
program() {
	printf '#include <%s>\n' stdlib.h signal.h unistd.h >"$tmp/program.c"
	printf '%s\n' '#include "host/utmemd/keeper.h"' "int main(int argc, char **argv) { (void)argc; $1 }" \
		>>"$tmp/program.c"
	gcc -I. -o "$tmp/program" "$tmp/program.c" || bail "a program is compiled"
	place "$tmp/program"
}
binary=$UTMEMD
place "$binary"
UTMEMD=$tmp/utmemd
utmemd_start --arena 16m --tenant first:1m
utmemctl tenant add second 2m

# goes_on: the same tenants, and who serves
goes_on() {
	check_is "$1: its tenants are there" "first 1.0m second 2.0m" \
		"$(utmemctl tenant list | awk 'NR > 1 { print $1, $3 }' | xargs)"
}
stat_of() {
	utmemctl stats --json | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

before=$(utmemd_worker)
check_like "the same binary takes over" 'utmemd [0-9]*.[0-9]*.[0-9]* (*) serves' "$(utmemctl upgrade 2>&1)"
check "in another process" test "$(utmemd_worker)" != "$before"
check_is "nobody has died" 0 "$(stat_of worker_deaths)"
goes_on "same binary"

# A worker dies: the one that follows is of the binary that serves, whatever lies there
program 'return *argv[0] == 0;'
kill -KILL "$(utmemd_worker)"
check "the binary that serves follows itself" wait_for 20 utmemctl stats
check_is "one has died" 1 "$(stat_of worker_deaths)"

# refused NAME MESSAGE: nothing changes
refused() {
	local worker out rc=0

	worker=$(utmemd_worker)
	out=$(utmemctl upgrade 2>&1) || rc=$?
	check_like "$1 is refused" "1: utmemctl: $2" "$rc: $out"
	check_is "$1: the worker is the same" "$worker" "$(utmemd_worker)"
	goes_on "$1"
}
refused "a binary that ends at once" "$tmp/utmemd: ended with exit code 0"
program 'return raise(SIGSEGV) + *argv[0];'
refused "a binary that crashes" "$tmp/utmemd: killed by SIGSEGV"
echo nonsense >"$tmp/nonsense"
place "$tmp/nonsense"
refused "what is no binary" "$tmp/utmemd: could not be executed"
rm "$tmp/utmemd"
refused "a binary that is not there" "$tmp/utmemd: No such file or directory"

# It says hello as keeper.h has it for ever, and means another version
program 'struct keeper_msg m = {.type = KEEPER_HELLO, .version = 99};
	return write(atoi(argv[1] + sizeof("--worker=") - 1), &m, sizeof(m)) > 0 && pause();'
refused "a binary of another protocol" "the new binary keeps things by version 99, this supervisor by *"

# It says hello, has its turn, and ends
program 'struct keeper_msg m = {.type = KEEPER_HELLO, .version = KEEPER_VERSION};
	return 2 + (int)write(atoi(argv[1] + sizeof("--worker=") - 1), &m, sizeof(m)) / (int)sizeof(m);'
check_like "a binary that ends after hello is told" "utmemctl: *ended with exit code 3*" "$(utmemctl upgrade 2>&1)"
goes_on "after hello"

place "$binary"
check_like "and a good one is welcome after all that" 'utmemd * serves' "$(utmemctl upgrade 2>&1)"
goes_on "good binary"
utmemd_stop
