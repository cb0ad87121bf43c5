// SPDX-License-Identifier: MIT
/* The stock memory for an engine. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "pool_fixture.h"

/* In the place of libc's: of each two calls one is interrupted, and one says no more than that. */
static size_t pread_most = SIZE_MAX;
static bool pread_fails;
static uint32_t nr_preads;

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	if (pread_fails || (pread_most < SIZE_MAX && ++nr_preads % 2)) {
		errno = pread_fails ? EIO : EINTR;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, len < pread_most ? len : pread_most, off);
}

static void arena_is_zeroed_aligned_and_of_whole_pages(void **state)
{
	struct utmem_memory mem;
	uint8_t *arena;
	size_t i;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, MIB + 1, 7), 0);
	assert_int_equal(mem.arena_len, MIB + 4096);
	assert_int_equal((uintptr_t)mem.arena % (2 * MIB), 0);
	assert_int_equal(mem.seed, 7);
	arena = mem.arena;
	for (i = 0; i < mem.arena_len; i++)
		assert_int_equal(arena[i], 0);
	utmem_memory_close(&mem);
}

static void released_pages_are_gone(void **state)
{
	struct utmem_memory mem;
	uint8_t *arena;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, MIB, 7), 0);
	arena = mem.arena;
	memset(arena, 1, MIB);
	mem.release(mem.ctx, 64 * KIB, 64 * KIB);
	assert_int_equal(arena[64 * KIB - 1], 1);
	assert_int_equal(arena[64 * KIB], 0);
	assert_int_equal(arena[128 * KIB - 1], 0);
	assert_int_equal(arena[128 * KIB], 1);
	utmem_memory_close(&mem);
}

static void alloc_aligns_as_asked(void **state)
{
	struct utmem_memory mem;
	void *p;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, MIB, 7), 0);
	p = mem.alloc(mem.ctx, 100, 1);
	assert_non_null(p);
	mem.free(mem.ctx, p, 100);
	p = mem.alloc(mem.ctx, 100, 64);
	assert_int_equal((uintptr_t)p % 64, 0);
	mem.free(mem.ctx, p, 100);
	utmem_memory_close(&mem);
}

static void seed_of_0_is_replaced_by_a_random_one(void **state)
{
	struct utmem_memory a, b;

	(void)state;
	assert_int_equal(utmem_memory_open(&a, MIB, 0), 0);
	assert_int_equal(utmem_memory_open(&b, MIB, 0), 0);
	assert_int_not_equal(a.seed, b.seed);
	utmem_memory_close(&a);
	utmem_memory_close(&b);
}

static void impossible_lengths_are_refused(void **state)
{
	struct utmem_memory mem;

	(void)state;
	assert_int_equal(utmem_memory_open(&mem, 0, 7), -EINVAL);
	assert_int_equal(utmem_memory_open(&mem, SIZE_MAX, 7), -EINVAL);
	assert_int_equal(utmem_memory_open(&mem, SIZE_MAX / 4, 7), -ENOMEM);
}

/* ---- on a file ---- */

static int new_memfd(void)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static size_t file_size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (size_t)st.st_size;
}

static size_t file_blocks(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (size_t)st.st_blocks;
}

static void a_file_holds_meta_and_an_aligned_arena(void **state)
{
	struct utmem_memory mem;
	int fd = new_memfd();

	(void)state;
	assert_int_equal(utmem_memory_map(&mem, fd, MIB + 1, 7), 0);
	assert_int_equal(mem.arena_len, 2 * MIB);
	assert_true(mem.meta_len >= utmem_meta_len(mem.arena_len));
	assert_int_equal((uintptr_t)mem.arena % (2 * MIB), 0);
	assert_int_equal(file_size(fd), utmem_memory_file_len(MIB + 1));
	assert_int_equal(file_size(fd), mem.meta_len + mem.arena_len);
	assert_int_equal(file_blocks(fd), 0);
	assert_false(mem.durable);
	utmem_memory_close(&mem);
	close(fd);
}

static void what_is_written_is_found_by_the_next_who_maps_it(void **state)
{
	struct utmem_memory mem;
	int fd = new_memfd();

	(void)state;
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), 0);
	strcpy(mem.meta, "meta");
	strcpy((char *)mem.arena + 2 * MIB - 8, "arena");
	utmem_memory_close(&mem);
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 0), 0);
	assert_string_equal(mem.meta, "meta");
	assert_string_equal((char *)mem.arena + 2 * MIB - 8, "arena");
	utmem_memory_close(&mem);
	close(fd);
}

static void what_is_written_is_read_also_in_pieces(void **state)
{
	static char got[4096];
	struct utmem_memory mem;
	int fd = new_memfd();

	(void)state;
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), 0);
	close(fd);
	fill_value((char *)mem.arena + MIB, sizeof(got), 1);
	pread_most = 1000;
	assert_int_equal(mem.read(mem.ctx, MIB, got, sizeof(got)), 0);
	pread_most = SIZE_MAX;
	assert_true(nr_preads >= 2 * sizeof(got) / 1000);
	assert_memory_equal(got, (char *)mem.arena + MIB, sizeof(got));
	utmem_memory_close(&mem);
}

