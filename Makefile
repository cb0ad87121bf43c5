# SPDX-License-Identifier: MIT
# utmem: one Makefile, one build.mk in each folder that builds something.
#
#   make            everything that runs on the host, into build/
#   make demo       the main job: a Redis in a VM keeps its data in the host
#   make test       all tests (under 15 minutes on two cores); test-long: and fuzzing for ten more
#   make test-crash KILLS=N  the daemon's worker dies N times under load: nothing may be lost
#   make kvm-patched  Debian's KVM with the doorbell as a hypercall of its own (host/kvm/patches)
#   make vm         a shell in a guest with everything loaded
#   make test-nested  the tests that need a real KVM; make nested: a shell where they run
#   make test-vm-debug  all VM cases on a kernel that looks for bugs (make kernel-debug builds it)
#   make bench-vm   utmem-bench in a guest of real KVM: doorbells, exits, instructions
#   make help       all targets
#
# B=DIR chooses the build folder, SAN=address,undefined (or thread) the sanitisers,
# V=1 shows the commands.

B	?= build
SAN	?=
V	?= 0
Q	:= $(if $(filter 1,$(V)),,@)

CC	:= $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG	?= clang
OPT	?= -O2
VERSION	:= 0.1.0
COMMIT	:= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
CFLAGS	?= $(OPT) -g
WARN	:= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	   -Wwrite-strings -Wvla -Wimplicit-fallthrough -Werror
UCFLAGS	:= -std=gnu11 $(WARN) $(CFLAGS) $(SANFLAGS) -fPIC -fvisibility=hidden -pthread \
	   -I. -Ilibutmem/include -Iguest/ring -D_GNU_SOURCE \
	   -DUTMEM_BUILD_VERSION='"$(VERSION)"' -DUTMEM_BUILD_COMMIT='"$(COMMIT)"'
ULDFLAGS := $(LDFLAGS) $(SANFLAGS) -pthread

say	= $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) '$(patsubst $(B)/%,%,$(2))')
# objs(folder): the objects of every .c directly in it
objs	= $(patsubst %.c,$(B)/obj/%.o,$(sort $(wildcard $(1)/*.c)))

ALL	:=
CLEAN	:=

.PHONY: all
all: deps-build

# What builds what; arrows run one way: everybody -> guest/ring, service -> pool,
# utmemd -> service, pool, kvm; redis-module -> libutmem.
include host/pool/build.mk
include host/service/build.mk
include host/kvm/build.mk
include libutmem/build.mk
-include host/utmemd/build.mk
-include host/utmemctl/build.mk
-include host/kvm/patches/build.mk
-include guest/dev/build.mk
-include redis-module/build.mk
-include bench/build.mk
include tests/build.mk
-include packaging/build.mk

all: $(ALL)

$(B)/obj/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(UCFLAGS) $(OBJ_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

# Objects of test programs stay: the next run builds only what has changed
.SECONDARY:

# lib(name, objects): a static archive
%.a:
	$(call say,AR,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

# Packages. deps-build: what compiling needs; deps-test: QEMU, a guest kernel, Redis and the rest.
.PHONY: deps-build deps-test deps-style
deps-build:
	@packaging/install-deps.sh build
deps-test: deps-build
	@packaging/install-deps.sh test
deps-style:
	@packaging/install-deps.sh style

# Formatting, scripts, man pages, and kernel code as the kernel's tools see it: prints what is off
# and fails
.PHONY: style style-kernel
style-kernel: deps-style
	@guest/dev/style.sh $(B)/style $(DRIVER_KDIR)
style: deps-style style-kernel
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	@shellcheck -x $$(git ls-files '*.sh') tests/run .ci/run
	@mandoc -Tlint -Wwarning $$(git ls-files '*.[1-9]')

.PHONY: clean help
clean:
	rm -rf $(B) $(CLEAN)

help:
	@sed -n 's/^#   //p' Makefile

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
