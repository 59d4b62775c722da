/* SPDX-License-Identifier: BSD-3-Clause */
/* Products of a mixture of experts, all in one launch, as the kernel of serving engines makes them:
 * rows are gathered by expert, and an expert's rows begin a tile of their own. */
#include <stdlib.h>
#include <string.h>

#include "gpu_cluster/tile.h"

/* Bytes of a row of W that HBM delivers best in one piece; a step that takes less comes back for
 * the rest. */
enum { WHOLE_LINE = 128 };

/* Tiles for shapes that nobody has tuned: low ones while there are at most as many tokens as
 * experts. */
static const struct gpu_tile few_tokens = {16, 32, 1, 8, 128, 3};
static const struct gpu_tile many_tokens = {64, 64, 1, 4, 64, 3};

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
    tile.groups = chip->sm_version >= 90 ? 1 : 4;
    return tile;
}

struct gpu_kernel gpu_kernel_grouped(const struct gpu_chip *chip, const struct gpu_experts *shape,
                                     const int32_t *rows, enum gpu_number number)
{
    struct gpu_product p = {chip, shape->n, shape->k,         number == GPU_NUMBER_BF16 ? 2 : 1,
                            0,    0,        chip->gather_flow};
    struct gpu_kernel best = {0};
    int64_t best_ps = INT64_MAX;
    for (int64_t e = 0; e < shape->experts; e++) {
        p.m += rows[e];
        p.weights += rows[e] > 0;
    }
    struct gpu_tile usual =
        in_groups(chip, shape->rows <= shape->experts ? few_tokens : many_tokens);
    struct gpu_tiles tiles =
        is_tuned(chip, shape) ? gpu_tiles_of(chip) : (struct gpu_tiles){&usual, 1};
    for (size_t t = 0; t < tiles.count; t++)
        gpu_tile_try(&p, &tiles.tile[t], strips_of(rows, shape->experts, &tiles.tile[t]), false,
                     &best, &best_ps);
    if (best.tile_k * p.bytes < WHOLE_LINE)
        best.hbm_efficiency *= chip->hbm_part_efficiency;
    return best;
}
