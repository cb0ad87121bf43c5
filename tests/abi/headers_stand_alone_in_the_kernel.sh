#!/bin/bash
# SPDX-License-Identifier: MIT
# Every contract header that the driver uses compiles in a kernel module, alone and twice,
# against the installed kernel headers (UTMEM_KDIR chooses others).
set -eu
# shellcheck source=tests/abi/lib.sh
. "$(dirname "$0")/lib.sh"

kdir=${UTMEM_KDIR:-$(find /usr/src /lib/modules -maxdepth 2 -name 'linux-headers-*-cloud-amd64' 2>/dev/null | sort -V | tail -n 1)}
[ -e "$kdir/Makefile" ] || skip "no kernel headers here (linux-headers-cloud-amd64)"

use() {
	local name
	name=$(basename "$1" .src)
	cp "$1" "$work/use_$name.c"
	objects+=" use_$name.o"
}
objects=
each_header use

# The inline code is compiled only when it is called
cat >"$work/use_all.c" <<'C'
#include "utmem_ring.h"

int utmem_use_all(void *queue, struct utmem_geometry *geo);
int utmem_use_all(void *queue, struct utmem_geometry *geo)
{
	struct utmem_sq sq;
	struct utmem_cq cq;
	struct utmem_watch watch;
	struct utmem_sqe *sqe;
	__u32 n = 0;

	if (utmem_geometry_check(geo, 1ull << 30))
		return -EPROTO;
	utmem_sq_init(&sq, queue, geo, 0);
	utmem_cq_init(&cq, queue, geo, 0);
	sqe = utmem_sq_reserve(&sq);
	if (sqe)
		sqe->opcode = UTMEM_OP_NOP;
	utmem_sq_publish(&sq);
	utmem_wake_arm(sq.page, 1);
	utmem_watch_read(&watch, sq.page, geo);
	return utmem_cq_peek(&cq, &n) ? utmem_state_error(sq.page) : (int)(n + watch.ready);
}
C
cat >"$work/main.c" <<'C'
#include <linux/module.h>
MODULE_LICENSE("Dual MIT/GPL");
C
cat >"$work/Kbuild" <<K
ccflags-y := -I$PWD/guest/ring -Wall -Wextra -Wno-unused-parameter -Werror
CFLAGS_main.o := -Wno-error
obj-m := contract.o
contract-y := main.o use_all.o$objects
K
make -C "$kdir" M="$work" modules >"$work/log" 2>&1 || {
	cat "$work/log"
	exit 1
}
[ -e "$work/contract.ko" ]
echo "every header of guest/ring stands alone in the kernel of $(basename "$kdir")"
