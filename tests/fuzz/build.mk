# SPDX-License-Identifier: MIT
# tests/fuzz/NAME.c is a libFuzzer target over the service and the pool engine.
# "make test" runs it over FUZZ_RUNS inputs from a fixed seed; by hand, for longer:
#
#   make fuzz-service FUZZ_ARGS='-max_total_time=600'

FUZZ_RUNS ?= 20000
FUZZ_ARGS ?= -runs=$(FUZZ_RUNS) -seed=1
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_BINS := $(FUZZ_NAMES:%=$(B)/tests/fuzz/%)
FUZZ_TESTS := $(FUZZ_BINS:%=%.sh)
FUZZ_SRC := $(sort $(wildcard host/service/*.c host/pool/*.c))
FUZZ_FLAGS := -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	      -DUTMEM_FAIL_POINTS
fuzz_run = $(1) -artifact_prefix=$(1)- -max_len=1024 -len_control=0 $(FUZZ_ARGS)

$(FUZZ_BINS): $(B)/tests/fuzz/%: tests/fuzz/%.c $(FUZZ_SRC) \
		$(wildcard host/service/*.h host/pool/*.h guest/ring/*.h)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(filter-out $(SANFLAGS),$(UCFLAGS)) $(FUZZ_FLAGS) -o $@ $(filter %.c,$^) \
		$(LIBPOOL_LIBS)

# The runner starts programs without arguments: this one has them inside
$(FUZZ_TESTS): %.sh: % tests/fuzz/build.mk
	@printf '#!/bin/sh\nexec $(call fuzz_run,%s)\n' $(abspath $*) $(abspath $*) >$@
	@chmod +x $@

.PHONY: $(FUZZ_NAMES:%=fuzz-%)
$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(B)/tests/fuzz/%
	$(call fuzz_run,$<)
