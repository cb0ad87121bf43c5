# SPDX-License-Identifier: MIT
LIBPOOL := $(B)/libutmempool.a
LIBPOOL_LIBS := -lxxhash -llz4 -lzstd
$(LIBPOOL): $(call objs,host/pool)
