# SPDX-License-Identifier: MIT
# The guest: a stock kernel, a root with our programs, and the cases that boot it.
# make vm-image builds it, make vm-l1 the machine in which the nested ones run; UTMEM_KDIR (headers),
# UTMEM_KERNEL (vmlinuz) and UTMEM_ACCEL (kvm|tcg) override what is found. What cannot be had here is written to $(VM_DIR)/unavailable, and the
# cases skip with that reason.
VM_DIR := $(B)/vm
NESTED_TESTS := $(sort $(wildcard tests/vm/nested/*.sh))
# One of them is for every day
NESTED_SHORT := $(wildcard tests/vm/nested/a_doorbell_is_an_ioeventfd_and_an_interrupt_an_irqfd.sh)
VM_TESTS := $(sort $(wildcard tests/vm/cases/*.sh)) $(NESTED_SHORT)
VM_BUILD := vm-l1

# tests/vm/guest/NAME.c becomes /bin/NAME in the guest
VM_GUEST_PROGRAMS := $(patsubst tests/vm/guest/%.c,$(VM_DIR)/guest/%,$(sort $(wildcard tests/vm/guest/*.c)))
VM_GUEST_LIBS := $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL)

$(VM_DIR)/guest/%: $(B)/obj/tests/vm/guest/%.o $(VM_GUEST_LIBS)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $< $(VM_GUEST_LIBS) $(LIBPOOL_LIBS) $(LDLIBS)

.SECONDARY: $(patsubst $(VM_DIR)/guest/%,$(B)/obj/tests/vm/guest/%.o,$(VM_GUEST_PROGRAMS))
$(VM_DIR)/guest/demo-load: LDLIBS := -lhiredis

# tests/vm/host/NAME.c becomes $(VM_DIR)/host/NAME, which a case starts beside the guest
VM_HOST_PROGRAMS := $(patsubst tests/vm/host/%.c,$(VM_DIR)/host/%,$(sort $(wildcard tests/vm/host/*.c)))

$(VM_DIR)/host/%: $(B)/obj/tests/vm/host/%.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $<

.SECONDARY: $(patsubst $(VM_DIR)/host/%,$(B)/obj/tests/vm/host/%.o,$(VM_HOST_PROGRAMS))

# Stock: every redis binary of redis-tools that checks files is the server by another name
REDIS_STOCK := /usr/bin/redis-check-rdb

VM_BENCH := $(if $(wildcard bench/build.mk),$(B)/utmem-bench)
VM_FILES := $(REDIS_MODULE)=/lib/utmem.so $(foreach p,$(VM_GUEST_PROGRAMS),$(p)=/bin/$(notdir $(p))) \
	$(foreach p,$(VM_BENCH),$(p)=/bin/utmem-bench) \
	$(REDIS_STOCK)=/bin/redis-server /usr/bin/redis-cli=/bin/redis-cli \
	/usr/bin/redis-benchmark=/bin/redis-benchmark \
	/usr/sbin/kexec=/bin/kexec

.PHONY: vm-image vm-root
vm-image: $(REDIS_MODULE) $(VM_GUEST_PROGRAMS) $(VM_HOST_PROGRAMS) $(VM_BENCH)
	@mkdir -p $(VM_DIR)
	@if tests/vm/fetch-kernel.sh $(VM_DIR) 2>$(VM_DIR)/why; then \
		rm -f $(VM_DIR)/why $(VM_DIR)/unavailable; \
		$(MAKE) --no-print-directory vm-root UTMEM_KDIR="$$(cat $(VM_DIR)/kdir)" \
			VM_KVER="$$(cat $(VM_DIR)/kver)"; \
	else \
		mv $(VM_DIR)/why $(VM_DIR)/unavailable; \
		sed 's/^/  no guest here: /' $(VM_DIR)/unavailable; \
	fi

# The second make: only now the kernel is known, and with it the driver's name
VM_KO := $(if $(VM_KVER),$(if $(wildcard guest/dev/build.mk),$(B)/dev/$(VM_KVER)/utmem.ko))
VM_TEST_KO := $(if $(VM_KVER),$(VM_DIR)/module/hypercall.ko)
vm-root: $(VM_KO) $(VM_TEST_KO)
	@tests/vm/build-image.sh $(VM_DIR)/root.img $(VM_FILES) $(foreach k,$(VM_KO),$(k)=/lib/utmem.ko) \
		$(foreach k,$(VM_TEST_KO),$(k)=/lib/hypercall.ko)

# tests/vm/module: hypercalls from a guest's kernel
VM_MODULE_SRC := $(wildcard tests/vm/module/*)
$(VM_DIR)/module/hypercall.ko: $(VM_MODULE_SRC)
	$(call say,KO,$@)
	@mkdir -p $(@D)
	@cp -p $(VM_MODULE_SRC) $(@D)
	$(Q)$(MAKE) -s -C $(UTMEM_KDIR) M=$(abspath $(@D)) modules

# L1: the guest's files, the host's programs, QEMU. VM_L1_EXTRA: others, as /usr/sbin/bpftool=/bin/bpftool
VM_L1_EXTRA ?=
VM_L1_FILES := $(VM_FILES) $(B)/utmemd=/utmem/utmemd $(B)/utmemctl=/utmem/utmemctl \
	$(foreach p,$(VM_BENCH),$(p)=/utmem/utmem-bench) \
	$(foreach p,$(VM_HOST_PROGRAMS),$(p)=/utmem/vm/host/$(notdir $(p)))
.PHONY: vm-l1
vm-l1: vm-image $(B)/utmemd $(B)/utmemctl
	@tests/vm/build-l1.sh $(VM_DIR) $(VM_L1_FILES) $(VM_L1_EXTRA)

# KVM_MODULES=DIR: in L1, another KVM than the stock one
.PHONY: test-nested nested
test-nested: deps-test kvm-patched
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) vm-l1
	@B=$(B) KVM_MODULES=$(KVM_MODULES) tests/run \
		$(foreach t,$(NESTED_TESTS),$(if $(or $(if $(TEST),,all),$(findstring $(TEST),$(t))),$(t)))
nested: deps-test
	$(Q)$(MAKE) --no-print-directory vm-l1
	@B=$(B) KVM_MODULES=$(KVM_MODULES) tests/vm/nested-shell.sh $(ARGS)

# A guest kernel that looks for bugs (debug.config), and every case on it: a warning is a panic, and what
# is leaked when a guest ends is told. Slower: deadlines are VM_SLOW times as long.
KERNEL_DEBUG := $(B)/kernel-debug
$(KERNEL_DEBUG)/vmlinuz: tests/vm/debug-kernel.sh tests/vm/debug.config
	$(call say,KERNEL,$@)
	$(Q)nice tests/vm/debug-kernel.sh $(KERNEL_DEBUG)
.PHONY: kernel-debug test-vm-debug
kernel-debug: deps-kernel
	$(Q)$(MAKE) --no-print-directory $(KERNEL_DEBUG)/vmlinuz
test-vm-debug: test-build kernel-debug
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) VM_DIR=$(B)/vm-debug \
		UTMEM_KDIR=$(abspath $(KERNEL_DEBUG))/build UTMEM_KERNEL=$(abspath $(KERNEL_DEBUG))/vmlinuz vm-image
	@B=$(B) VM_DIR=$(B)/vm-debug VM_APPEND=panic_on_warn=1 VM_SLOW=5 tests/run --timeout 3000 \
		$(foreach t,$(filter-out $(NESTED_SHORT),$(VM_TESTS)),$(if $(or $(if $(TEST),,all),$(findstring $(TEST),$(t))),$(t)))

# By hand, with the plain daemon. ARGS: the script's arguments, as ARGS='--mem 512'.
.PHONY: vm demo vm-all
vm-all: vm-image $(B)/utmemd $(B)/utmemctl
vm demo: deps-test
	$(Q)$(MAKE) --no-print-directory vm-all
	@B=$(B) UTMEMD=$(B)/utmemd tests/vm/$(if $(filter demo,$@),demo,shell).sh $(ARGS)
