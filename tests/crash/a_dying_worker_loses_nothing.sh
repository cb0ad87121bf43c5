#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lifetime.sh has $tmp
# The short form of the crash suite: README.md beside it.
. "$(dirname "$0")/../tap.sh"

cd "$(dirname "$0")/../.." || exit 1
KILLS=${KILLS:-60} tests/crash/run >"$tmp/out" 2>&1
rc=$?
remark "$(cat "$tmp/out")"
check_is "the worker is killed, clients lose nothing and see no error" 0 "$rc"
check_like "and it says so" "crash: kills=* acked=* lost=0 torn=0 duplicated=0" \
	"$(tail -n 1 "$tmp/out")"
