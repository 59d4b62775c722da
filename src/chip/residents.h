/* SPDX-License-Identifier: BSD-3-Clause */
/* What lives in SRAM beyond a step: persistent tensors, zero rows, and the KV rows written so far.
 *
 * Loading a program checks that no two tensors of it overlap in addresses and time, and that none
 * of them overlaps what an earlier program of the chip keeps (rules 5, 9). */
#ifndef CHIP_RESIDENTS_H
#define CHIP_RESIDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/program.h"

struct chip;
struct executor_program;

enum { RESIDENTS_KV_LANES = 16 }; /* cache row r belongs to lane r mod 16 */

/* One persistent tensor, or zero rows (kind ZERO). */
struct resident {
    char name[24];
    int16_t layer;
    uint8_t kind, subs;
    int32_t count, valid;
    int32_t *slice, *row;   /* one a sub: where its rows begin */
    int16_t *lane;          /* KV: which rows r mod 16 the sub holds; -1: not known yet */
    int32_t tile_positions; /* KV */
    int32_t caches;         /* KV: how many, of cache_rows rows each */
    int32_t cache_rows;
    int32_t *head;     /* KV: a sub's list of rows that open steps wrote (rows.h); -1: none */
    uint64_t *written; /* KV: rows of finished steps, `words` a sub */
    size_t words;
};

struct zero_rows {
    int32_t slice, from, to;
};

struct residents {
    struct resident *at;
    size_t count, capacity;
    struct zero_rows *zero; /* by slice and address, disjoint */
    size_t zeros, zero_capacity;
};

void residents_release(struct residents *residents);

/* Registers what the program keeps, and judges its use of SRAM. Fills loaded->resident. */
void residents_load(struct chip *chip, struct executor_program *loaded);

/* Whether rows [from, to) of a slice hold zero vectors. */
bool residents_are_zero(const struct residents *residents, int32_t slice, int32_t from, int32_t to);

/* Rows [from, to) of a KV sub. */
struct resident_rows {
    int32_t from, to;
};

/* Those of the sequence's cache that hold positions from its own on, or before it; none where there
 * is no such cache, and all before where the sub's lane is not known. */
struct resident_rows residents_rows_from(const struct resident *r, int32_t sub,
                                         struct program_sequence sequence);
struct resident_rows residents_rows_before(const struct resident *r, int32_t sub,
                                           struct program_sequence sequence);

static inline bool resident_row_is_written(const struct resident *r, int32_t sub, int32_t row)
{
    return r->written[(size_t)sub * r->words + (size_t)row / 64] >> (row % 64) & 1;
}

/* Whether all of rows [from, to) of a KV sub were written; there may be none. */
bool resident_rows_are_written(const struct resident *r, int32_t sub, struct resident_rows rows);

void resident_write_row(struct resident *r, int32_t sub, int32_t row);

/* KV rows of the sequence's cache at its position and after count as not written. */
void residents_forget_from(struct residents *residents, struct program_sequence sequence);

/* KV rows of the sequence's cache before its position count as written. */
void residents_assume_before(struct residents *residents, struct program_sequence sequence);

#endif
