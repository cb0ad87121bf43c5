#!/bin/bash
# SPDX-License-Identifier: MIT
# The operator's command: tenants come, change and go while the daemon runs; what it prints is
# documented, and what it refuses has a reason and an exit code.
. "$(dirname "$0")/lib.sh"

# says CODE TEXT WORD...: exit code, and all that is printed, as a pattern
says() {
	local code=$1 text=$2 out rc=0

	shift 2
	out=$(utmemctl "$@" 2>&1) || rc=$?
	check_like "$* says ${text:-nothing}" "$code: $text" "$rc: $out"
}

# ---- usage, without a daemon ----

says 1 "utmemctl: $RUN/control.sock: No such file or directory (utmemd does not run there)" stats
says 2 'utmemctl: no command; see utmemctl --help'
says 2 'utmemctl: unknown command (see utmemctl --help): nonsense' nonsense
says 2 'utmemctl: unknown command (see utmemctl --help): tenant' tenant nonsense
says 2 'utmemctl: usage: utmemctl tenant add NAME QUOTA \[WEIGHT\]' tenant add x
says 2 'utmemctl: usage: utmemctl tenant add NAME QUOTA \[WEIGHT\]' tenant add x 1m 1 more
says 2 'utmemctl: not a size (*): 1x' tenant quota x 1x
says 2 'utmemctl: not a size (*): 1x' quota x 1x
says 2 'utmemctl: not a size (*): 1x' reclaim 1x
says 2 'utmemctl: usage: utmemctl reclaim SIZE *' reclaim
says 2 'utmemctl: not TENANT/POOL: x' pool revoke x y
says 2 'utmemctl: not TENANT/POOL: x' pool grants x
says 2 'utmemctl: not a size (*): 1x' tenant add x 1x
says 2 'utmemctl: not TENANT/POOL: x' pool grant x y
says 2 'utmemctl: not TENANT/POOL: x' pool save x
says 2 'utmemctl: not TENANT/POOL: x' pool restore x
says 2 'utmemctl: usage: utmemctl pool verify FILE|-' pool verify
says 1 "utmemctl: $tmp/none: No such file or directory" pool verify "$tmp/none"
says 1 "utmemctl: $tmp/none: No such file or directory" pool restore x/y "$tmp/none"
says 1 "utmemctl: $RUN/control.sock: No such file or directory (utmemd does not run there)" \
	pool save x/y "$tmp/none"
check "and nothing is left of the file" test ! -e "$tmp/none" -a ! -e "$tmp/none.part"
says 2 'utmemctl: neither ro nor rw: rx' pool grant x/p y rx
says 2 'utmemctl: not TENANT/POOL: x' pool set x compress=lz4
says 2 'utmemctl: not OPTION=VALUE: lz4' pool set x/p lz4
says 2 'utmemctl: no such option (compress, compress_least, dedup): zip' pool set x/p zip=1
says 2 'utmemctl: not a size (*): 1x' pool set x/p compress_least=1x
says 2 'utmemctl: not KNOB=VALUE: poll-usecs' tune poll-usecs
says 2 "*unrecognized option '--nonsense'" --nonsense
says 0 'utmemctl [0-9]*.[0-9]*.[0-9]* (*)' --version
commands_of_manual() {
	sed -n 's/^\.It Cm \(tenant\|pool\|stats\|upgrade\|quota\|reclaim\|tune\)\( \(add\|quota\|weight\|remove\|list\|grants\|grant\|revoke\|set\|save\|restore\|verify\)\|\).*/\1\2 /p' \
		packaging/man/utmemctl.1
}
commands_of_help() {
	"$UTMEMCTL" --help | sed -n 's/^  \([a-z]\+ [a-z]*\).*/\1/p'
}
check_is "the manual and --help name the same commands" "$(commands_of_help | sort | xargs)" \
	"$(commands_of_manual | sort | xargs)"
check_like "a path too long is told" 'utmemctl: *: too long for a socket*' \
	"$("$UTMEMCTL" --run-dir "$(printf '/%0110d' 0)" stats 2>&1)"

# ---- tenants at run time ----

