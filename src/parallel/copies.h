/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes, files and rows that change ranks. */
#ifndef PARALLEL_COPIES_H
#define PARALLEL_COPIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Collective. The first rank's bytes, on every rank. */
void parallel_broadcast(void *bytes, size_t count);

/* Collective. All ranks' bytes in rank order, on the first rank; others get NULL and *total 0. Free
 * with base_free. */
void *parallel_gather(const void *bytes, size_t count, size_t *total);

/* Collective. All ranks' texts in rank order, concatenated, on every rank; free with base_free. */
char *parallel_concatenate(const char *text);

/* Collective. The first rank's *bytes bytes and a closing 0, or NULL, on every rank; what the first
 * rank brings is returned, others' `text` is not looked at. Free with base_free. */
char *parallel_share(char *text, size_t *bytes);

/* Collective. The first rank reads PATH, all get its bytes and a closing 0; *bytes may be NULL. On
 * failure every rank gets NULL and the first rank's report the reason. Free with base_free. */
char *parallel_read_file(const char *path, size_t *bytes, struct base_report *report);

/* Rows [first, first + count) of a numbered sequence. */
struct parallel_rows {
    int64_t first, count;
    void *row;
};

/* Collective. Copies rows of `row_bytes` to whoever wants them. What ranks have may not overlap,
 * what they want may be anywhere; wanted rows that nobody has stay as they are. `have.row` is only
 * read. */
void parallel_exchange_rows(size_t row_bytes, struct parallel_rows have, struct parallel_rows want);

#endif
