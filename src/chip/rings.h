/* SPDX-License-Identifier: BSD-3-Clause */
/* What travels: vectors on streams and results between ALUs, found by their phase.
 *
 * A vector keeps its phase for its whole way (streams.h). A lane is a ring over phases long enough
 * for everything that can be under way at once; each place lists the drives of its phase, usually
 * one. A sample takes the nearest drive upstream, as the wires do. A vector that comes from memory
 * is not copied: it stays where it is until somebody writes there (rings_settle). What nobody can
 * sample any more makes room at once: few vectors are alive, and they stay in the processor's
 * cache. */
#ifndef CHIP_RINGS_H
#define CHIP_RINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/program.h"

struct ring_block {
    struct ring_block *next;
    uint64_t data[]; /* of rings.data_bytes */
};

struct ring_node {
    int64_t phase, until;
    struct ring_node *next;  /* of the same place */
    struct ring_node *later; /* in the order of driving */
    const void *vector;
    struct ring_block *own; /* what `vector` points into; NULL: memory */
    size_t place;
    int16_t x;
};

struct rings {
    struct ring_node **place; /* [lanes][places] */
    struct ring_node *spare;
    struct ring_block *spare_block;
    struct ring_node *oldest, *newest;
    int32_t lanes, places; /* places: a power of two */
    size_t data_bytes;
};

/* `span`: cycles between the first and the last phase that can be under way together. */
struct rings rings_create(int32_t lanes, int64_t span, size_t data_bytes);
void rings_release(struct rings *rings);

/* Forgets everything. */
void rings_clear(struct rings *rings);

/* A drive. It can be sampled by acts up to cycle `until`; `now` is the cycle of the act that
 * drives, which never goes back. One of the same lane, phase and position is replaced. */
struct ring_drive {
    int64_t now, until, phase;
    int32_t lane, x;
};

/* The data of its vector, to be filled. */
void *rings_drive(struct rings *rings, const struct ring_drive *drive);

/* Its vector stands in memory. */
void rings_refer(struct rings *rings, const struct ring_drive *drive, const void *vector);

/* `vector` is about to be written: those that refer to it keep what it was. */
void rings_settle(struct rings *rings, const void *vector);

/* What passes x with this phase, driven there or upstream; NULL: nothing. */
const void *rings_sample(const struct rings *rings, int32_t lane, int64_t phase, int32_t x,
                         enum program_direction direction);

#endif
