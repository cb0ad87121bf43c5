/* SPDX-License-Identifier: MIT */
/* Commands that go on until the daemon has done all of it. Caller: commands.c. */
#ifndef UTMEMCTL_POLICY_H
#define UTMEMCTL_POLICY_H

#include "host/utmemctl/commands.h"

/* @name, @quota: words of the command line. */
int policy_quota(const struct arguments *a, const char *name, const char *quota);
/* @tenant may be NULL. */
int policy_reclaim(const struct arguments *a, const char *size, const char *tenant);

#endif /* UTMEMCTL_POLICY_H */
