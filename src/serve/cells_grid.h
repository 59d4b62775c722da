/* SPDX-License-Identifier: BSD-3-Clause */
/* Places of batches on a grid: axes, the points around a batch, and batches that stand for points.
 */
#ifndef SERVE_CELLS_GRID_H
#define SERVE_CELLS_GRID_H

#include "serve/cells.h"

/* What a batch is placed by. */
enum serve_dimension {
    SERVE_SEQUENCES,   /* that generate */
    SERVE_KEYS,        /* that each of them sees, the mean */
    SERVE_TOKENS,      /* of all, where there are prompts: products bend by their sum */
    SERVE_PROMPT_KEYS, /* that the last of each prompt sees, the mean over positions */
    SERVE_DIMENSIONS
};

enum { SERVE_AXIS_POINTS = 40 };

/* Ascending; the time is taken to be straight between neighbours. */
struct serve_axis {
    int64_t at[SERVE_AXIS_POINTS];
    int32_t count;
};

/* Where sequences generate alone and where there are prompts, too: the first matters most. */
struct serve_grid {
    struct serve_axis alone[SERVE_DIMENSIONS], mixed[SERVE_DIMENSIONS];
};

/* A batch as the grid sees it; no sequences, or no tokens of prompts: there are none. */
struct serve_place {
    int64_t value[SERVE_DIMENSIONS];
    int32_t groups; /* of prompts */
};

/* Points around a batch, and what share each has in its mean. */
struct serve_corners {
    uint64_t key[SERVE_CELLS_POINTS];
    struct serve_place place[SERVE_CELLS_POINTS];
    double share[SERVE_CELLS_POINTS];
    size_t count;
};

struct serve_grid serve_grid_of(int64_t most_sequences, int64_t most_tokens, int64_t most_keys);

struct serve_place serve_place_of(const struct gpu_batch *batch);

struct serve_corners serve_corners_of(const struct serve_grid *grid, const struct gpu_batch *batch);

/* A batch that stands for a point. */
struct gpu_batch serve_place_batch(const struct serve_place *place);

#endif
