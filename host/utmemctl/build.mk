# SPDX-License-Identifier: MIT
# How sizes are read and written is the daemon's size.c.
UTMEMCTL := $(B)/utmemctl
UTMEMCTL_OBJS := $(call objs,host/utmemctl) $(B)/obj/host/utmemd/size.o
$(UTMEMCTL): $(UTMEMCTL_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $(UTMEMCTL_OBJS) -lcjson
ALL += $(UTMEMCTL)
HOST_PROGRAMS += $(UTMEMCTL)