static void what_cannot_be_read_is_eio(void **state)
{
	struct utmem_memory mem;
	int fd = new_memfd();
	char got[8];

	(void)state;
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), 0);
	pread_fails = true;
	assert_int_equal(mem.read(mem.ctx, 0, got, sizeof(got)), -EIO);
	pread_fails = false;
	assert_int_equal(ftruncate(fd, (off_t)(mem.meta_len + MIB + 4)), 0);
	assert_int_equal(mem.read(mem.ctx, MIB, got, 4), 0);
	assert_int_equal(mem.read(mem.ctx, MIB, got, sizeof(got)), -EIO);
	utmem_memory_close(&mem);
	close(fd);
}

static void a_file_that_is_only_mapped_has_no_read(void **state)
{
	struct utmem_memory mem;
	int fd = new_memfd();

	(void)state;
	pread_fails = true;
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), 0);
	pread_fails = false;
	assert_null(mem.read);
	utmem_memory_close(&mem);
	close(fd);
}

static void released_pages_of_a_file_are_holes(void **state)
{
	struct utmem_memory mem;
	int fd = new_memfd();
	uint8_t *arena;
	size_t before;

	(void)state;
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), 0);
	arena = mem.arena;
	memset(arena, 1, MIB);
	before = file_blocks(fd);
	mem.release(mem.ctx, 64 * KIB, 64 * KIB);
	assert_int_equal(file_blocks(fd), before - 64 * KIB / 512);
	assert_int_equal(arena[64 * KIB - 1], 1);
	assert_int_equal(arena[64 * KIB], 0);
	assert_int_equal(arena[128 * KIB], 1);
	utmem_memory_close(&mem);
	close(fd);
}

static void a_file_of_another_length_is_refused_and_stays(void **state)
{
	struct utmem_memory mem;
	int fd = new_memfd();

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), -EINVAL);
	assert_int_equal(file_size(fd), 4096);
	assert_int_equal(utmem_memory_map(&mem, fd, 0, 7), -EINVAL);
	assert_int_equal(utmem_memory_map(&mem, fd, SIZE_MAX, 7), -EINVAL);
	assert_int_equal(utmem_memory_file_len((1ull << 40) + 1), 0);
	close(fd);
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), -EBADF);
}

/* On a disk; where there is none but tmpfs, it is not durable either. */
static void a_file_on_disk_is_durable_and_has_its_blocks(void **state)
{
	char name[] = "/var/tmp/utmem-arena-XXXXXX";
	struct utmem_memory mem;
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(utmem_memory_map(&mem, fd, 2 * MIB, 7), 0);
	if (mem.durable) {
		assert_true(file_blocks(fd) * 512 >= file_size(fd));
		assert_null(mem.release);
	}
	strcpy(mem.arena, "arena");
	assert_int_equal(utmem_memory_sync(&mem), 0);
	utmem_memory_close(&mem);
	close(fd);
}

/* As one huge page, where the kernel has one; what lies beside it stays as it is. */
static void what_is_prepared_takes_memory_and_nothing_else_does(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	const size_t at = 4 * MIB, len = 2 * MIB;
	struct utmem_memory mem;
	uint8_t *arena;
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(utmem_memory_map(&mem, fd, 256 * MIB, 1), 0);
	arena = mem.arena;
	arena[at - 1] = 0x11;
	arena[at + len] = 0x22;
	mem.prepare(mem.ctx, at, len);
	assert_int_equal(fstat(fd, &st), 0);
	assert_in_range(st.st_blocks * 512, 3 * 4096, len + 4 * 4096);
	assert_int_equal(arena[at - 1], 0x11);
	assert_int_equal(arena[at + len], 0x22);
	assert_int_equal(arena[at] | arena[at + len - 1], 0);
	mem.prepare(mem.ctx, at + len, 64 * KIB); /* no whole page: nothing to be done */
	assert_int_equal(arena[at + len], 0x22);
	utmem_memory_close(&mem);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_prepared_takes_memory_and_nothing_else_does),
		cmocka_unit_test(arena_is_zeroed_aligned_and_of_whole_pages),
		cmocka_unit_test(released_pages_are_gone),
		cmocka_unit_test(alloc_aligns_as_asked),
		cmocka_unit_test(seed_of_0_is_replaced_by_a_random_one),
		cmocka_unit_test(impossible_lengths_are_refused),
		cmocka_unit_test(a_file_holds_meta_and_an_aligned_arena),
		cmocka_unit_test(what_is_written_is_found_by_the_next_who_maps_it),
		cmocka_unit_test(what_is_written_is_read_also_in_pieces),
		cmocka_unit_test(what_cannot_be_read_is_eio),
		cmocka_unit_test(a_file_that_is_only_mapped_has_no_read),
		cmocka_unit_test(released_pages_of_a_file_are_holes),
		cmocka_unit_test(a_file_of_another_length_is_refused_and_stays),
		cmocka_unit_test(a_file_on_disk_is_durable_and_has_its_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
