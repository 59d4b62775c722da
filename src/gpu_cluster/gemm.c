/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix products: tile and split as libraries choose them. */
#include <math.h>
#include <stddef.h>

#include "gpu_cluster/tile.h"

/* A product of one row: no tiles, each of a block's four warps streams rows of W. */
static struct gpu_kernel one_row(const struct gpu_product *p)
{
    enum { ROWS = 4, STEP_BYTES = 4096, RESIDENT = 8 };
    const struct gpu_chip *chip = p->chip;
    double bytes = (double)ROWS * (double)p->k * p->bytes;
    struct gpu_kernel kernel = {.blocks = (int32_t)gpu_ceil_div(p->n, ROWS),
                                .blocks_per_sm = RESIDENT,
                                .split_k = 1,
                                .loop = {.groups = 1,
                                         .pipes = 1,
                                         .stages = 2,
                                         .issue_cycles = chip->loop_issue_cycles,
                                         .step_bytes = STEP_BYTES,
                                         .latency_cycles = chip->load_latency_cycles},
                                .steps = fmax(1, bytes / STEP_BYTES),
                                .tail_cycles = chip->block_tail_cycles,
                                .overlaps = true,
                                .block_l2_bytes = bytes,
                                .block_hbm_bytes = bytes,
                                .hbm_efficiency = chip->hbm_efficiency,
                                .floor_ps = chip->kernel_floor_ps};
    return kernel;
}

/* CUTLASS kernels of the serving engines: a tile by the number of rows. */
static const struct gpu_tile *fp8_tile(int64_t m)
{
    static const struct gpu_tile few = {64, 64, 1, 2, 0, 0}, some = {64, 128, 1, 1, 0, 0},
                                 many = {128, 128, 2, 1, 0, 0};
    return m <= 64 ? &few : m <= 128 ? &some : &many;
}

struct gpu_kernel gpu_kernel_gemm(const struct gpu_chip *chip, int64_t m, int64_t n, int64_t k,
                                  enum gpu_number number)
{
    struct gpu_product p = {chip, n, k, number == GPU_NUMBER_BF16 ? 2 : 1, m, 1, 1, 1, 0};
    struct gpu_kernel best = {0};
    int64_t best_ps = INT64_MAX;
    struct gpu_tiles tiles = gpu_tiles_of(chip);
    if (number == GPU_NUMBER_FP8) {
        const struct gpu_tile *tile = fp8_tile(m);
        gpu_tile_try(&p, tile, gpu_ceil_div(m, tile->m), false, &best, &best_ps);
        return best;
    }
    if (m == 1 && number == GPU_NUMBER_BF16) {
        best = one_row(&p);
        best_ps = gpu_kernel_ps(chip, &best, chip->sms);
    }
    for (size_t t = 0; t < tiles.count; t++)
        gpu_tile_try(&p, &tiles.tile[t], gpu_ceil_div(m, tiles.tile[t].m),
                     number == GPU_NUMBER_BF16, &best, &best_ps);
    return best;
}
