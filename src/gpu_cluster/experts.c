/* SPDX-License-Identifier: BSD-3-Clause */
/* Products of a mixture of experts, all in one launch, as the kernel of serving engines makes them:
 * rows are gathered by expert, and an expert's rows begin a tile of their own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_cluster/tile.h"

/* Bytes of a row of W that HBM delivers best in one piece; a step that takes less comes back for
 * the rest. */
enum { WHOLE_LINE = 128 };

/* Rows of W that do not begin at multiples of so many numbers are loaded one number at a time,
 * which takes so many cycles each. */
enum { ALIGNED = 16 };
static const double NARROW = 0.3;

/* Tiles of 2025 for shapes that nobody has tuned: low ones while there are at most as many tokens
 * as experts. */
static struct gpu_tile early_tile(const struct gpu_experts *shape)
{
    static const struct gpu_tile few = {16, 32, 1, 8, 128, 3}, many = {64, 64, 1, 4, 64, 3};
    return shape->rows <= shape->experts ? few : many;
}

/* Tiles since: rows by the tokens of the step. Of numbers with a scale for a block of 128, a tile
 * and a step are as wide as such a block. */
static struct gpu_tile late_tile(const struct gpu_experts *shape, enum gpu_number number)
{
    int64_t tokens = shape->rows;
    if (number == GPU_NUMBER_FP8_BLOCK)
        return (struct gpu_tile){tokens <= 64 ? 16 : 64, 128, 1, tokens <= 64 ? 4 : 3, 128, 3};
    int32_t m = tokens <= 32 ? 16 : tokens <= 96 ? 32 : tokens <= 512 ? 64 : 128;
    int32_t bytes = number == GPU_NUMBER_BF16 ? 2 : 1, k = bytes == 1 || tokens <= 64 ? 128 : 64;
    return (struct gpu_tile){.m = m,
                             .n = tokens <= 64 ? 64 : 128,
                             .groups = tokens <= 128 ? 1 : 2,
                             .blocks_per_sm = m <= 32   ? 4
                                              : m <= 64 ? 3
                                                        : 2,
                             .step_bytes = k * bytes,
                             .stages = tokens <= 32 ? 4 : 3};
}

/* Whether "EXPERTSxWIDTH" is in the description's list of shapes that the library has tuned tiles
 * for. */
static bool is_tuned(const struct gpu_chip *chip, const struct gpu_experts *shape)
{
    const char *at = chip->tuned_experts;
    while (*at) {
        char *end;
        long experts = strtol(at, &end, 10);
        long width = *end == 'x' ? strtol(end + 1, &end, 10) : 0;
        if (experts == shape->experts && width == shape->width)
            return true;
        at = end == at ? at + 1 : end;
    }
    return false;
}

static int64_t strips_of(const int32_t *rows, int64_t experts, const struct gpu_tile *tile)
{
    int64_t strips = 0;
    for (int64_t e = 0; e < experts; e++)
        strips += gpu_ceil_div(rows[e], tile->m);
    return strips;
}

/* Warps that issue by themselves up to Ampere, four as one from Hopper on. */
static struct gpu_tile in_groups(const struct gpu_chip *chip, struct gpu_tile tile)
{
    tile.groups *= chip->sm_version >= 90 ? 1 : 4;
    return tile;
}

/* Blocks beyond those that have work: the launch is made before anybody knows how rows share out,
 * for a part of a tile lost by every expert, those of other GPUs too. */
static int64_t idle_strips(const struct gpu_experts *shape, int64_t busy, int64_t tile_m)
{
    int64_t choices = shape->rows * shape->chosen;
    int64_t experts = shape->everywhere > 0 ? shape->everywhere : shape->experts;
    int64_t padded = choices + experts * (tile_m - 1);
    if (choices < experts && choices * tile_m < padded)
        padded = choices * tile_m;
    int64_t launched = gpu_ceil_div(padded, tile_m);
    return launched > busy ? launched - busy : 0;
}

/* Such a block reads what it is for, and ends. */
static int64_t idle_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel, int64_t blocks)
{
    enum { TRIPS = 3 };
    double rounds = (double)blocks / gpu_kernel_slots(kernel, chip->sms);
    return llround(rounds * TRIPS * chip->load_latency_cycles * 1e12 / (double)chip->clock_hz);
}

struct gpu_kernel gpu_kernel_grouped(const struct gpu_chip *chip, const struct gpu_experts *shape,
                                     const int32_t *rows, enum gpu_number number)
{
    struct gpu_product p = {.chip = chip,
                            .n = shape->n,
                            .k = shape->k,
                            .bytes = number == GPU_NUMBER_BF16 ? 2 : 1,
                            .flow = chip->gather_flow,
                            .tensor = chip->tensor_sustained,
                            .number_cycles = shape->k % ALIGNED ? NARROW : 0};
    struct gpu_kernel best = {0};
    int64_t best_ps = INT64_MAX;
    for (int64_t e = 0; e < shape->experts; e++) {
        p.m += rows[e];
        p.weights += rows[e] > 0;
    }
    struct gpu_tile usual =
        in_groups(chip, shape->early ? early_tile(shape) : late_tile(shape, number));
    bool tuned = is_tuned(chip, shape);
    struct gpu_tiles tiles = tuned ? gpu_tiles_of(chip) : (struct gpu_tiles){&usual, 1};
    for (size_t t = 0; t < tiles.count; t++)
        gpu_tile_try(&p, &tiles.tile[t], strips_of(rows, shape->experts, &tiles.tile[t]), false,
                     &best, &best_ps);
    best.hbm_efficiency = chip->hbm_expert_efficiency;
    if (best.tile_k * p.bytes < WHOLE_LINE && !tuned)
        best.hbm_efficiency *= chip->hbm_part_efficiency;
    int64_t busy = strips_of(rows, shape->experts, &(struct gpu_tile){.m = best.tile_m});
    int64_t idle = idle_strips(shape, busy, best.tile_m) * gpu_ceil_div(shape->n, best.tile_n);
    best.wave_latency_ps += idle_ps(chip, &best, idle);
    return best;
}
