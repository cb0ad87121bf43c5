# SPDX-License-Identifier: MIT
UTMEMD := $(B)/utmemd
UTMEMD_OBJS := $(call objs,host/utmemd)
$(UTMEMD): $(UTMEMD_OBJS) $(LIBSERVICE) $(LIBPOOL)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $(UTMEMD_OBJS) $(LIBSERVICE) $(LIBPOOL) $(LIBPOOL_LIBS) \
		-linih -lcjson -lsystemd
ALL += $(UTMEMD)
HOST_PROGRAMS += $(UTMEMD)
