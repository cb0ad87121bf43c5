/* SPDX-License-Identifier: MIT */
/* What a -errno of the host becomes for a Redis client. */
#ifndef UTMEM_REDIS_ERRORS_H
#define UTMEM_REDIS_ERRORS_H

#include <stdbool.h>

/* The whole error line, code word first; a string constant. @err: -errno. */
const char *error_text(int err);

/* Does @err say that the queue, not just one request, is lost? */
bool error_is_down(int err);

#endif /* UTMEM_REDIS_ERRORS_H */
