#!/bin/bash
# SPDX-License-Identifier: MIT
# A pool's name is everybody's to take first, but nobody is given a pool that another has put there:
# who would make one of his own is refused, the superuser too. He attaches when he asks for that.
. "$(dirname "$0")/../lib.sh"

utmemd_start --arena 64m --window 16m --tenant one:32m
vm_boot one tenant=one smp=2 <<'GUEST'
driver_load || exit 1
check_is "mallory is first" done "$(driver-pool 1002 private create put k bad)"
check_is "alice is not given his pool" EACCES "$(driver-pool 1001 private create get k)"
check_is "nor is the superuser" EACCES "$(driver-pool 0 private create get k)"
check_is "who may look at it" bad "$(driver-pool 0 private - get k)"
check_is "mallory has it still" bad "$(driver-pool 1002 private create get k)"

check_is "mallory makes one for all" done "$(driver-pool 1002 common create,shared put k bad)"
check_is "alice makes none of her own there" EACCES "$(driver-pool 1001 common create get k)"
check_is "nor does the superuser" EACCES "$(driver-pool 0 common create get k)"
check_is "who wants it shared takes it" bad "$(driver-pool 1001 common create,shared get k)"
check_is "and the superuser" bad "$(driver-pool 0 common create,shared get k)"
check_is "or who only attaches" bad "$(driver-pool 1001 common - get k)"
GUEST
vm_wait one
utmemd_stop
