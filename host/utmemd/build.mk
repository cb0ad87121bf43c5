# SPDX-License-Identifier: MIT
UTMEMD := $(B)/utmemd
UTMEMD_OBJS := $(call objs,host/utmemd)
# What of it has no daemon around it: unit tests link it
REGISTRY_PARTS := registry_list registry_json registry_file registry_load pool_options option_value size
LIBREGISTRY := $(B)/libutmemregistry.a
$(LIBREGISTRY): $(REGISTRY_PARTS:%=$(B)/obj/host/utmemd/%.o)
$(UTMEMD): $(UTMEMD_OBJS) $(LIBSERVICE) $(LIBPOOL) $(LIBKVM)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $(UTMEMD_OBJS) $(LIBSERVICE) $(LIBPOOL) $(LIBKVM) $(LIBPOOL_LIBS) \
		$(LIBKVM_LIBS) \
		-linih -lcjson -lsystemd
ALL += $(UTMEMD)
HOST_PROGRAMS += $(UTMEMD)
