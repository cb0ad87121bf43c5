// SPDX-License-Identifier: MIT
/*
 * The connection: transports by name, limits, the library's version.
 * Called by applications, on any thread.
 */
#include <string.h>

#include "libutmem/internal.h"

static const struct utmem_transport *const transports[] = {
	&utmem_transport_dev,
	&utmem_transport_unix,
	&utmem_transport_local,
};

const char *utmem_version(void)
{
	return UTMEM_VERSION;
}

int utmem_connect(struct utmem **out, const char *transport)
{
	*out = NULL;
	if (!transport)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
		size_t len = strlen(transports[i]->prefix);

		if (!strncmp(transport, transports[i]->prefix, len))
			return transports[i]->connect(out, transport + len);
	}
	return -EINVAL;
}

void utmem_disconnect(struct utmem *u)
{
	if (u)
		u->ops->disconnect(u);
}

int utmem_limits(struct utmem *u, struct utmem_limits *out)
{
	*out = u->limits;
	return 0;
}

int utmem_base_init(struct utmem *u, const struct utmem_transport *ops)
{
	u->ops = ops;
	return -pthread_mutex_init(&u->lock, NULL);
}

void utmem_base_exit(struct utmem *u)
{
	pthread_mutex_destroy(&u->lock);
}
