/* SPDX-License-Identifier: BSD-3-Clause */
/* The axes, and the way from a batch to the points around it. */
#include "serve/cells_grid.h"

enum { MOST_GROUPS = 4 };

static const int64_t fine[] = {1,   2,   3,   4,   6,   8,   12,   16,   24,   32,   40,
                               48,  64,  80,  96,  112, 128, 144,  160,  192,  224,  256,
                               320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 3072, 4096};
static const int64_t coarse[] = {1, 16, 64, 256, 1024, 4096};
static const int64_t keys_alone[] = {64, 256, 1024, 4096, 16384, 65536, 262144};
static const int64_t keys_mixed[] = {128, 2048, 16384, 131072};
static const int64_t tokens[] = {1,    128,  256,  384,  512,   640,   768,   1024,   1280,   1536,
                                 2048, 3072, 4096, 8192, 16384, 32768, 65536, 131072, 1048576};
static const int64_t prompt_keys[] = {128, 1024, 8192, 65536, 1048576};
static const int64_t nothing[] = {0};

/* As far as `most`, which is the last. */
static struct serve_axis axis_of(const int64_t *at, size_t count, int64_t most)
{
    struct serve_axis axis = {.count = 0};
    for (size_t i = 0; i < count && at[i] < most; i++)
        axis.at[axis.count++] = at[i];
    axis.at[axis.count++] = most;
    return axis;
}

#define AXIS(table, most) axis_of(table, sizeof table / sizeof table[0], most)

struct serve_grid serve_grid_of(int64_t most_sequences, int64_t most_tokens, int64_t most_keys)
{
    return (struct serve_grid){.alone = {AXIS(fine, most_sequences), AXIS(keys_alone, most_keys),
                                         AXIS(nothing, 0), AXIS(nothing, 0)},
                               .mixed = {AXIS(coarse, most_sequences), AXIS(keys_mixed, most_keys),
                                         AXIS(tokens, most_tokens), AXIS(prompt_keys, most_keys)}};
}

struct serve_place serve_place_of(const struct gpu_batch *batch)
{
    struct serve_place place = {{0}, 0};
    int64_t keys = 0, prompt_keys_sum = 0;
    for (int32_t i = 0; i < batch->groups; i++) {
        const struct gpu_group *group = &batch->group[i];
        int64_t passing = group->sequences * group->tokens;
        place.value[group->prompt ? SERVE_TOKENS : SERVE_SEQUENCES] += passing;
        *(group->prompt ? &prompt_keys_sum : &keys) += passing * group->keys;
        place.groups += group->prompt && place.groups < MOST_GROUPS;
    }
    if (place.value[SERVE_SEQUENCES] > 0)
        place.value[SERVE_KEYS] = keys / place.value[SERVE_SEQUENCES];
    if (place.value[SERVE_TOKENS] > 0)
        place.value[SERVE_PROMPT_KEYS] = prompt_keys_sum / place.value[SERVE_TOKENS];
    if (place.value[SERVE_TOKENS] > 0)
        place.value[SERVE_TOKENS] += place.value[SERVE_SEQUENCES];
    return place;
}

/* A batch that stands for a point. Where positions of prompts see fewer keys than there are
 * positions, they belong to several prompts; further groups are small and only launch. */
struct gpu_batch serve_place_batch(const struct serve_place *place)
{
    struct gpu_batch batch = {0};
    int64_t passing = place->value[SERVE_TOKENS] - place->value[SERVE_SEQUENCES],
            keys = place->value[SERVE_PROMPT_KEYS];
    if (place->value[SERVE_TOKENS] > 0 && passing < 1)
        passing = 1;
    int64_t prompts = passing > keys && keys > 0 ? (passing + keys / 2) / keys : 1;
    for (int32_t i = 1; i < place->groups; i++)
        gpu_batch_add(&batch, (struct gpu_group){1, 1, keys, true, false});
    if (passing > 0) {
        int64_t each = (passing + prompts - 1) / prompts;
        gpu_batch_add(&batch,
                      (struct gpu_group){prompts, each, keys > each ? keys : each, true, true});
    }
    gpu_batch_add(&batch,
                  (struct gpu_group){place->value[SERVE_SEQUENCES], 1,
                                     place->value[SERVE_KEYS] > 0 ? place->value[SERVE_KEYS] : 1,
                                     false, true});
    return batch;
}

/* Neighbours on an axis: place `low` and the next one, of which the second has a share. */
struct between {
    int32_t low;
    double share;
};

static struct between between_of(const struct serve_axis *axis, int64_t value)
{
    int32_t low = 0;
    while (low + 2 < axis->count && axis->at[low + 1] <= value)
        low++;
    if (axis->count == 1 || value <= axis->at[0])
        return (struct between){0, 0};
    double span = (double)(axis->at[low + 1] - axis->at[low]);
    double share = (double)(value - axis->at[low]) / span;
    return share < 1 ? (struct between){low, share} : (struct between){low + 1, 0};
}

/* What is not there has no axis. */
static bool is_absent(const struct serve_place *place, int32_t dimension)
{
    return place->value[dimension < SERVE_TOKENS ? SERVE_SEQUENCES : SERVE_TOKENS] == 0;
}

/* Splits each corner in two along a dimension, where the batch lies between two places. */
static void split(struct serve_corners *corners, const struct serve_axis *axis, int32_t dimension,
                  struct between between)
{
    size_t count = corners->count;
    for (size_t i = 0; i < count; i++) {
        uint64_t key = corners->key[i] << 8;
        double share = corners->share[i];
        corners->key[i] = key | (uint64_t)(between.low + 1);
        corners->share[i] = share * (1 - between.share);
        corners->place[i].value[dimension] = axis->at[between.low];
        if (between.share > 0) {
            size_t more = corners->count++;
            corners->key[more] = key | (uint64_t)(between.low + 2);
            corners->share[more] = share * between.share;
            corners->place[more] = corners->place[i];
            corners->place[more].value[dimension] = axis->at[between.low + 1];
        }
    }
}

struct serve_corners serve_corners_of(const struct serve_grid *grid, const struct gpu_batch *batch)
{
    struct serve_place place = serve_place_of(batch);
    const struct serve_axis *axis = place.value[SERVE_TOKENS] > 0 ? grid->mixed : grid->alone;
    struct serve_corners corners;
    corners.count = 1;
    corners.key[0] = 1 + (uint64_t)place.groups;
    corners.share[0] = 1;
    corners.place[0] = (struct serve_place){{0}, place.groups};
    for (int32_t i = 0; i < SERVE_DIMENSIONS; i++) {
        struct between between = between_of(&axis[i], place.value[i]);
        if (is_absent(&place, i))
            for (size_t k = 0; k < corners.count; k++)
                corners.key[k] <<= 8;
        else
            split(&corners, &axis[i], i, between);
    }
    return corners;
}
