/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of tensors that steps write: read after they are written (rule 5).
 *
 * Rows that a step writes are kept as combs, and a read looks for its rows among those written
 * before it: in its own step, and in the cache by open steps that began before. */
#ifndef CHIP_ROWS_H
#define CHIP_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chip/order.h"

struct chip;
struct executor_step;

/* Rows row, row + step, ... of a tensor's sub, accessed cycle_step apart. */
struct rows_comb {
    int32_t row, step, count, cycle_step;
    int64_t cycle;
};

struct rows_write {
    const struct executor_step *of;
    struct rows_comb rows;
    int32_t next; /* of the same list, or of the spare ones; -1: none */
};

struct rows_read {
    const struct executor_step *of;
    struct rows_comb rows;
    int32_t tensor, sub;
    uint32_t instruction;
    uint64_t wanted; /* members that must have been written in an open step */
};

struct rows {
    struct rows_write *write; /* of open steps: lists in executor_step.head and resident.head */
    size_t writes, write_capacity;
    int32_t spare;          /* writes to use again */
    struct rows_read *read; /* not judged yet */
    size_t reads, read_capacity, read_limit;
};

void rows_create(struct rows *rows);
void rows_release(struct rows *rows);

/* Empty lists for a new step. */
void rows_begin(struct executor_step *of);

/* Whether an instruction may read rows [from, to) of what an operand names whatever open steps
 * write: each is one that finished steps wrote, a position yet to come, or padding. */
bool rows_stand(const struct chip *chip, const struct run *run, const struct program_operand *o,
                int32_t from, int32_t to);

/* Rows that a run of an instruction writes or reads, of the tensor and sub that an operand names.
 * Tensors without a list (executor_program.head) have none. */
void rows_write(struct chip *chip, const struct run *run, const struct program_operand *o,
                struct rows_comb rows);
void rows_read(struct chip *chip, const struct run *run, const struct program_operand *o,
               struct rows_comb rows);

/* Judges the reads that ended before `now`, up to which everything was executed, and keeps the KV
 * rows of the step. */
void rows_close(struct chip *chip, struct executor_step *of, int64_t now);

#endif
