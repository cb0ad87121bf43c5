# SPDX-License-Identifier: MIT
UTMEM_BENCH := $(B)/utmem-bench
UTMEM_BENCH_OBJS := $(call objs,bench)
$(UTMEM_BENCH): $(UTMEM_BENCH_OBJS) $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $^ $(LIBPOOL_LIBS) -lcjson -llmdb -lm
ALL += $(UTMEM_BENCH)

# utmem-bench vm, in guests. ARGS: the script's own (tests/vm/bench.sh), as ARGS='--accel tcg -- --json';
# without any, a nested guest, then the guest's instructions under emulation.
.PHONY: bench-vm
bench-vm: deps-test
ifneq ($(ARGS),)
	$(Q)$(MAKE) --no-print-directory $(if $(findstring nested,$(ARGS)),vm-l1,vm-all)
	@B=$(B) UTMEMD=$(B)/utmemd tests/vm/bench.sh $(ARGS)
else
	$(Q)$(MAKE) --no-print-directory vm-l1
	@B=$(B) UTMEMD=$(B)/utmemd tests/vm/bench.sh --accel nested
	@B=$(B) UTMEMD=$(B)/utmemd tests/vm/bench.sh --accel tcg --icount -- --rows insns
endif
