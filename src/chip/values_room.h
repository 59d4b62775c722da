/* SPDX-License-Identifier: BSD-3-Clause */
/* What the units share that compute values. */
#ifndef CHIP_VALUES_ROOM_H
#define CHIP_VALUES_ROOM_H

#include <stddef.h>

#include "chip/acts.h"
#include "chip/chip_values.h"
#include "chip/contents.h"
#include "chip/executor.h"
#include "chip/numbers.h"
#include "chip/rings.h"
#include "chip/values.h"

enum {
    VALUES_ALUS = PROGRAM_QUEUE_MXM - PROGRAM_QUEUE_VXM,
    VALUES_SUPERLANE = 16, /* lanes of one; see chip_can_compute */
};

/* Lanes of one number each, or of keys. */
struct values_lanes {
    bool is_key;
    float *real;
    uint64_t *key;
};

/* A sum of products: an integer where lanes are bytes and the product is one of int8. */
union accumulator {
    float real;
    int32_t whole;
};

/* One plane of the MXM; an fp16 pair is kept in the even one. */
struct values_plane {
    struct values_array *buffer;     /* values_mxm.c */
    struct values_array *array[2];   /* installed: the newer one first */
    union accumulator **accumulator; /* [rows] of columns; NULL: not used yet */
};

/* Vectors on a link, in order, each of a step. */
struct values_queue {
    uint8_t *bytes;
    int32_t *step;
    size_t first, end, byte_capacity, step_capacity;
};

struct values {
    struct numbers numbers;
    size_t vector_bytes;
    int32_t width; /* cycles across the chip */
    struct contents contents;
    struct rings streams, alus;
    struct acts acts;
    struct values_plane plane[MXM_PLANES];
    struct values_lanes fold[VALUES_ALUS]; /* of reductions under way */
    struct values_lanes input[3], result;
    int32_t *from; /* where the lanes of a permuted vector come from */
    float *pass;   /* sums of one pass through an array */
    int32_t accumulator_rows;
    struct values_queue in[LINKS_OF_CHIP], out[LINKS_OF_CHIP];
    bool blocked; /* at chip.waiting: its vector is not here */
    bool starved; /* it takes zeros */
};

/* What stream k of an operand carries at the unit of `run` in `cycle`; zero where nothing does. */
const void *values_sample(const struct chip *chip, const struct run *run,
                          const struct program_operand *o, int32_t k, int64_t cycle);

/* Where the vector on stream k of a result that is driven in `cycle` is to be filled in. */
void *values_drive(struct chip *chip, const struct run *run, const struct program_operand *o,
                   int32_t k, int64_t cycle);

/* Numbers or keys that stand on the streams of an operand. */
void values_take(const struct chip *chip, const struct run *run, const struct program_operand *o,
                 int64_t cycle, struct values_lanes *lanes);

/* Lanes onto the streams of a result. */
void values_give(struct chip *chip, const struct run *run, const struct program_operand *o,
                 int64_t cycle, const struct values_lanes *lanes);

/* The units. An act samples in `cycle`. */
void values_vxm(struct chip *chip, const struct act *act, int64_t cycle);
void values_permute(struct chip *chip, const struct act *act, int64_t cycle);
void values_transpose(struct chip *chip, const struct act *act, int64_t cycle);
void values_load(struct chip *chip, const struct act *act, int64_t cycle);
void values_install(struct chip *chip, const struct act *act, int64_t cycle);
void values_compute(struct chip *chip, const struct act *act, int64_t cycle);

void values_planes_create(const struct lpu_chip *machine, struct values *values);
void values_planes_release(struct values *values);

void values_queue_release(struct values_queue *queue);

/* Appends `count` vectors of a step. */
void values_queue_put(struct values_queue *queue, int32_t step, size_t vector_bytes,
                      const void *vectors, size_t count);

/* The next vector of `step`; NULL: it is not here. */
const void *values_queue_take(struct values_queue *queue, int32_t step, size_t vector_bytes);

/* Forgets vectors in front that belong to steps before `before`. */
void values_queue_drop(struct values_queue *queue, int32_t before);

/* Cycles between sampling and driving. */
static inline int64_t values_delay(const struct chip *chip, const struct run *run)
{
    const struct executor_timing *t = &chip->timing[run->instruction->opcode];
    return t->delay - t->skew;
}

#endif
