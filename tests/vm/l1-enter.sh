#!/bin/bash
# SPDX-License-Identifier: MIT
# In L1, its init's script: loads KVM, then becomes the command that it is given. Its output goes
# out of L1 line by line, and its status is L1's.
set -eu

for ko in irqbypass kvm kvm-amd; do
	insmod "kvm/$ko.ko"
done
mount -t bpf bpf /sys/fs/bpf 2>/dev/null || true

# What scripts outside take from build/ is there in the image; L2 has KVM. Its log is short, since
# a line of it costs a hundred exits, but has all warnings.
export UTMEM_L1=1 UTMEM_ACCEL=kvm B=/utmem VM_APPEND=loglevel=5 VM_SECONDS=300
# The emulated SVM lets a guest's XSETBV pass unseen: KVM, and CPUID, would not know what L2 uses.
export VM_CPU_LESS=,-xsave
exec "$@"
