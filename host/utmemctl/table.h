/* SPDX-License-Identifier: MIT */
/* What people read: aligned columns, sizes rounded. Caller: commands.c. */
#ifndef UTMEMCTL_TABLE_H
#define UTMEMCTL_TABLE_H

struct cJSON;

/* One line for each object of @rows, the members @columns (NULL ends them) of each. */
void table_print(const struct cJSON *rows, const char *const *columns);
/* One line for each member of @o: name and value. */
void list_print(const struct cJSON *o);

#endif /* UTMEMCTL_TABLE_H */
