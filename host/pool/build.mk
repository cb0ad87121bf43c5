# SPDX-License-Identifier: MIT
LIBPOOL := $(B)/libutmempool.a
LIBPOOL_LIBS := -lxxhash
$(LIBPOOL): $(call objs,host/pool)
