/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the executor share: the chip's state, runs, and how faults are reported. */
#ifndef CHIP_EXECUTOR_H
#define CHIP_EXECUTOR_H

#include "chip/banks.h"
#include "chip/chip.h"
#include "chip/links.h"
#include "chip/mxm.h"
#include "chip/order.h"
#include "chip/overlap.h"
#include "chip/residents.h"
#include "chip/rows.h"
#include "chip/streams.h"
#include "chip/values.h"

enum { EXECUTOR_NO_INSTRUCTION = -1 };

/* Delay from issue to operands sampled, to results driven, and to the end that rule 10 counts. */
struct executor_timing {
    int32_t skew, delay, tail;
};

/* A program that this chip has loaded, and what is computed from it once. */
struct executor_program {
    const struct program *program;
    struct order order;
    int32_t *resident; /* a tensor: index into residents, or -1 */
    int32_t *head;     /* a tensor: its first list of row accesses, or -1 */
    int32_t heads;
    bool *is_read; /* a tensor: by an instruction */
};

struct executor_op {
    int64_t start, end; /* from the start of the step; start > end: nothing executed */
};

/* A step that was begun. It stays where it is until no step is open. */
struct executor_step {
    const struct executor_program *loaded;
    const struct program *program; /* of `loaded` */
    struct program_runtime runtime;
    int32_t number;
    int64_t start;  /* on the chip's clock */
    struct run run; /* the first of the instruction to execute next; its cycle is INT64_MAX where
                       all are executed */
    size_t next;    /* of the order, after it */
    int32_t *head;  /* lists of activation rows written, by loaded->head + sub */
    struct executor_op *op;
    struct chip_statistics statistics;
};

struct chip {
    const struct lpu_chip *machine;
    const struct lpu_topology *topology;
    int32_t id;
    struct executor_timing timing[PROGRAM_OPCODES];
    int16_t position[PROGRAM_QUEUES];
    struct executor_program **loaded;
    size_t loads, load_capacity;
    int32_t queued[PROGRAM_QUEUES]; /* instructions of all loaded programs */
    struct executor_step **step;    /* open, in the order in which they began */
    size_t steps, step_capacity;
    struct executor_step **past; /* finished since no step was open: some of it may still be met */
    size_t pasts, past_capacity;
    int32_t begun;             /* number of the next step */
    int64_t now;               /* on the chip's clock: what is issued before it was executed */
    struct overlap_pair *pair; /* whose activations bear with each other */
    size_t pairs, pair_capacity;
    int64_t busy_until[PROGRAM_QUEUES];
    int64_t pair_until[PROGRAM_QUEUES]; /* until when an fp16 instruction holds the odd plane */
    struct streams streams;
    struct banks banks;
    struct rows rows;
    struct mxm mxm;
    struct links links;
    struct residents residents;
    struct values *values;            /* NULL: no numbers are computed */
    struct run waiting;               /* the receive at which chip_run stopped */
    struct chip_violation *violation; /* CHIP_VIOLATIONS_KEPT and one to write over; NULL: none */
    size_t violations_kept;
    int64_t violations_total, violations_told;
};

/* A new violation whose texts the caller fills in. `of` is the step, NULL while loading;
 * `instruction` a number in its program, or EXECUTOR_NO_INSTRUCTION for one that concerns the chip
 * as a whole; `cycle` is on the chip's clock. Never NULL. */
struct chip_violation *executor_report(struct chip *chip, const struct executor_step *of,
                                       enum chip_rule rule, int64_t instruction, int64_t cycle);

/* "name[sub][index]" into a text of CHIP_TEXT_BYTES. */
void executor_identity_text(const struct program *program, int32_t tensor, int32_t sub,
                            int64_t index, char *text);

/* Whether all rows of a placed tensor are rows of their slices. */
bool executor_is_in_slices(const struct chip *chip, const struct program *program,
                           const struct program_tensor *tensor);

/* Whether steps are under way. */
bool executor_is_busy(const struct chip *chip);

static inline const struct program_operand *executor_input(const struct run *run, int32_t k)
{
    return &run->of->program->operand[run->instruction->operand + (uint32_t)k];
}

static inline const struct program_operand *executor_output(const struct run *run, int32_t k)
{
    const struct program_instruction *i = run->instruction;
    return &run->of->program->operand[i->operand + i->inputs + (uint32_t)k];
}

/* The operand that names what memory holds. */
static inline const struct program_operand *executor_held(const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    return &run->of->program->operand[i->operand + i->inputs + i->outputs - 1u];
}

#endif
