#!/bin/bash
# SPDX-License-Identifier: MIT
# The examples compile as a user would compile them (shared, static, C++) and do what they say,
# inside the process and over a socket.
. "$(dirname "$0")/lib.sh"

flags=(-Wall -Wextra -Werror -O2 -Ilibutmem/include -Iguest/ring)
static=("$B/libutmem.a" "$B/libutmemservice.a" "$B/libutmempool.a" -lxxhash -llz4 -lzstd -pthread)
export LD_LIBRARY_PATH=$B

for name in hello pipeline eventloop; do
	check "$name compiles with the shared library" \
		gcc -std=gnu11 "${flags[@]}" -o "$tmp/$name" "libutmem/examples/$name.c" "-L$B" -lutmem
	check "$name compiles with the static libraries" \
		gcc -std=gnu11 "${flags[@]}" -o "$tmp/$name.static" "libutmem/examples/$name.c" "${static[@]}"
done

cat >"$tmp/hello.cc" <<'END'
#include <utmem.h>
#include <cstring>
int main()
{
	utmem *u;
	utmem_queue *q;
	const utmem_cqe *cqe;
	char back[4];

	if (utmem_connect(&u, "local:") || utmem_queue_init(u, &q, nullptr))
		return 1;
	int pool = utmem_pool_open(q, "cc", UTMEM_POOL_CREATE);
	if (pool < 0 || utmem_put(q, pool, "k", 1, "abcd", 4, 0))
		return 1;
	void *buf = utmem_buf_alloc(q, 4);
	utmem_sqe *sqe = utmem_get_sqe(q);
	utmem_prep_get(q, sqe, pool, "k", 1, buf, 4, 0);
	utmem_sqe_set_data(sqe, back);
	if (utmem_submit_and_wait(q, 1) != 1 || utmem_wait_cqe(q, &cqe))
		return 1;
	std::memcpy(utmem_cqe_get_data(cqe), buf, 4);
	utmem_cqe_seen(q, cqe);
	utmem_queue_exit(q);
	utmem_disconnect(u);
	return std::memcmp(back, "abcd", 4);
}
END
check "the header is C++17, too" \
	g++ -std=c++17 "${flags[@]}" -o "$tmp/cc" "$tmp/hello.cc" "-L$B" -lutmem
check "a C++ program runs" "$tmp/cc"

# says TRANSPORT PROGRAM PATTERN
says() {
	check_like "$2 over $1" "0: $3" "$("$tmp/$2" "$1" 2>&1 | sed "s/^/${PIPESTATUS[0]}: /")"
}

# all_say TRANSPORT
all_say() {
	local kind

	for kind in "" .static; do
		says "$1" hello$kind 'greeting: kept by the host (16 bytes)'
		says "$1" pipeline$kind '10000 values put and read back, 0 wrong; 20000 requests in *'
		says "$1" eventloop$kind '1000 lines, 1000 came back the same; slept * times'
	done
}

all_say local:
all_say local:16m
check "an example that cannot connect fails" test 1 = "$("$tmp/hello" unix:/nowhere 2>/dev/null; echo $?)"

if [ -x "$UTMEMD" ]; then
	utmemd_start --arena 64m --tenant examples:64m
	all_say "unix:$RUN/examples.sock"
	utmemd_stop
else
	remark "no utmemd here: nothing was run over a socket"
fi
