#!/bin/bash
# SPDX-License-Identifier: MIT
# The guest's root: an ext4 image, read-only in use and shared by all guests.
# Usage: build-image.sh OUT.img SOURCE=/PATH/IN/GUEST ...
# A dynamically linked program brings its libraries along. Needs neither root nor a loop
# device. An image whose content would be the same is left alone.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

out=$1
shift
here=$(dirname "$0")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# Everything that the loader would map for $1, at the same path
add_libs() {
	local lib

	for lib in $(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+ \(0x' | cut -d' ' -f1); do
		[ ! -e "$tree$lib" ] || continue
		install -D -m 755 "$(realpath "$lib")" "$tree$lib"
	done
}

add() {
	[ -e "$1" ] || {
		echo "$0: $1: not there" >&2
		exit 1
	}
	install -D -m 755 "$(realpath "$1")" "$tree$2"
	add_libs "$1"
}

mkdir -p "$tree"/{bin,dev,etc,proc,root,run,sys,tmp,usr/bin,usr/lib,lib,lib64,var}
chmod 1777 "$tree/tmp"
ln -s bin "$tree/sbin"
add "$(command -v busybox)" /bin/busybox
for applet in $(busybox --list); do
	[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done
add "$here/init" /init
add "$here/guest.sh" /lib/utmem/guest.sh
cat >"$tree/etc/passwd" <<-END
	root:x:0:0:root:/root:/bin/sh
	alice:x:1001:1001:alice:/tmp:/bin/sh
	bob:x:1002:1002:bob:/tmp:/bin/sh
END
printf 'root:x:0:\nalice:x:1001:\nbob:x:1002:\n' >"$tree/etc/group"
for pair in "$@"; do
	add "${pair%%=*}" "${pair#*=}"
done

sum=$(cd "$tree" && { find . -printf '%p %M %l\n' | LC_ALL=C sort
	find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; } | sha256sum)
if [ -s "$out" ] && [ "$(cat "$out.sum" 2>/dev/null)" = "$sum" ]; then
	touch "$out"
	exit 0
fi

echo "  IMAGE   $(basename "$out")"
mib=$(($(du -sm --apparent-size "$tree" | cut -f1) * 5 / 4 + 16))
rm -f "$out.new"
mkfs.ext4 -q -F -O ^has_journal -E root_owner=0:0 -d "$tree" "$out.new" "${mib}M" >/dev/null
# A guest that runs keeps the old file.
mv "$out.new" "$out"
echo "$sum" >"$out.sum"
