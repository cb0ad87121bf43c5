# SPDX-License-Identifier: MIT
# Dropping a file in registers it:
#   tests/unit/*.c         CMocka, under ASan+UBSan, linked with pool, service and libutmem
#   tests/tsan/*.c         CMocka or plain, threaded, under TSan
#   tests/abi/*.c          CMocka, plain build; tests/abi/*.sh scripts
#   tests/integration/*.sh scripts against the sanitised utmemd, utmemctl and libutmem
#   tests/integration/*.c  CMocka programs, started by themselves (they start utmemd), sanitised
#   tests/crash/*.sh       scripts around one client of its own and a daemon with fail points
#   tests/fuzz/*.c         libFuzzer targets, run for a fixed number of inputs
#   tests/redis/*.sh       the module in a stock redis-server on the host, over unix:
#   tests/vm/cases/*.sh    in a real virtual machine
#   tests/vm/nested/*.sh   in one under real KVM, inside an emulated machine; make test has one of them
# Helpers that are no test live in the same folder as *.h, or in lib.sh.

ASAN_B	:= $(B)/asan
TSAN_B	:= $(B)/tsan
# What is built for tests can be ended at its fail points (host/pool/failpoint.h)
TEST_CFLAGS := -DUTMEM_FAIL_POINTS

test_bins = $(patsubst tests/%.c,$(B)/tests/%,$(sort $(wildcard tests/$(1)/*.c)))
TEST_DEPS := $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL)

$(B)/tests/%: $(B)/obj/tests/%.o $(TEST_DEPS)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $< $(TEST_DEPS) $(LIBPOOL_LIBS) $(LDLIBS) -lcmocka

# Parts of utmemd that stand alone
UTMEMD_PARTS := $(patsubst %,$(B)/obj/host/utmemd/%.o,dance fdpass keeper kept poll \
	pool_options option_value size)
$(B)/tests/unit/utmemd_%: $(B)/obj/tests/unit/utmemd_%.o $(UTMEMD_PARTS) $(LIBPOOL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $^ $(LIBPOOL_LIBS) -lcmocka

$(B)/tests/unit/kvm_%: $(B)/obj/tests/unit/kvm_%.o $(LIBKVM)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $^ $(LIBKVM_LIBS) -lcmocka

# It runs the daemon's BPF program itself
$(B)/tests/integration/hypercall: LDLIBS := $(LIBKVM_LIBS)

# Their system calls can be made to fail, or to be the process's last
WRAPPED := openat write fsync linkat renameat unlinkat
$(B)/tests/unit/registry_%: $(B)/obj/tests/unit/registry_%.o $(LIBREGISTRY) $(LIBPOOL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $(LIBPOOL_LIBS) -lcjson -lcmocka

# Built by a second make, with sanitisers
.PHONY: build-asan-tests build-tsan-tests build-abi-tests
build-asan-tests: $(call test_bins,unit) $(call test_bins,integration)
build-tsan-tests: $(call test_bins,tsan)
build-abi-tests: $(call test_bins,abi)

-include tests/fuzz/build.mk
-include tests/vm/build.mk
-include tests/redis/build.mk
-include tests/crash/build.mk

asan_bins = $(patsubst tests/%.c,$(ASAN_B)/tests/%,$(sort $(wildcard tests/$(1)/*.c)))
TESTS	= $(call asan_bins,unit) \
	  $(patsubst tests/%.c,$(TSAN_B)/tests/%,$(sort $(wildcard tests/tsan/*.c))) \
	  $(call test_bins,abi) $(filter-out %/lib.sh,$(sort $(wildcard tests/abi/*.sh))) \
	  $(FUZZ_TESTS) \
	  $(call asan_bins,integration) \
	  $(filter-out %/lib.sh,$(sort $(wildcard tests/integration/*.sh))) \
	  $(sort $(wildcard tests/crash/*.sh)) \
	  $(filter-out %/lib.sh,$(sort $(wildcard tests/redis/*.sh))) \
	  $(VM_TESTS)

# TEST=PATTERN: only the tests whose path has it
TEST	?=
# Compiling takes longer than running: on all cores, unless make was told otherwise. So do tests
# that run side by side.
JOBS	?= $(shell nproc)
.PHONY: test test-build
test: test-build
	@B=$(B) tests/run --jobs $(JOBS) \
		$(if $(TEST),$(foreach t,$(TESTS),$(if $(findstring $(TEST),$(t)),$(t))),$(TESTS))

test-build: deps-test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all build-abi-tests $(FUZZ_TESTS) $(VM_BUILD)
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) B=$(ASAN_B) SAN=address,undefined OPT=-O1 EXTRA_CFLAGS=$(TEST_CFLAGS) host-programs build-asan-tests
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) B=$(TSAN_B) SAN=thread OPT=-O1 EXTRA_CFLAGS=$(TEST_CFLAGS) build-tsan-tests
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) build-crash

# All of them, the nested ones as well, LONG_KILLS workers killed, then every fuzz target for LONG_SECONDS from a seed of its own
LONG_SECONDS ?= 600
.PHONY: test-long
test-long: test
	$(Q)$(MAKE) --no-print-directory test-nested
	$(Q)$(MAKE) --no-print-directory test-nested KVM_MODULES=$(KVM_PATCHED)
	$(Q)$(MAKE) --no-print-directory test-vm-debug
	$(Q)$(MAKE) --no-print-directory test-crash KILLS=$(LONG_KILLS)
	$(Q)$(MAKE) --no-print-directory $(FUZZ_NAMES:%=fuzz-%) FUZZ_ARGS=-max_total_time=$(LONG_SECONDS)

# What integration tests start: utmemd and utmemctl append themselves
.PHONY: host-programs
host-programs: $(HOST_PROGRAMS)
