/* SPDX-License-Identifier: BSD-3-Clause */
/* What travels: vectors on streams and results between ALUs, found by their phase.
 *
 * A vector keeps its phase for its whole way (streams.h). A lane is a ring over phases long enough
 * for everything that can be under way at once; each place lists the drives of its phase, usually
 * one. A sample takes the nearest drive upstream, as the wires do. What nobody can sample any more
 * makes room at once: few vectors are alive, and they stay in the processor's cache. */
#ifndef CHIP_RINGS_H
#define CHIP_RINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/program.h"

struct ring_node {
    int64_t phase;
    struct ring_node *next;  /* of the same place */
    struct ring_node *later; /* in the order of driving */
    int64_t until;
    size_t place;
    int16_t x;
    uint64_t data[]; /* of rings.data_bytes */
};

struct rings {
    struct ring_node **place; /* [lanes][places] */
    struct ring_node *spare;
    struct ring_node *oldest, *newest;
    int32_t lanes, places; /* places: a power of two */
    size_t data_bytes;
};

/* `span`: cycles between the first and the last phase that can be under way together. */
struct rings rings_create(int32_t lanes, int64_t span, size_t data_bytes);
void rings_release(struct rings *rings);

/* Forgets everything. */
void rings_clear(struct rings *rings);

/* A drive at position x: the data of its vector, to be filled; replaces one of the same phase and
 * position. It can be sampled by acts up to cycle `until`; `now` is the cycle of the act that
 * drives, which never goes back. */
void *rings_drive(struct rings *rings, int64_t now, int64_t until, int32_t lane, int64_t phase,
                  int32_t x);

/* What passes x with this phase, driven there or upstream; NULL: nothing. */
const void *rings_sample(const struct rings *rings, int32_t lane, int64_t phase, int32_t x,
                         enum program_direction direction);

#endif
