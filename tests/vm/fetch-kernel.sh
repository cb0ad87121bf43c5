#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest's kernel: Debian's own image of the version whose headers are here, downloaded
# and unpacked, never installed (that would touch this machine's boot loader).
# Usage: fetch-kernel.sh OUT_DIR
# Leaves OUT_DIR/kver (the version), OUT_DIR/kdir (the headers) and OUT_DIR/vmlinuz; modules are
# in OUT_DIR/kernel-VERSION/lib/modules. UTMEM_KDIR: headers; UTMEM_KERNEL: a vmlinuz.
# Fails with one line on stderr.
set -eu

out=$1
mkdir -p "$out"

fail() {
	echo "$*" >&2
	exit 1
}

kdir=${UTMEM_KDIR:-}
if [ -z "$kdir" ]; then
	kdir=$(find /usr/src -maxdepth 1 -name 'linux-headers-*-cloud-amd64' | sort -V | tail -n 1)
fi
[ -n "$kdir" ] || fail "no kernel headers: install linux-headers-cloud-amd64 or set UTMEM_KDIR"
kver=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h")
[ -n "$kver" ] || fail "$kdir holds no configured kernel headers"

download() (
	new=$out/kernel-$kver.new
	rm -rf "$new"
	mkdir "$new"
	cd "$new"
	# Only looks at apt's lists and writes here; needs no root.
	apt-get download "linux-image-$kver" >log 2>&1 || {
		grep '^E:' log >&2 || cat log >&2
		exit 1
	}
	dpkg -x "linux-image-$kver"_*.deb .
	rm linux-image-*.deb log
)

vmlinuz=${UTMEM_KERNEL:-$out/kernel-$kver/boot/vmlinuz-$kver}
if [ -z "${UTMEM_KERNEL:-}" ] && [ ! -s "$vmlinuz" ]; then
	command -v apt-get >/dev/null || fail "no apt-get to download a kernel with: set UTMEM_KERNEL"
	echo "  FETCH   linux-image-$kver"
	download || fail "cannot download linux-image-$kver (apt-get update?), nor is UTMEM_KERNEL set"
	rm -rf "$out/kernel-$kver"
	mv "$out/kernel-$kver.new" "$out/kernel-$kver"
fi
[ -s "$vmlinuz" ] || fail "no kernel at $vmlinuz"
echo "$kver" >"$out/kver"
echo "$kdir" >"$out/kdir"
ln -sfn "$(realpath "$vmlinuz")" "$out/vmlinuz"
