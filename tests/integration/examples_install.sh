#!/bin/bash
# SPDX-License-Identifier: MIT
# What is installed is complete: header, libraries, pkg-config file and man pages are enough to
# build a program, shared or static, and the library shows its documented functions and no more.
. "$(dirname "$0")/lib.sh"

root=$tmp/root
api() {
	sed -n 's/^\t\t\(utmem_[a-z_]*\);$/\1/p' libutmem/libutmem.map | sort
}

# ---- symbols ----

check_is "the shared library exports what the map names" "$(api)" \
	"$(nm -D --defined-only "$B/libutmem.so.0" | sed -n 's/.* T \([a-z_]*\)@@UTMEM_0.1$/\1/p' | sort)"
check_is "and nothing else" "UTMEM_0.1" \
	"$(nm -D --defined-only "$B/libutmem.so.0" | grep -v ' T ' | awk '{ print $3 }' | sed 's/@@.*//')"
check_is "the header declares what the map names" "$(api)" \
	"$(grep -v '^static' libutmem/include/utmem.h | sed -n 's/^[a-z].*[ *]\(utmem_[a-z_]*\)(.*/\1/p' | sort)"
check_is "each function has a man page" "" \
	"$(for f in $(api); do grep -qx "\.Nm $f\( ,\)\?" libutmem/man/*.3 || echo "$f"; done)"
check_is "its name is libutmem.so.0" "libutmem.so.0" \
	"$(readelf -d "$B/libutmem.so.0" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')"

# ---- installed ----

check "make install-lib" make --no-print-directory "B=$B" install-lib "DESTDIR=$root" PREFIX=/usr
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/pkgconfig
check_is "pkg-config knows the version" "$(sed -n 's/^VERSION.*:= //p' Makefile)" \
	"$(pkg-config --modversion utmem)"
check_is "the header's version is the same" "$(sed -n 's/^VERSION.*:= //p' Makefile)" \
	"$(sed -n 's/^#define UTMEM_VERSION "\(.*\)"/\1/p' libutmem/include/utmem.h)"

# shellcheck disable=SC2046 # words
check "a program builds with the installed shared library" \
	gcc -o "$tmp/shared" libutmem/examples/hello.c $(pkg-config --cflags --libs utmem)
check "and runs" env "LD_LIBRARY_PATH=$root/usr/lib" "$tmp/shared"
check_like "and needs it" '*libutmem.so.0*' "$(readelf -d "$tmp/shared")"

# pkg-config --static leaves the choice between .so and .a to the linker: only the archives are there
rm "$root"/usr/lib/libutmem.so*
# shellcheck disable=SC2046
check "a program builds with the installed static libraries" \
	gcc -o "$tmp/static" libutmem/examples/hello.c $(pkg-config --static --cflags --libs utmem)
check "and runs without a shared one" "$tmp/static"

sed -n '/^\.Bd -literal$/,/^\.Ed$/p' "$root/usr/share/man/man7/utmem.7" |
	sed -e '/^\.[BE]d/d' -e 's/\\e/\\/g' >"$tmp/manual.c"
# shellcheck disable=SC2046
check "the example in utmem(7) builds" \
	gcc -Wall -Wextra -Werror -o "$tmp/manual" "$tmp/manual.c" \
	$(pkg-config --static --cflags --libs utmem)
check_is "and prints what it promises" "b is beech" "$("$tmp/manual")"
