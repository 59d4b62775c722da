/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fillers of tensors share: the chip that is being written, and a vector of lanes. */
#ifndef PARTITION_IMAGE_ROOM_H
#define PARTITION_IMAGE_ROOM_H

#include <math.h>
#include <string.h>

#include "partition/image.h"
#include "partition/shape.h"

struct image {
    const struct image_input *in;
    struct shape shape;
    const struct program *program;
    image_put *put;
    void *context;
    float *lane;    /* a vector to be put */
    float *row;     /* of the checkpoint */
    int64_t *input; /* of a matrix by place, which is contraction tile and lane */
    double *value;  /* one output's weights by place */
    float *column;  /* the same as the chip holds them */
    float *tile;    /* a tile's columns side by side, one row a place; NULL: not needed */
    float *scale;   /* of the columns of a tile */
    float *step;    /* of the embedding's hidden elements; NULL: this chip holds no token */
};

static inline void image_put_lanes(const struct image *m, int32_t tensor, int32_t sub,
                                   int32_t index)
{
    m->put(m->context, tensor, sub, index, m->lane);
}

static inline void image_clear_lanes(const struct image *m)
{
    memset(m->lane, 0, (size_t)m->shape.chip->lanes * sizeof *m->lane);
}

/* The scores' scale, which queries bring: in their weights, or in the gains of their norm. */
static inline double image_query_factor(const struct shape *s)
{
    return 1.0 / sqrt((double)s->head_dim);
}

static inline int32_t image_quad_of(const struct program_tensor *t)
{
    return t->name[strlen(t->name) - 1] - '0';
}

/* Fillers of tables and rows of constants. `what` is a bool where there are two of a kind: sines,
 * not cosines; lower edges, not upper ones; sinks in their places, not everywhere. Else NULL. */
void image_put_router_bias(const struct image *m, int32_t tensor, const void *what);
void image_put_router_slots(const struct image *m, int32_t tensor, const void *what);
void image_put_expert_ids(const struct image *m, int32_t tensor, const void *what);
void image_put_gate_limit(const struct image *m, int32_t tensor, const void *what);
void image_put_head_gain(const struct image *m, int32_t tensor, const void *what);
void image_put_sinks(const struct image *m, int32_t tensor, const void *what);
void image_put_rotary(const struct image *m, int32_t tensor, const void *what);
void image_put_mask(const struct image *m, int32_t tensor, const void *what);
void image_put_value_ones(const struct image *m, int32_t tensor, const void *what);
void image_put_ones(const struct image *m, int32_t tensor, const void *what);
void image_put_ids(const struct image *m, int32_t tensor, const void *what);

#endif
