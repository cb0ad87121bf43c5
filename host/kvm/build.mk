# SPDX-License-Identifier: MIT
# The BPF program becomes an object of the BPF machine, and that a header (a skeleton) with it inside.
LIBKVM := $(B)/libutmemkvm.a
LIBKVM_LIBS := -lbpf
BPFTOOL ?= $(or $(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
BPF_SKEL := $(B)/obj/host/kvm/doorbell.skel.h
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -I. \
	-I/usr/include/$(shell $(CC) -print-multiarch)

$(B)/obj/host/kvm/doorbell.bpf.o: host/kvm/doorbell.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BPF_SKEL): $(B)/obj/host/kvm/doorbell.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name doorbell_bpf >$@.new && mv $@.new $@

$(B)/obj/host/kvm/tracepoint.o: $(BPF_SKEL)
$(B)/obj/host/kvm/tracepoint.o: OBJ_CFLAGS += -I$(B)/obj/host/kvm -isystem $(B)/obj/host/kvm

$(LIBKVM): $(filter-out %.bpf.o,$(call objs,host/kvm))
