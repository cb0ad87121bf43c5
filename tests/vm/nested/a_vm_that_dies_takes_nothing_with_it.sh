#!/bin/bash
# SPDX-License-Identifier: MIT
# A VM is killed in the midst of its work: another one does not notice, the host drops its queues, and
# the next VM of the tenant finds what was stored.
. "$(dirname "$0")/../nested.sh"

utmemd_start --arena 128m --window 16m --tenant two:48m --tenant one:48m
vm_boot two tenant=two <<'GUEST'
check "the driver loads" driver_load
check "the survivor's processes use it" load_start 2
echo loaded; hear
check "the survivor's processes get right answers" load_serves
load_end
GUEST
vm_boot one tenant=one <<'GUEST'
check "the driver loads" driver_load
check_is "a value is stored" done "$(driver-pool 0 kept create put key value)"
check "its processes use it" load_start 3
echo loaded
sleep 1000
GUEST
vm_expect two loaded
vm_expect one loaded
check "the host has the queues" wait_for 30 utmemd_stat_is queues 3
vm_kill one
vm_log_clean one
check "its queues are dropped" wait_for 30 utmemd_stat_is queues 0
check "the host has one VM less" wait_for 30 utmemd_stat_is vms 1
vm_say two "go on"
vm_wait two
check_is "no worker died of it" 0 "$(utmemd_stat worker_deaths)"

vm_boot next tenant=one <<'GUEST'
check "the driver loads" driver_load
check_is "the value is there" value "$(driver-pool 0 kept - get key)"
check "all else works" driver-load load1 7 20
GUEST
vm_wait next
utmemd_stop
