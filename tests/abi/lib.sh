# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the header tests: one source file per contract header, that includes it alone and twice.
# Owner: guest/ring. Sourced by tests/abi/*.sh, which run in the tree's root or anywhere.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() {
	echo "$1"
	exit 77
}

# each_header COMMAND ...: runs COMMAND ... FILE for a file named after each header
each_header() {
	local header name
	for header in guest/ring/*.h; do
		name=$(basename "$header" .h)
		# a header of macros only leaves nothing for a strict compiler to translate
		printf '#include "%s.h"\n#include "%s.h"\nextern int not_empty;\n' "$name" "$name" >"$work/$name.src"
		"$@" "$work/$name.src" || {
			echo "$header does not stand alone: $*"
			exit 1
		}
	done
}
