/* SPDX-License-Identifier: BSD-3-Clause */
/* What SRAM holds, row by row; rows that nobody wrote are zero and take no memory. */
#ifndef CHIP_CONTENTS_H
#define CHIP_CONTENTS_H

#include <stddef.h>
#include <stdint.h>

struct contents {
    uint8_t **page; /* [slices][pages]; NULL: all zero */
    uint8_t *zero;  /* a row */
    int32_t slices, rows, pages;
    size_t row_bytes;
};

struct contents contents_create(int32_t slices, int32_t rows, size_t row_bytes);
void contents_release(struct contents *contents);

/* A row to write; NULL where there is no such row. */
void *contents_row(struct contents *contents, int32_t slice, int64_t row);

/* A row to read; zero where there is no such row. */
const void *contents_look(const struct contents *contents, int32_t slice, int64_t row);

/* Of all rows that are not zero and their places; the same for the same contents. */
uint64_t contents_digest(const struct contents *contents);

#endif
