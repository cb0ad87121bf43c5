#!/bin/bash
# SPDX-License-Identifier: MIT
# Two guests at once, a tenant each: neither sees the other's pools, whatever it asks for.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --tenant one:16m --tenant two:16m
for me in one two; do
	vm_boot $me tenant=$me <<GUEST
me=$me
$(
		cat <<'GUEST_END'
driver_load || exit 1
check_is "stores its own" done "$(driver-pool 0 pool create put key $me)"
echo stored; hear
check_is "reads its own" $me "$(driver-pool 0 pool - get key)"
check_is "finds no pool of the other" ENOENT "$(driver-pool 0 only-$heard - get key)"
check_is "may not name the other" EACCES "$(driver-pool 0 $heard:pool - get key)"
check_is "makes one of its own" done "$(driver-pool 0 only-$me create put key $me)"
check "works beside the other" driver-load load 7 100
GUEST_END
	)
GUEST
done
vm_expect one stored
vm_expect two stored
vm_say one two
vm_say two one
vm_wait one
vm_wait two
utmemd_stop
