#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest kernel that looks for bugs: KASAN, UBSAN, lockdep, kmemleak and others (debug.config), from
# Debian's linux-source. Called by make kernel-debug.
# Usage: debug-kernel.sh OUT_DIR
# Leaves OUT_DIR/vmlinuz, and OUT_DIR/build to build modules with. LINUX_SOURCE:
# linux-source-*.tar.xz, default: Debian's newest 6.1 in /usr/src. Fails with one line on stderr.
set -euo pipefail

out=$1
here=$(cd "$(dirname "$0")" && pwd)
tar=${LINUX_SOURCE:-/usr/src/linux-source-6.1.tar.xz}

fail() {
	echo "kernel-debug: $*" >&2
	exit 1
}

# Without what is never compiled here, that is three quarters: other machines, most drivers. Their
# Kconfig and Makefiles stay.
unpack() {
	local skip=() part

	for part in arch/{a,c,h,i,l,m,n,o,p,r,s,u,xt}\* sound drivers/{gpu/drm,staging,media,infiniband} \
		drivers/{scsi,iio,usb,mtd,hwmon,pinctrl,clk,isdn,comedi} 'drivers/net/*'; do
		skip+=(--exclude "*/$part/*.[chS]")
	done
	mkdir -p "$out/src"
	tar -C "$out/src" --strip-components 1 "${skip[@]}" --exclude '*/arch/*.dts*' \
		--exclude '*/Documentation/*.rst' --exclude '*/tools/testing' -xJf "$tar"
}

kernel_make() {
	env -u MAKEFLAGS make -s -C "$out/src" O="$out/build" "$@" >>"$out/log" 2>&1 || {
		tail -n 20 "$out/log" >&2
		fail "make $* failed, see $out/log"
	}
}

# Kconfig drops what depends on something that is off, and says nothing
configure() {
	local lost

	kernel_make KCONFIG_ALLCONFIG="$here/debug.config" allnoconfig
	lost=$(grep '^CONFIG_' "$here/debug.config" | grep -vxFf "$out/build/.config" || true)
	[ -z "$lost" ] || fail "not in the .config: ${lost//$'\n'/ }"
}

[ -s "$tar" ] || fail "no $tar: install linux-source-6.1, or set LINUX_SOURCE"
rm -rf "$out"
mkdir -p "$out/build"
out=$(realpath "$out")
unpack
configure
kernel_make -j "$(nproc)" bzImage modules
cp "$out/build/arch/x86/boot/bzImage" "$out/vmlinuz"
