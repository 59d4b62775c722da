/* SPDX-License-Identifier: BSD-3-Clause */
/* SRAM: bank accesses (rule 4), places and residency windows, rows read after written (rule 5).
 *
 * Contents are not stored. Every access is held against the place of the tensor that it names; as
 * long as all of them hold, memory contains what the places say. What remains is order: rows that a
 * step writes are kept as combs, and a read looks for its rows among those written before it: in
 * its own step, and in the cache by open steps that began before. */
#ifndef CHIP_SRAM_H
#define CHIP_SRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "chip/order.h"

struct chip;
struct executor_step;

/* Accesses to one slice: of a run, or of a whole instruction, given its first run. */
struct sram_access {
    int64_t first, last; /* cycles */
    int32_t bank;        /* -1: not the same throughout */
    bool whole;
    struct run run;
};

struct sram_slice {
    struct sram_access *at;
    size_t count, capacity;
};

/* Rows row, row + step, ... of a tensor's sub, accessed cycle_step apart. */
struct sram_rows {
    int32_t row, step, count, cycle_step;
    int64_t cycle;
};

struct sram_write {
    const struct executor_step *of;
    struct sram_rows rows;
    int32_t next; /* of the same list, or of the spare ones; -1: none */
};

struct sram_read {
    const struct executor_step *of;
    struct sram_rows rows;
    int32_t tensor, sub;
    uint32_t instruction;
    uint64_t wanted; /* members that must have been written in an open step */
};

struct sram {
    struct sram_slice *slice;
    struct sram_write *write; /* of open steps: lists in executor_step.head and resident.head */
    size_t writes, write_capacity;
    int32_t spare;          /* writes to use again */
    struct sram_read *read; /* not judged yet */
    size_t reads, read_capacity, read_limit;
};

void sram_create(struct chip *chip);
void sram_release(struct chip *chip);

/* Empty lists for a new step. */
void sram_begin(struct executor_step *of);

/* The row of its slice that member k of a MEM_READ or MEM_WRITE concerns. */
int64_t sram_address(const struct chip *chip, const struct run *run, int32_t k);

/* A MEM_READ or MEM_WRITE, given its first run. */
void sram_execute(struct chip *chip, const struct run *run);

/* Judges the reads that ended before `now`, up to which everything was executed, and keeps the KV
 * rows of the step. */
void sram_close(struct chip *chip, struct executor_step *of, int64_t now);

/* Forgets accesses under way: no step is. */
void sram_clear(struct sram *sram);

#endif
