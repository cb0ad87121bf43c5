# SPDX-License-Identifier: MIT
# The crash suite: the daemon and a client of its own, built with fail points. README.md says what
# it proves.
#
#   make test-crash KILLS=100     the worker dies so often; the last line says what that did
#
# SEED=N repeats the order of requests and kills (not their timing). "make test" has the short
# form, "make test-long" LONG_KILLS.
CRASH_B	:= $(B)/crash
CRASH	:= $(B)/tests/crash/crash
CRASH_POINTS := $(B)/tests/crash/points
KILLS	?= 100
LONG_KILLS ?= 1000
SEED	?= 0

$(CRASH): $(call objs,tests/crash) $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $^ $(LIBPOOL_LIBS)

# The names, as the code has them
$(CRASH_POINTS): $(wildcard host/*/*.[ch])
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	@sed -nE 's/.*UTMEM_FAIL_POINT\("([a-z0-9_]+)"\).*/\1/p' $^ | sort -u >$@

.PHONY: build-crash crash-programs test-crash
crash-programs: $(B)/utmemd $(CRASH) $(CRASH_POINTS)
build-crash:
	$(Q)$(MAKE) --no-print-directory B=$(CRASH_B) EXTRA_CFLAGS=-DUTMEM_FAIL_POINTS crash-programs
test-crash: build-crash
	@B=$(B) KILLS=$(KILLS) SEED=$(SEED) tests/crash/run
