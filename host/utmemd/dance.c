// SPDX-License-Identifier: MIT
/*
 * Owns the memory of a socket's one request under way. Called by client.c, on the
 * worker's main thread.
 */
#include <stdbool.h>
#include <string.h>

#include "guest/ring/utmem_barrier.h"
#include "host/pool/failpoint.h"
#include "host/utmemd/dance.h"

/*
 * A client numbers its requests, so that two are never the same bytes. One that does not may
 * send the same twice, and a death in the moment between taking the first off and noting that
 * has the second answered as the first was.
 */
static bool is_known(const struct dance *d, const struct utmem_sock_msg *m)
{
	return d->begun && !memcmp(&d->request, m, sizeof(*m));
}

uint64_t dance_begin(struct dance *d, const struct utmem_sock_msg *m)
{
	if (is_known(d, m))
		return d->serial;
	utmem_store_release(&d->begun, 0);
	memcpy(&d->request, m, sizeof(*m));
	utmem_store_release(&d->serial, d->serial + 1);
	UTMEM_FAIL_POINT("dance_begin");
	utmem_store_release(&d->begun, 1);
	UTMEM_FAIL_POINT("dance_begun");
	return d->serial;
}

void dance_end(struct dance *d)
{
	UTMEM_FAIL_POINT("dance_end");
	utmem_store_release(&d->begun, 0);
}
