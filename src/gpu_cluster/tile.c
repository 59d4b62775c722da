/* SPDX-License-Identifier: BSD-3-Clause */
/* From a tile to a kernel: its main loop, its traffic, and what of it hits L2. */
#include "gpu_cluster/tile.h"

#include <math.h>

static const struct gpu_tile ampere_tiles[] = {
    {16, 64, 4, 4, 0, 0},  {32, 64, 4, 4, 0, 0},   {64, 64, 4, 3, 0, 0},   {64, 128, 4, 2, 0, 0},
    {128, 64, 4, 2, 0, 0}, {128, 128, 4, 2, 0, 0}, {128, 256, 8, 1, 0, 0}, {256, 128, 8, 1, 0, 0},
    {64, 256, 4, 1, 0, 0}, {256, 64, 4, 1, 0, 0}};

static const struct gpu_tile hopper_tiles[] = {
    {8, 64, 1, 3, 0, 0},    {16, 64, 1, 3, 0, 0},   {32, 64, 1, 3, 0, 0},   {64, 64, 1, 3, 0, 0},
    {8, 128, 2, 2, 0, 0},   {16, 128, 2, 2, 0, 0},  {32, 128, 2, 2, 0, 0},  {64, 128, 1, 2, 0, 0},
    {128, 64, 2, 2, 0, 0},  {128, 128, 2, 1, 0, 0}, {64, 256, 1, 1, 0, 0},  {256, 64, 2, 1, 0, 0},
    {128, 192, 2, 1, 0, 0}, {192, 128, 2, 1, 0, 0}, {128, 256, 2, 1, 0, 0}, {256, 128, 2, 1, 0, 0}};

static const int32_t splits[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};

/* k of one step of the main loop: 128 bytes from Hopper on (a swizzled row), 64 before. */
static int32_t step_k_of(const struct gpu_product *p, const struct gpu_tile *tile)
{
    int32_t usual = p->chip->sm_version >= 90 ? 128 : 64;
    return (tile->step_bytes > 0 ? tile->step_bytes : usual) / p->bytes;
}

static double min2(double a, double b)
{
    return a < b ? a : b;
}

static double max2(double a, double b)
{
    return a > b ? a : b;
}

/* Bytes that shared memory hands out in a cycle. */
static const double shared_bytes_per_cycle = 128.0;

/* Cycles of a tensor pipe for a group's part of a step: multiplying, or reading its operands from
 * shared memory where that takes longer. */
static int32_t tensor_cycles(const struct gpu_product *p, const struct gpu_tile *tile,
                             int32_t step_k)
{
    const struct gpu_chip *chip = p->chip;
    double rate = p->bytes == 1 ? chip->fp8_flops * min2(chip->fp8_efficiency, p->tensor)
                                : chip->fp16_flops * min2(chip->tensor_efficiency, p->tensor);
    double per_cycle = rate / chip->sms / (double)chip->clock_hz;
    int32_t pipes = chip->sm_version >= 90 ? 1 : 4;
    double flops = 2.0 * tile->m * tile->n * step_k / tile->groups;
    double read = (double)(tile->m + tile->n) * step_k * p->bytes / tile->groups;
    double cycles = max2(flops * pipes / per_cycle, read * pipes / shared_bytes_per_cycle);
    return (int32_t)ceil(cycles);
}

/* Staging has room for whole tiles; only `rows` and `wide` of them are there to be loaded. */
static struct gpu_sm_loop loop_of(const struct gpu_product *p, const struct gpu_tile *tile,
                                  double rows, double wide)
{
    const struct gpu_chip *chip = p->chip;
    int32_t step_k = step_k_of(p, tile);
    int32_t staged = (tile->m + tile->n) * step_k * p->bytes;
    int32_t stages = chip->shared_memory_bytes_per_sm / tile->blocks_per_sm / staged;
    int32_t most = tile->stages > 0 ? tile->stages : chip->load_stages;
    stages = stages > most ? most : stages < 2 ? 2 : stages;
    return (struct gpu_sm_loop){.groups = tile->groups,
                                .pipes = chip->sm_version >= 90 ? 1 : 4,
                                .stages = stages,
                                .issue_cycles = chip->loop_issue_cycles,
                                .tensor_cycles = tensor_cycles(p, tile, step_k),
                                .step_bytes = (int32_t)ceil((rows + wide) * step_k * p->bytes),
                                .latency_cycles = chip->load_latency_cycles};
}

/* Bytes of x and W that cross HBM. A wave's tiles form a rectangle as near to a square as the grid
 * allows; all of a wave walk through k together, so each strip of the rectangle comes in once a
 * wave. What stays in L2 from wave to wave comes in once altogether. Of several
 * matrices each is read by strips of its own. */
