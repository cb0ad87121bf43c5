#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/run counts what tests say, prints it in the order it was asked for, and runs side by side
# those that may be, and no others.
# shellcheck disable=SC2016 # what is in quotes is for tests to expand
. "$(dirname "$0")/lib.sh"

# script PATH: a test, of the lines on stdin; they find the folder that all share in $shared
shared=$tmp/shared
script() {
	mkdir -p "$tmp/$(dirname "$1")" "$shared"
	{
		printf '#!/bin/bash\nshared=%s\n' "$shared"
		cat
	} >"$tmp/$1"
	chmod +x "$tmp/$1"
}

# run ARGUMENT...: the runner's output, without durations; its exit code is in the last line
run() {
	local rc=0

	rm -rf "$shared"
	mkdir "$shared"
	(cd "$tmp" && env -u CI ${ci:+CI=$ci} B=b "$OLDPWD/tests/run" "$@") >"$tmp/out" || rc=$?
	sed -E 's/ +/ /g; s/ [0-9]+s( |$)/\1/' "$tmp/out"
	echo "code $rc"
}

# ---- counting ----

script tests/unit/good <<<'echo "ok 1 - a"; echo "ok 2 - b"; echo "ok 3 - c # SKIP no"'
script tests/unit/bad <<<'echo "ok 1 - a"; echo "not ok 2 - b"; exit 1'
script tests/unit/dies <<<'echo "ok 1 - a"; kill -SEGV $$'
script tests/unit/plain <<<'exit 0'
script tests/unit/skips <<<'echo "cannot run here"; exit 77'
script tests/unit/hangs <<<'exec sleep 600'
script tests/vm/cases/skips <<<'echo "no machine"; exit 77'

check_is "what passes, fails and is skipped is counted, and failures are shown" \
	"skip tests/unit/good 2 passed 0 failed 1 skipped (ok 3 - c # SKIP no)
 | ok 1 - a
 | not ok 2 - b
FAIL tests/unit/bad 1 passed 1 failed 0 skipped
 | ok 1 - a
 | SIGSEGV
FAIL tests/unit/dies 1 passed 1 failed 0 skipped
ok tests/unit/plain 1 passed 0 failed 0 skipped
skip tests/unit/skips 0 passed 0 failed 1 skipped (cannot run here)
5 passed, 2 failed, 2 skipped
code 1" "$(run tests/unit/{good,bad,dies,plain,skips})"
check_is "a test that does not end is ended, and has failed" \
	" | no end after 1 s
FAIL tests/unit/hangs 0 passed 1 failed 0 skipped
0 passed, 1 failed, 0 skipped
code 1" "$(run --timeout 1 tests/unit/hangs)"
check_like "skipped tests alone are no success" "*code 1" "$(run tests/unit/skips)"
check_like "nor is nothing" "*code 1" "$(run)"
check_like "a machine may be missing" "*1 passed, 0 failed, 1 skipped
code 0" "$(run tests/unit/plain tests/vm/cases/skips)"
check_like "but not in CI" "*1 passed, 1 failed, 0 skipped
code 1" "$(ci=true run --jobs 2 tests/unit/plain tests/vm/cases/skips)"
check_like "where other tests may be skipped" "*1 passed, 0 failed, 1 skipped
code 0" "$(ci=true run tests/unit/plain tests/unit/skips)"

# ---- side by side ----

# The first can only end when the second runs: a bash that waits for a file, 30 s at most.
script tests/unit/first <<'SCRIPT'
for ((i = 0; i < 300; i++)); do
	[ ! -e "$shared/second" ] || exit 0
	sleep 0.1
done
exit 1
SCRIPT
script tests/unit/second <<<'touch "$shared/second"'
script tests/unit/third <<<'[ -e "$shared/second" ]'
check_is "two run side by side, and are told in order" \
	"ok tests/unit/first 1 passed 0 failed 0 skipped
ok tests/unit/second 1 passed 0 failed 0 skipped
ok tests/unit/third 1 passed 0 failed 0 skipped
3 passed, 0 failed, 0 skipped
code 0" "$(run --jobs 2 tests/unit/{first,second,third})"

# Each says when it comes and goes, and stays for a while: whoever does not wait for it is seen.
lone='for e in + -; do echo -n "$e${0##*/} " >>"$shared/events"; sleep 0.3; done'
for t in tests/unit/a tests/integration/b.sh tests/redis/c.sh tests/crash/d.sh tests/vm/cases/e.sh \
	tests/tsan/f; do
	script "$t" <<<"$lone"
done
events() {
	run "$@" >/dev/null
	cat "$shared/events"
}
check_is "no test has company that starts daemons or machines" \
	"+a -a +b.sh -b.sh +c.sh -c.sh +d.sh -d.sh +e.sh -e.sh +f -f " \
	"$(events --jobs 8 tests/unit/a tests/integration/b.sh tests/redis/c.sh tests/crash/d.sh \
		tests/vm/cases/e.sh tests/tsan/f)"
check_is "without --jobs none has" "+a -a +f -f " "$(events tests/unit/a tests/tsan/f)"

# ---- signals ----

script tests/unit/listens <<<'trap "exit 0" INT; kill -INT $$; exit 1'
check_like "a test does not ignore SIGINT" "*code 0" "$(run tests/unit/listens)"

script tests/unit/stays <<<'echo $$ >"$shared/pid"; exec sleep 600'
(cd "$tmp" && exec env B=b "$OLDPWD/tests/run" tests/unit/stays) >/dev/null &
for ((i = 0; i < 300; i++)); do
	[ ! -s "$shared/pid" ] || break
	sleep 0.1
done
kill $!
wait $! || rc=$?
check_is "a runner that is ended has not succeeded" 130 "${rc:-0}"
gone() {
	local i

	for ((i = 0; i < 300; i++)); do
		kill -0 "$(cat "$shared/pid")" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}
check "and takes its tests along" gone
