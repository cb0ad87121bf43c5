#!/bin/bash
# SPDX-License-Identifier: MIT
# Every contract header, and libutmem's, compiles as C++17, included alone and twice.
set -eu
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

flags="-std=c++17 -Wall -Wextra -Werror -Iguest/ring -Ilibutmem/include -fsyntax-only -x c++"
for cxx in g++ clang++; do
	command -v $cxx >/dev/null || skip "no $cxx here"
	# shellcheck disable=SC2086
	each_header $cxx $flags
	printf '#include <utmem.h>\n#include <utmem.h>\n' >"$work/lib.src"
	# shellcheck disable=SC2086
	$cxx $flags "$work/lib.src"
done
echo "every header stands alone in C++17"
