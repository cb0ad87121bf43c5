# SPDX-License-Identifier: MIT
UTMEMD := $(B)/utmemd
UTMEMD_OBJS := $(call objs,host/utmemd)
# What of it has no daemon around it: unit tests link it
LIBREGISTRY := $(B)/libutmemregistry.a
$(LIBREGISTRY): $(filter %/registry_list.o %/registry_json.o %/registry_file.o %/registry_load.o,$(UTMEMD_OBJS))
$(UTMEMD): $(UTMEMD_OBJS) $(LIBSERVICE) $(LIBPOOL)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -o $@ $(UTMEMD_OBJS) $(LIBSERVICE) $(LIBPOOL) $(LIBPOOL_LIBS) \
		-linih -lcjson -lsystemd
ALL += $(UTMEMD)
HOST_PROGRAMS += $(UTMEMD)
