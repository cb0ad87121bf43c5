#!/bin/bash
# SPDX-License-Identifier: MIT
# Every contract header compiles as strict C11, included alone and twice, with gcc and clang.
set -eu
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

flags="-std=c11 -pedantic -Wall -Wextra -Wshadow -Werror -Iguest/ring -fsyntax-only -x c"
for cc in gcc clang; do
	command -v $cc >/dev/null || skip "no $cc here"
	# shellcheck disable=SC2086
	each_header $cc $flags
done
echo "every header of guest/ring stands alone in C11"
