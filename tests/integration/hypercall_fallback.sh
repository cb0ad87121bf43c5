#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever keeps the host from hearing hypercalls, there is MMIO, and one line of the log says why.
. "$(dirname "$0")/lib.sh"

# The daemon as a process that may not load BPF programs, whoever runs this test
binary=$UTMEMD
cat >"$tmp/unprivileged" <<END
#!/bin/sh
[ "\$(id -u)" != 0 ] || exec setpriv --bounding-set -bpf,-perfmon,-sys_admin "$binary" "\$@"
exec "$binary" "\$@"
END
chmod +x "$tmp/unprivileged"

doorbell_lines() {
	grep -o 'doorbell: .*' "$utmemd_log"
}
doorbell_in_use() {
	utmemctl stats --json | sed 's/.*"doorbell":"\([a-z]*\)".*/\1/'
}
# start ARGUMENT...: a daemon with a log of its own
start() {
	rm -f "$utmemd_log"
	utmemd_start --arena 1m --tenant a:1m "$@"
}
not_permitted='doorbell: MMIO alone: BPF is not permitted (it takes CAP_BPF and CAP_PERFMON)'

UTMEMD=$tmp/unprivileged
start
check_is "without privilege one line says why" "$not_permitted" "$(doorbell_lines)"
check_is "and the doorbell is MMIO" mmio "$(doorbell_in_use)"
kill -KILL "$(utmemd_worker)"
check "another worker follows" wait_for 20 utmemctl stats
check_is "it says the same, once" "$not_permitted
$not_permitted" "$(doorbell_lines)"
utmemd_stop

rc=0
out=$(timeout 20 "$UTMEMD" --run-dir "$RUN" --arena 1m --doorbell hypercall 2>&1 </dev/null) || rc=$?
check_is "who wants a hypercall or nothing gets nothing" "1: utmemd: $not_permitted" "$rc: $out"

UTMEMD=$binary
start --doorbell mmio
check_is "MMIO that is asked for is nothing to tell" '' "$(doorbell_lines)"
check_is "it is in use" mmio "$(doorbell_in_use)"
utmemd_stop

start --doorbell auto
line=$(doorbell_lines)
case $(doorbell_in_use) in
tracepoint) want='doorbell: hypercalls are heard by the tracepoint of KVM' ;;
kvm) want='doorbell: hypercalls are heard by KVM itself' ;;
*) want='doorbell: MMIO alone: *' ;;
esac
check_like "what is in use is what the log says" "$want" "$line"
check_is "in one line" 1 "$(wc -l <<<"$line")"
utmemd_stop
