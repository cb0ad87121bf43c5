# SPDX-License-Identifier: MIT
# make kvm-patched: Debian's KVM with our change, $(B)/kvm-patched/{irqbypass,kvm,kvm-amd,kvm-intel}.ko,
# for the kernel of the tests' machines, or the one of UTMEM_KDIR (headers).
KVM_PATCHED := $(B)/kvm-patched
KVM_PATCHED_KDIR = $(or $(UTMEM_KDIR),\
	$(shell find /usr/src -maxdepth 1 -name 'linux-headers-*-cloud-amd64' | sort -V | tail -n 1))
KVM_PATCHED_DEPS = $(wildcard host/kvm/patches/*.patch) host/kvm/patches/build-kvm.sh \
	$(KVM_PATCHED_KDIR)/Module.symvers $(wildcard $(LINUX_SOURCE) /usr/src/linux-source-6.1.tar.xz)

.PHONY: kvm-patched kvm-patched-modules deps-kernel
kvm-patched: deps-kernel
	$(Q)$(MAKE) --no-print-directory kvm-patched-modules
kvm-patched-modules: $(KVM_PATCHED)/agrees

$(KVM_PATCHED)/kvm.ko: $(KVM_PATCHED_DEPS)
	$(call say,KVM,$@)
	@host/kvm/patches/build-kvm.sh $(KVM_PATCHED) $(KVM_PATCHED_KDIR)

# The change and our headers give everything the same name, number and layout
$(KVM_PATCHED)/agrees: $(KVM_PATCHED)/kvm.ko host/kvm/patches/check-uapi.sh \
		host/kvm/kvm_doorbell.h guest/ring/utmem_abi.h
	@host/kvm/patches/check-uapi.sh $(KVM_PATCHED)/src
	@touch $@

deps-kernel: deps-build
	@packaging/install-deps.sh kernel
