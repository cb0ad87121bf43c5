// SPDX-License-Identifier: MIT
/*
 * One table from errno to what a Redis client reads.
 * Called by commands.c for replies and by batch.c to tell a lost host; no state.
 */
#include <errno.h>
#include <stddef.h>

#include "redis-module/errors.h"

static const struct error_row {
	int err;
	bool down;
	const char *text;
} rows[] = {
	{ENOSPC, false, "OOM utmem: host pool is full"},
	{ENOMEM, false, "OOM utmem: not enough memory for the value in this server"},
	{E2BIG, false, "ERR utmem: value is longer than the host takes"},
	{EACCES, false, "NOPERM utmem: this pool may not be changed"},
	{EAGAIN, false, "TRYAGAIN utmem: the value changed all the time while it was read"},
	{EIO, false, "ERR utmem: the host could not store or read the value"},
	{EINVAL, false, "ERR utmem: the host does not accept the request"},
	{EOPNOTSUPP, false, "ERR utmem: the host does not know the request"},
	{ETIME, true, "UTMEMDOWN utmem: the host does not answer"},
	{ETIMEDOUT, true, "UTMEMDOWN utmem: the host does not answer"},
	{ECONNRESET, true, "UTMEMDOWN utmem: the host has ended this connection"},
	{ESHUTDOWN, true, "UTMEMDOWN utmem: the host has shut down"},
	{EPIPE, true, "UTMEMDOWN utmem: the host is gone"},
	{ENOTCONN, true, "UTMEMDOWN utmem: the host is gone"},
	{ENODEV, true, "UTMEMDOWN utmem: the device is gone"},
	{EPROTO, true, "UTMEMDOWN utmem: the host and this server disagree about the ring"},
	{ESTALE, true, "UTMEMDOWN utmem: the pool has been destroyed"},
};

static const struct error_row *row_of(int err)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].err == -err)
			return &rows[i];
	return NULL;
}

const char *error_text(int err)
{
	const struct error_row *row = row_of(err);

	return row ? row->text : "ERR utmem: the host refused the request";
}

bool error_is_down(int err)
{
	const struct error_row *row = row_of(err);

	return row && row->down;
}
