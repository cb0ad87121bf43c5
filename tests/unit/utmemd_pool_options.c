// SPDX-License-Identifier: MIT
/* A pool's options as a text: what is written is read back, and what is not known does no harm. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/utmemd/pool_options.h"

static const struct utmem_pool_options some = {UTMEM_COMPRESS_LZ4, 1000, true};

static void assert_read(const char *text, int err, struct utmem_pool_options want)
{
	struct utmem_pool_options o = some;

	assert_int_equal(pool_options_read(&o, text), err);
	assert_int_equal(o.compress, want.compress);
	assert_int_equal(o.compress_least, want.compress_least);
	assert_int_equal(o.dedup, want.dedup);
}

static void all_options_come_back_and_their_longest_text_fits(void **state)
{
	static const struct utmem_pool_options options[] = {
		{UTMEM_COMPRESS_NONE, UTMEM_COMPRESS_LEAST_MIN, false},
		{UTMEM_COMPRESS_LZ4, UTMEM_COMPRESS_LEAST, false},
		{UTMEM_COMPRESS_ZSTD, UTMEM_COMPRESS_LEAST_MAX, true},
	};
	char text[POOL_OPTIONS_TEXT_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		pool_options_write(&options[i], text);
		assert_read(text, 0, options[i]);
	}
	assert_string_equal(text, "compress=zstd compress_least=536870911 dedup=tenant");
}

static void what_the_text_does_not_name_stays(void **state)
{
	(void)state;
	assert_read("", 0, some);
	assert_read(" ", 0, some);
	assert_read("dedup=off", 0, (struct utmem_pool_options){UTMEM_COMPRESS_LZ4, 1000, false});
	assert_read("compress=none  compress_least=64", 0,
		    (struct utmem_pool_options){UTMEM_COMPRESS_NONE, 64, true});
}

static void what_is_not_known_is_told_and_the_others_are_taken(void **state)
{
	static const char *const unknown[] = {
		"colour=red",
		"compress",
		"compress=zip",
		"compress=",
		"=lz4",
		"dedup=all",
		"dedup=tenant=x",
		"compress_least=63",
		"compress_least=536870912",
		"compress_least=-64",
		"compress_least=",
		"compress_least=64k",
		"compress_least=99999999999999999999",
	};
	char text[POOL_OPTIONS_TEXT_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_read(unknown[i], -EINVAL, some);
		strcpy(text, unknown[i]);
		strcat(text, " compress=zstd");
		assert_read(text, -EINVAL,
			    (struct utmem_pool_options){UTMEM_COMPRESS_ZSTD, 1000, true});
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_options_come_back_and_their_longest_text_fits),
		cmocka_unit_test(what_the_text_does_not_name_stays),
		cmocka_unit_test(what_is_not_known_is_told_and_the_others_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
