# SPDX-License-Identifier: MIT
# How sizes are read and written is the daemon's size.c; what a saved pool is, the engine's.
UTMEMCTL := $(B)/utmemctl
UTMEMCTL_OBJS := $(call objs,host/utmemctl) $(B)/obj/host/utmemd/size.o $(B)/obj/host/pool/save_format.o
$(UTMEMCTL): $(UTMEMCTL_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $(UTMEMCTL_OBJS) $(LIBPOOL_LIBS) -lcjson
ALL += $(UTMEMCTL)
HOST_PROGRAMS += $(UTMEMCTL)
