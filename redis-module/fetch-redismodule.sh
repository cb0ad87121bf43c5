#!/bin/sh
# SPDX-License-Identifier: MIT
# Get redismodule.h out of the distribution's own redis source package, which is where it is shipped.
# Usage: fetch-redismodule.sh OUT.h
# The machine's apt sources say where to look; apt's own state is not touched.
set -eu

out=$1
if [ -s "$out" ]; then
	touch "$out"
	exit 0
fi
mkdir -p "$(dirname "$out")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/unpack"

# apt has already parsed one-line and deb822 files for us. The distribution's own keys are in
# apt's trusted set, so no Signed-By is needed; other sources fail below, without harm.
# shellcheck disable=SC2016 # the dollars are apt's
apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' \
	'Created-By: Packages' | sort -u >"$tmp/sources.list"

apt_private() {
	apt-get -q -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State::lists="$tmp/lists" -o Dir::Cache="$tmp/cache" \
		-o APT::Sandbox::User=root -o APT::Update::Post-Invoke::= \
		-o APT::Update::Post-Invoke-Success::= "$@"
}
# A source that has no source packages may fail; the download below decides.
apt_private update >"$tmp/log" 2>&1 || true
(cd "$tmp/unpack" && apt_private source --download-only redis) >>"$tmp/log" 2>&1 || {
	cat "$tmp/log" >&2
	echo "utmem: cannot get the source package redis" >&2
	exit 1
}
tar -xf "$tmp"/unpack/redis_*.orig.tar.* -C "$tmp" --wildcards --strip-components=2 \
	'*/src/redismodule.h'
touch "$tmp/redismodule.h" # make goes by the time of the fetch
mv "$tmp/redismodule.h" "$out"
