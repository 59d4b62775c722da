/* SPDX-License-Identifier: BSD-3-Clause */
/* Tiles of matrix products: what one block computes, and the kernel that a tile and a split make.
 */
#ifndef GPU_CLUSTER_TILE_H
#define GPU_CLUSTER_TILE_H

#include <stddef.h>

#include "gpu_cluster/kernel.h"

/* A tile of y that one block computes, in the words of the hardware generation. */
struct gpu_tile {
    int32_t m, n;
    int32_t groups;        /* warps (Ampere) or groups of four warps (from Hopper on) */
    int32_t blocks_per_sm; /* as registers allow; shared memory is divided among them */
    int32_t step_bytes;    /* of k in a step; 0: the generation's */
    int32_t stages;        /* that are loaded ahead at most; 0: the description's */
};

struct gpu_tiles {
    const struct gpu_tile *tile;
    size_t count;
};

/* All that a generation's libraries have for dense products. */
struct gpu_tiles gpu_tiles_of(const struct gpu_chip *chip);

/* A product as the launch sees it: strips of tiles over m (of all experts, where there are any). */
struct gpu_product {
    const struct gpu_chip *chip;
    int64_t n, k;
    int32_t bytes;
    int64_t m;            /* rows of x, all strips */
    int64_t weights;      /* matrices that are read */
    double flow;          /* share of the SM's intake that its way of loading reaches; 1: all */
    double tensor;        /* share of the tensor cores' peak that it reaches at most; 1: all */
    double number_cycles; /* that loading takes for each number, where it goes one by one; else 0 */
};

/* Puts the product's kernel with this tile, and with `splits_k` its best split, into *best if it is
 * faster than *best_ps. */
void gpu_tile_try(const struct gpu_product *p, const struct gpu_tile *tile, int64_t strips,
                  bool splits_k, struct gpu_kernel *best, int64_t *best_ps);

static inline int64_t gpu_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#endif
