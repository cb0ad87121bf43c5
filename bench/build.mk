# SPDX-License-Identifier: MIT
UTMEM_BENCH := $(B)/utmem-bench
UTMEM_BENCH_OBJS := $(call objs,bench)
$(UTMEM_BENCH): $(UTMEM_BENCH_OBJS) $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $^ $(LIBPOOL_LIBS) -lcjson -llmdb -lm
ALL += $(UTMEM_BENCH)
