/* SPDX-License-Identifier: BSD-3-Clause */
/* Banks of SRAM: one access a cycle (rule 4). */
#ifndef CHIP_BANKS_H
#define CHIP_BANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chip/order.h"

struct chip;
struct executor_step;

enum { BANKS_DIFFER = -1, BANKS_ALL_PIECES = -1 };

/* Of a run of an instruction, or of all its repeats. */
struct bank_access {
    int64_t first, last; /* cycles */
    struct executor_step *of;
    uint32_t instruction;
    int32_t piece; /* BANKS_ALL_PIECES: of all runs */
    int32_t bank;  /* BANKS_DIFFER: not the same throughout */
};

/* Accesses of a slice that are under way. */
struct bank_slice {
    struct bank_access *at;
    size_t count, capacity;
};

struct banks {
    struct bank_slice *slice;
};

void banks_create(struct banks *banks);
void banks_release(struct banks *banks);

/* Forgets accesses under way: no step is. */
void banks_clear(struct banks *banks);

/* The bank of a row. */
int32_t banks_bank(const struct chip *chip, int64_t row);

/* Accesses of one run, or of an instruction, given its first run, that reaches from bank `low` to
 * bank `high`. */
void banks_use_run(struct chip *chip, const struct run *run);
void banks_use_all(struct chip *chip, const struct run *run, int32_t low, int32_t high);

#endif