static double operand_bytes(const struct gpu_product *p, const struct gpu_tile *tile, int64_t rows,
                            int64_t columns, int32_t slots)
{
    double x = (double)p->m * (double)p->k * p->bytes;
    double w = (double)p->weights * (double)p->n * (double)p->k * p->bytes;
    double l2 = (double)p->chip->l2_bytes * p->chip->l2_keep;
    double height = min2((double)rows, max2(1, floor(sqrt((double)slots * tile->n / tile->m))));
    double width = min2((double)columns, max2(1, floor(slots / height)));
    height = min2((double)rows, max2(1, floor(slots / width)));
    double bands_x = ceil((double)columns / width);
    double bands_w = ceil((double)rows / (double)p->weights / height);
    double again_x = x <= l2 ? 1 : bands_x, again_w = w <= l2 ? 1 : bands_w;
    double strip_w = width * tile->n * (double)p->k * p->bytes;
    double strip_x = height * tile->m * (double)p->k * p->bytes;
    double down = x * again_x + w * (strip_w <= l2 ? 1 : again_w);
    double across = x * (strip_x <= l2 ? 1 : again_x) + w * again_w;
    return min2(down, across);
}

/* What loading a step takes at least, beside its bytes; 0: no more than these. */
static int32_t step_load_cycles(const struct gpu_product *p, int32_t bytes)
{
    const struct gpu_chip *chip = p->chip;
    double flow = bytes * (double)chip->clock_hz / (chip->sm_bytes_per_s * p->flow);
    double numbers = (double)bytes / p->bytes * p->number_cycles;
    return p->flow < 1 || numbers > 0 ? (int32_t)ceil(max2(flow, numbers)) : 0;
}

static struct gpu_kernel tiled(const struct gpu_product *p, const struct gpu_tile *tile,
                               int64_t strips, int32_t split)
{
    const struct gpu_chip *chip = p->chip;
    int32_t step_k = step_k_of(p, tile);
    int64_t columns = gpu_ceil_div(p->n, tile->n), blocks = strips * columns * split;
    double rows = (double)p->m / (double)strips, wide = (double)p->n / (double)columns;
    double steps = (double)gpu_ceil_div(gpu_ceil_div(p->k, split), step_k);
    double results = rows * wide * (split > 1 ? 2.0 * 4.0 + 2.0 / split : 2.0);
    struct gpu_kernel kernel = {
        .blocks = (int32_t)(blocks < INT32_MAX ? blocks : INT32_MAX),
        .blocks_per_sm = tile->blocks_per_sm,
        .split_k = split,
        .tile_m = tile->m,
        .tile_n = tile->n,
        .tile_k = step_k,
        .loop = loop_of(p, tile, rows, wide),
        .steps = steps,
        .tail_cycles = chip->block_tail_cycles +
                       llround(results * (double)chip->clock_hz / chip->sm_bytes_per_s),
        .overlaps = tile->blocks_per_sm > 1 || chip->sm_version >= 90,
        .block_l2_bytes = (rows + wide) * (double)p->k / split * p->bytes + rows * wide * 2.0,
        .hbm_efficiency = chip->hbm_efficiency,
        .floor_ps = chip->kernel_floor_ps,
        .wave_latency_ps = split > 1 ? chip->split_latency_ps : 0,
    };
    int32_t slots = gpu_kernel_slots(&kernel, chip->sms);
    double out = 2.0 * (double)p->m * (double)p->n;
    kernel.block_hbm_bytes =
        (operand_bytes(p, tile, strips, columns, slots / split > 0 ? slots / split : 1) + out) /
        (double)blocks;
    kernel.step_load_cycles = step_load_cycles(p, kernel.loop.step_bytes);
    return kernel;
}

/* Libraries split the sum over k where the grid alone leaves SMs idle and every part keeps a main
 * loop. */
static bool may_split(const struct gpu_chip *chip, const struct gpu_kernel *whole, int32_t split)
{
    bool idle = (int64_t)whole->blocks * (split - 1) < gpu_kernel_slots(whole, chip->sms);
    return split == 1 || (idle && whole->steps / split >= 4);
}

void gpu_tile_try(const struct gpu_product *p, const struct gpu_tile *tile, int64_t strips,
                  bool splits_k, struct gpu_kernel *best, int64_t *best_ps)
{
    struct gpu_kernel whole = tiled(p, tile, strips, 1);
    for (size_t s = 0; s < (splits_k ? sizeof splits / sizeof *splits : 1); s++) {
        if (!may_split(p->chip, &whole, splits[s]))
            break;
        struct gpu_kernel kernel = s ? tiled(p, tile, strips, splits[s]) : whole;
        int64_t ps = gpu_kernel_ps(p->chip, &kernel, p->chip->sms);
        if (ps < *best_ps) {
            *best = kernel;
            *best_ps = ps;
        }
    }
}

struct gpu_tiles gpu_tiles_of(const struct gpu_chip *chip)
{
    if (chip->sm_version >= 90)
        return (struct gpu_tiles){hopper_tiles, sizeof hopper_tiles / sizeof *hopper_tiles};
    return (struct gpu_tiles){ampere_tiles, sizeof ampere_tiles / sizeof *ampere_tiles};
}
