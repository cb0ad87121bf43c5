#!/bin/bash
# SPDX-License-Identifier: MIT
# What the kernel's own tools have to say about kernel code: checkpatch (exceptions with their
# reasons: .checkpatch.conf) and sparse. Called by make style. Prints what is off and fails.
# Usage: style.sh SCRATCH_DIR KDIR; run from the top of the tree
# LINUX_SOURCE: linux-source-*.tar.xz with checkpatch in it, default: Debian's in /usr/src
set -euo pipefail

out=$1 kdir=$2
tar=${LINUX_SOURCE:-/usr/src/linux-source-6.1.tar.xz}
checkpatch=$out/scripts/checkpatch.pl

# From 130 MB of sources, so once
fetch_checkpatch() {
	local top

	[ ! "$checkpatch" -nt "$tar" ] || return 0
	top=$(basename "$tar" .tar.xz)/scripts
	mkdir -p "$out"
	tar -C "$out" --strip-components 1 -xmJf "$tar" \
		"$top"/{checkpatch.pl,spelling.txt,const_structs.checkpatch}
}

# From stdin: a file of a git tree it would take for a source. MAINTAINERS is not here.
check_patches() {
	cat host/kvm/patches/*.patch |
		perl "$checkpatch" -q --no-tree --show-types --ignore FILE_PATH_CHANGES -
}

check_sources() {
	local files

	mapfile -t files < <(git ls-files 'guest/dev/*.[ch]' 'guest/ring/*.h' host/kvm/kvm_doorbell.h)
	perl "$checkpatch" -q --no-tree --show-types -f "${files[@]}"
}

# -Wsparse-error: else it only talks
check_sparse() {
	rm -rf "$out/sparse"
	mkdir -p "$out/sparse"
	cp guest/dev/*.[ch] guest/dev/Kbuild guest/ring/*.h "$out/sparse"
	env -u MAKEFLAGS make -s -j "$(nproc)" -C "$kdir" M="$(realpath "$out/sparse")" C=2 \
		CF='-D__CHECK_ENDIAN__ -Wsparse-error' DEBUG_CFLAGS='' modules >"$out/sparse.log" 2>&1 || {
		cat "$out/sparse.log"
		return 1
	}
}

[ -s "$tar" ] || {
	echo "style: no $tar: install linux-source-6.1, or set LINUX_SOURCE" >&2
	exit 1
}
fetch_checkpatch
rc=0
for check in check_patches check_sources check_sparse; do
	"$check" || rc=1
done
exit $rc
