#!/bin/bash
# SPDX-License-Identifier: MIT
# That the kernel with our change and our own headers say the same to the compiler.
# Usage: check-uapi.sh SOURCES_OF_THE_KERNEL
# Says on stderr what differs.
set -euo pipefail

src=$1
top=$(cd "$(dirname "$0")/../../.." && pwd)

# The lines of a header without comments, blanks and what it includes
lines() {
	gcc -fpreprocessed -dD -E -P "$1" | sed 's/[[:space:]]\+/ /g' | grep -v '^ *$'
}

ours=$(lines "$top/host/kvm/kvm_doorbell.h" | grep -v 'UTMEM_KVM_DOORBELL_H\|^#include\|^#endif')
missing=$(grep -vxFf <(lines "$src/include/uapi/linux/kvm.h") <<<"$ours" || true)
if [ -n "$missing" ]; then
	echo "kvm_doorbell.h has what the patched linux/kvm.h has not:" >&2
	echo "$missing" >&2
	exit 1
fi
gcc -fsyntax-only -I"$top/guest/ring" -include "$src/include/uapi/linux/kvm_para.h" -x c - <<-END
	#include <utmem_abi.h>
	_Static_assert(KVM_HC_UTMEM_DOORBELL == UTMEM_HC_DOORBELL, "number of the hypercall");
END
