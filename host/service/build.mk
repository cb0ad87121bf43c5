# SPDX-License-Identifier: MIT
LIBSERVICE := $(B)/libutmemservice.a
$(LIBSERVICE): $(call objs,host/service)
