/* SPDX-License-Identifier: MIT */
/* Lines on stderr, each with "utmemd: " in front; for the journal also its level. */
#ifndef UTMEMD_LOG_H
#define UTMEMD_LOG_H

#include <stdint.h>

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

/* What one tenant may make us write: refilled at every heartbeat, so that none drowns the log. */
#define LOG_LINES_PER_BEAT 20u
struct log_quota {
	uint32_t nr_left;
	uint32_t nr_dropped;
};

void log_init(enum log_level most);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Written whatever the level is. */
void log_always(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* On behalf of tenant @name. */
void log_tenant(struct log_quota *quota, enum log_level level, const char *name, const char *fmt,
		...) __attribute__((format(printf, 4, 5)));
void log_quota_refill(struct log_quota *quota, const char *name);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif /* UTMEMD_LOG_H */
