#!/bin/bash
# SPDX-License-Identifier: MIT
# The KVM of Debian's kernel with our change, for the kernel whose headers are given: the modules
# load there in place of its own (same vermagic, same CRCs). Called by make kvm-patched.
# Usage: build-kvm.sh OUT_DIR KDIR
# Leaves OUT_DIR/{irqbypass,kvm,kvm-amd,kvm-intel}.ko and OUT_DIR/kver; the sources with the change
# in OUT_DIR/src. LINUX_SOURCE: linux-source-*.tar.xz, default: Debian's in /usr/src.
# Only what changes is unpacked; everything else comes from the headers. So the headers that the
# change touches are put in front of the kernel's own, by the one variable that stands there.
# Fails with one line on stderr.
set -euo pipefail

out=$1 kdir=$2
here=$(cd "$(dirname "$0")" && pwd)
src=$out/src

fail() {
	echo "kvm-patched: $*" >&2
	exit 1
}

# version_of MAKEFILE: as 6.1.192
version_of() {
	sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$1" | paste -sd.
}

# Debian's headers are in two folders; the Makefile is in the common one
makefile_of_headers() {
	local common

	common=$(sed -n 's|^include \(/.*/Makefile\)$|\1|p' "$kdir/Makefile")
	echo "${common:-$kdir/Makefile}"
}

find_source() {
	local series=${version%.*} tar

	tar=${LINUX_SOURCE:-/usr/src/linux-source-$series.tar.xz}
	[ -s "$tar" ] || fail "no $tar: install linux-source-$series, or set LINUX_SOURCE"
	echo "$tar"
}

unpack() {
	local tar=$1 top theirs

	top=$(basename "$tar" .tar.xz)
	mkdir -p "$src"
	tar -C "$src" --strip-components 1 -xJf "$tar" "$top/Makefile" "$top/arch/x86/kvm" \
		"$top/arch/x86/include/asm/kvm_host.h" "$top/include/linux/kvm_host.h" \
		"$top/include/uapi/linux/kvm.h" "$top/include/uapi/linux/kvm_para.h" \
		"$top/Documentation/virt/kvm" "$top/virt/kvm" "$top/virt/lib"
	theirs=$(version_of "$src/Makefile")
	[ "$theirs" = "$version" ] ||
		fail "$tar is $theirs, $kdir is $version: install the same version of both"
}

apply() {
	local patch

	for patch in "$here"/*.patch; do
		patch -s -d "$src" -p1 <"$patch" >&2 || fail "$(basename "$patch") does not apply to $version"
	done
	# Not part of the change: here the kernel's tree is not where these files are
	# shellcheck disable=SC2016 # make's variables
	sed -i 's|\$(srctree)/|$(src)/../../../|' "$src/arch/x86/kvm/Makefile"
	echo 'obj-y := arch/x86/kvm/ virt/lib/' >"$src/Kbuild"
	rm "$src/Makefile"
}

# Without debug information: half the time and a tenth of the size
compile() {
	local front="-I$src/arch/x86/include -I$src/include -I$src/include/uapi"

	env -u MAKEFLAGS make -s -j "$(nproc)" -C "$kdir" M="$src" DEBUG_CFLAGS='' \
		NOSTDINC_FLAGS="-nostdinc $front" modules >"$out/log" 2>&1 || {
		tail -n 20 "$out/log" >&2
		fail "does not compile, see $out/log"
	}
}

# What our kvm.ko gives to others looks to them as that of the kernel's own
same_crcs() {
	local others

	others=$(awk 'NR == FNR { crc[$2] = $1; next } crc[$2] != $1 { print $2 }' \
		"$kdir/Module.symvers" "$src/Module.symvers")
	[ -z "$others" ] || fail "exports that are not as in $kver: ${others//$'\n'/ }"
}

[ -f "$kdir/Module.symvers" ] || fail "$kdir holds no configured kernel headers"
version=$(version_of "$(makefile_of_headers)")
kver=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h")
tar=$(find_source)
rm -rf "$out"
mkdir -p "$out"
src=$(realpath -m "$src")
unpack "$tar"
apply
compile
same_crcs
find "$src" -name '*.ko' -exec cp -t "$out" {} +
for module in irqbypass kvm kvm-amd kvm-intel; do
	[ -s "$out/$module.ko" ] || fail "no $module.ko: is KVM a module of $kver?"
done
echo "$kver" >"$out/kver"
