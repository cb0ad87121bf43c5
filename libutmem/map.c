// SPDX-License-Identifier: MIT
/*
 * Maps a window and checks what the host says about it, on a private copy.
 * Called by transport_unix.c while it connects.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "libutmem/map.h"

/* A file that could shrink would turn our next access into SIGBUS. */
static int file_check(int fd, uint64_t len)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPROTO;
	if (fstat(fd, &st))
		return -errno;
	if (len < UTMEM_WINDOW_LEN_MIN || len & (len - 1) || (uint64_t)st.st_size != len)
		return -EPROTO;
	return 0;
}

static bool limits_sane(const struct utmem_window_hdr *h)
{
	return h->nr_svc && h->nr_svc <= UTMEM_SVC_MAX && h->max_queues &&
	       h->max_queues <= UTMEM_QUEUES_MAX && h->max_sq_entries >= UTMEM_SQ_ENTRIES_MIN &&
	       h->max_sq_entries <= UTMEM_SQ_ENTRIES_MAX && h->max_data_len >= 2 * UTMEM_PAGE &&
	       h->max_data_len <= UTMEM_DATA_LEN_MAX && h->max_key_len &&
	       h->max_key_len <= UTMEM_KEY_MAX && h->max_pools <= UTMEM_POOLS_PER_QUEUE &&
	       h->max_value_len <= UTMEM_VALUE_MAX;
}

static int header_check(const struct utmem_window_hdr *h, uint64_t len)
{
	if (h->magic != UTMEM_MAGIC || h->abi_major != UTMEM_ABI_MAJOR || h->hdr_len < sizeof(*h) ||
	    h->window_len != len)
		return -EPROTO;
	if (h->control_off % UTMEM_PAGE || h->control_off < sizeof(*h) ||
	    h->control_off > len - UTMEM_PAGE)
		return -EPROTO;
	return limits_sane(h) ? 0 : -EPROTO;
}

int utmem_map_init(struct utmem_map *m, int fd, uint64_t len)
{
	int err = file_check(fd, len);

	if (err)
		return err;
	m->base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m->base == MAP_FAILED) {
		m->base = NULL;
		return -errno;
	}
	m->len = len;
	/* A child would write into its parent's rings. */
	madvise(m->base, len, MADV_DONTFORK);
	memcpy(&m->hdr, m->base, sizeof(m->hdr));
	err = header_check(&m->hdr, len);
	if (err) {
		utmem_map_exit(m);
		return err;
	}
	m->control = (const void *)(m->base + m->hdr.control_off);
	return 0;
}

void utmem_map_exit(struct utmem_map *m)
{
	if (m->base)
		munmap(m->base, m->len);
	m->base = NULL;
}

void utmem_hdr_limits(const struct utmem_window_hdr *hdr, struct utmem_limits *out)
{
	*out = (struct utmem_limits){
		.max_queues = hdr->max_queues,
		.max_sq_entries = hdr->max_sq_entries,
		.max_data_len = hdr->max_data_len,
		.max_key_len = hdr->max_key_len,
		.max_value_len = hdr->max_value_len,
		.window_len = hdr->window_len,
		.features = hdr->features,
		.epoch = hdr->epoch,
	};
}
