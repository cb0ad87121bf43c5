# SPDX-License-Identifier: MIT
LIBUTMEM_A := $(B)/libutmem.a
$(LIBUTMEM_A): $(call objs,libutmem)
ALL += $(LIBUTMEM_A)
