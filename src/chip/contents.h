/* SPDX-License-Identifier: BSD-3-Clause */
/* What SRAM holds, row by row; rows that nobody wrote are zero and take no memory. */
#ifndef CHIP_CONTENTS_H
#define CHIP_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows that come into being together. */
struct contents_page {
    int64_t lent_until; /* cycle up to which somebody may look at a row that was lent */
    uint8_t row[];
};

struct contents {
    struct contents_page **page; /* [slices][pages]; NULL: all zero */
    uint8_t *zero;               /* a row */
    int32_t slices, rows, pages;
    size_t row_bytes;
};

struct contents contents_create(int32_t slices, int32_t rows, size_t row_bytes);
void contents_release(struct contents *contents);

/* A row to write; NULL where there is no such row. */
void *contents_row(struct contents *contents, int32_t slice, int64_t row);

/* A row to read; zero where there is no such row. */
const void *contents_look(const struct contents *contents, int32_t slice, int64_t row);

/* The same, for somebody who looks at it up to cycle `until`. */
const void *contents_lend(struct contents *contents, int32_t slice, int64_t row, int64_t until);

/* Whether somebody may still look at the row, or one near it, in cycle `now`. */
bool contents_is_lent(const struct contents *contents, int32_t slice, int64_t row, int64_t now);

/* Forgets what was lent. */
void contents_take_back(struct contents *contents);

/* Of all rows that are not zero and their places; the same for the same contents. */
uint64_t contents_digest(const struct contents *contents);

#endif