utmemd_start --arena 16m --tenant first:1m
says 0 '' tenant add second 2m
check "it has both sockets" test -S "$RUN/second.sock" -a -S "$RUN/second.ivshmem"
says 1 'utmemctl: tenant second is there already, or the name is taken' tenant add second 2m
says 1 'utmemctl: tenant control is there already, or the name is taken' tenant add control 2m
says 1 "utmemctl: not a tenant's name: 1 .. 63 of *" tenant add ../x 2m
says 1 "utmemctl: not a tenant's name: 1 .. 63 of *" tenant add "$(printf '%064d' 0)" 2m
says 0 '' tenant add "$(printf '%063d' 0)" 2m
says 0 '' tenant remove "$(printf '%063d' 0)"
says 0 '' tenant quota second 3m
says 0 '' quota second 3m
says 1 'utmemctl: no tenant third' tenant quota third 3m
says 1 'utmemctl: no tenant third' quota third 3m
says 0 '' tenant weight second 1000
says 1 'utmemctl: not a weight: 1 .. 1000' tenant weight second 1001
says 1 'utmemctl: not a weight: 1 .. 1000' tenant weight second 0
says 1 'utmemctl: not a weight: 1 .. 1000' tenant weight second 1x
says 1 'utmemctl: not a weight: 1 .. 1000' tenant add third 1m 1001
says 1 'utmemctl: no tenant third' tenant weight third 7
says 0 'gave back 0 bytes in * s: there is no more to be had' reclaim 1g
says 0 'gave back 0 bytes in * s' reclaim 0
says 0 '{"bytes":1048576,"released_bytes":0,"dropped_bytes":0,"seconds":*}' reclaim 1m second --json
says 1 'utmemctl: no tenant third' reclaim 1m third
check_is "tenant list is a table of single words" \
	"name used quota weight pools vm clients first 0 1.0m 100 0 0 0 second 0 3.0m 1000 0 0 0" \
	"$(utmemctl tenant list | xargs)"
check_is "no table has a tab or a blank at its end" 0 \
	"$({ utmemctl stats && utmemctl tenant list; } | grep -c "	\| \$")"
mkdir "$RUN/third.sock"
says 1 'utmemctl: tenant third: * (the daemon* log says more)' tenant add third 1m
check "and nothing is left of it" test ! -e "$RUN/third.ivshmem"
rmdir "$RUN/third.sock"
says 0 '' tenant add third 1m
says 0 '' tenant remove third
says 1 'utmemctl: no tenant third' tenant remove third
says 1 'utmemctl: tenant first has no pool p' pool grant first/p second ro
says 1 'utmemctl: tenant first has no pool p' pool revoke first/p second
says 1 'utmemctl: tenant first has no pool p' pool grants first/p
says 1 'utmemctl: no tenant third' pool grant first/p third
says 1 'utmemctl: tenant first has no pool p' pool set first/p compress=lz4
says 1 'utmemctl: no tenant third' pool set third/p compress=lz4
says 1 'utmemctl: no tenant third' pool revoke first/p third
says 0 'tenant  name  kind *' pool list
says 0 '\[\]' pool list --json

# ---- stats ----

utmemctl stats --json >"$tmp/stats.json"
# json EXPRESSION: of perl, on the parsed stats in $s
json() {
	perl -MJSON::PP -e "undef \$/; my \$s = decode_json(<STDIN>); print join(' ', $1);" \
		<"$tmp/stats.json"
}
# shellcheck disable=SC2016
check_is "stats --json has the documented members" "engine host tenants version" \
	"$(json 'sort keys %$s')"
# shellcheck disable=SC2016
check_is "each tenant is in it" 'first second' "$(json 'map { $_->{name} } @{$s->{tenants}}')"
check_is "it is one line" 1 "$(wc -l <"$tmp/stats.json")"

# keys_of_manual SECTION: the names between .Ss SECTION and the next one
keys_of_manual() {
	sed -n "/^\.Ss $1/,/^\.El/s/^\.It Va //p" packaging/man/utmemctl.1 | tr -d ,
}
# shellcheck disable=SC2016
check_is "the manual has the keys of a host" "$(json 'sort keys %{$s->{host}}')" \
	"$(keys_of_manual Host | xargs -n 1 | sort | xargs)"
# shellcheck disable=SC2016
check_is "the manual has the keys of a tenant" "$(json 'sort keys %{$s->{tenants}[0]}')" \
	"$(keys_of_manual Tenant | xargs -n 1 | sort | xargs)"

utmemd_stop
says 1 "utmemctl: $RUN/control.sock: No such file or directory (utmemd does not run there)" stats
utmemd_start --arena 16m
utmemd_kill
says 1 "utmemctl: $RUN/control.sock: Connection refused (utmemd does not run there)" stats
utmemd_start --arena 16m
says 0 '*tenants *' stats
utmemd_stop
