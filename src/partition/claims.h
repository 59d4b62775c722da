/* SPDX-License-Identifier: BSD-3-Clause */
/* What a step needs for itself alone, and when: the ground on which two steps may meet. */
#ifndef PARTITION_CLAIMS_H
#define PARTITION_CLAIMS_H

#include "base/machine.h"
#include "base/program.h"

enum { CLAIMS_PLANES = 4, CLAIMS_STREAMS = 64 };

/* Things, in ranges behind the queues of a chip. */
enum {
    CLAIMS_PLANE = PROGRAM_QUEUES,
    CLAIMS_STREAM = CLAIMS_PLANE + CLAIMS_PLANES, /* eastward ones first */
    CLAIMS_ROWS = CLAIMS_STREAM + CLAIMS_STREAMS, /* of activations, by slice */
    CLAIMS_THINGS = CLAIMS_ROWS + PROGRAM_QUEUE_VXM,
};

/* Cycles (of a stream: phases) [from, to) of a thing; rows of a slice, or positions on a stream,
 * [low, high). */
struct claim {
    int64_t from, to;
    int32_t thing, low, high;
    int32_t op;     /* of the program; -1: a tensor */
    int32_t tensor; /* -1: an op */
};

struct claims {
    struct claim *at; /* by thing and time; base_free */
    size_t count, capacity;
    size_t first[CLAIMS_THINGS + 1]; /* of each thing */
};

struct claims claims_of(const struct lpu_chip *chip, const struct program *program);

/* Claims of one thing that follow each other at less than `gap` cycles become one; not of rows. */
void claims_unite(struct claims *claims, int64_t gap);

enum { CLAIMS_NAME_BYTES = 24 };

/* "MEM 17", "MXM 2", "eastward stream 3", "rows of MEM 17" into CLAIMS_NAME_BYTES of text. */
void claims_name(int32_t thing, char *text);

#endif
