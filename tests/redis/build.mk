# SPDX-License-Identifier: MIT
# The module is tested with sanitisers in it (tests/redis/lib.sh prefers that one), too.
HOST_PROGRAMS += $(REDIS_MODULE)
