#!/bin/sh
# SPDX-License-Identifier: MIT
# Install what is missing of the Debian packages that a job needs, as root or with sudo.
# Usage: install-deps.sh build|test|kernel|style
# Lists: packaging/deps-JOB.txt, one package a line.
set -eu

dir=$(dirname "$0")
case "${1:-}" in
build) lists="$dir/deps-build.txt" ;;
test) lists="$dir/deps-build.txt $dir/deps-test.txt" ;;
kernel) lists="$dir/deps-build.txt $dir/deps-kernel.txt" ;;
style) lists="$dir/deps-style.txt" ;;
*)
	echo "usage: $0 build|test|kernel|style" >&2
	exit 2
	;;
esac

missing=
# shellcheck disable=SC2013,SC2086 # package and file names have no blanks
for pkg in $(grep -hv '^#' $lists); do
	dpkg-query -W -f '${Status}\n' "$pkg" 2>/dev/null | grep -q ' installed$' ||
		missing="$missing $pkg"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "utmem: needs these Debian packages, and there is no apt-get here:$missing" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "utmem: needs root or sudo to install:$missing" >&2
		exit 1
	}
	sudo=sudo
fi
echo "utmem: installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "utmem: installation failed" >&2
	exit 1
fi
