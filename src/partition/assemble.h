/* SPDX-License-Identifier: BSD-3-Clause */
/* Relocates blocks into the program of one chip. */
#ifndef PARTITION_ASSEMBLE_H
#define PARTITION_ASSEMBLE_H

#include "partition/emit.h"

/* Where a block goes: cycles and persistent rows to add, the layer, and the link to each peer rank
 * (NULL: its link numbers are physical). */
struct assemble_place {
    int64_t cycle;
    int32_t layer;
    const int32_t *rows; /* to add to persistent addresses, by slice; NULL: none */
    const int32_t *link_of_peer;
};

void assemble_append(struct program *program, const struct block *block,
                     const struct assemble_place *place);

/* Sorts instructions by (queue, cycle) once all blocks are in, and gives back idle memory. */
void assemble_finish(struct program *program);

#endif
