# SPDX-License-Identifier: MIT
# build/redis/utmem.so: for redis-server >= 7.0. Only its two entry points are visible.
REDIS_MODULE := $(B)/redis/utmem.so
REDIS_OBJS := $(call objs,redis-module)
REDIS_HDR := $(B)/redis/redismodule.h
ALL += $(REDIS_MODULE)

$(REDIS_HDR): redis-module/fetch-redismodule.sh
	$(call say,FETCH,$@)
	$(Q)redis-module/fetch-redismodule.sh $@

# The header is Redis' own, not written for our warnings: a system include.
$(REDIS_OBJS): OBJ_CFLAGS := -isystem $(B)/redis
$(REDIS_OBJS): | $(REDIS_HDR)

$(REDIS_MODULE): $(REDIS_OBJS) $(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL)
	$(call say,LD,$@)
	$(Q)$(CC) $(ULDFLAGS) -shared -Wl,--exclude-libs,ALL -o $@ $(REDIS_OBJS) \
		$(LIBUTMEM_A) $(LIBSERVICE) $(LIBPOOL) $(LIBPOOL_LIBS)

.PHONY: redis-module
redis-module: $(REDIS_MODULE)
