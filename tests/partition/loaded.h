/* SPDX-License-Identifier: BSD-3-Clause */
/* The images of the shipped model on groups of chips, kept tensor by tensor to be looked at. */
#ifndef TESTS_PARTITION_LOADED_H
#define TESTS_PARTITION_LOADED_H

#include "partition/shape.h"
#include "rack.h"

enum { LOADED_MOST_CHIPS = 8 };

/* Everything that was put into one chip, tensor by tensor: lanes[subs][count][lanes]. */
struct loaded {
    const struct program *program;
    float **lanes;
    uint8_t **times;
    int64_t outside; /* puts beyond a tensor */
};

/* All chips of a group: as they are, and with int8 weights. */
struct loaded_group {
    struct rack rack;
    struct model_weights *weights;
    struct shape shape;
    int32_t chips;
    struct loaded exact[LOADED_MOST_CHIPS], bytes[LOADED_MOST_CHIPS];
};

/* Compiles configs/models/sums for `chips` chips that share every layer and loads them all; fails
 * the test where something is reported or lies outside its tensor. */
void loaded_open(struct loaded_group *g, int32_t chips);
void loaded_close(struct loaded_group *g);

/* Groups of 1, 2, 4 and 8. */
void loaded_for_all_groups(void (*check)(const struct loaded_group *g));

/* An image_put whose context is a struct loaded. */
void loaded_put(void *context, int32_t tensor, int32_t sub, int32_t index, const float *lanes);

int32_t loaded_lanes(void);

/* Number of a vector within its tensor, and its lanes. */
size_t loaded_place(const struct program_tensor *t, int32_t sub, int32_t index);
float *loaded_at(const struct loaded *l, int32_t tensor, int32_t sub, int32_t index);

/* The tensor with the scales of a tensor of weights. */
int32_t loaded_scales(const struct program *p, int32_t tensor);

bool loaded_begins_with(const char *text, const char *prefix);

#endif
