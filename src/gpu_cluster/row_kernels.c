/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels with a block a row: few threads that wait for what they have asked for, step by step. */
#include <math.h>

#include "gpu_cluster/kernel.h"

/* Every thread asks for its next places when it is done with the last: nothing is loaded ahead.
 * What a later pass reads has stayed near. */
struct gpu_kernel gpu_kernel_rows(const struct gpu_chip *chip, const struct gpu_row_work *shape)
{
    double stride = (double)shape->threads * shape->vector, width = (double)shape->width;
    double bytes = shape->in + shape->out, steps = ceil(width / stride) * shape->passes;
    return (struct gpu_kernel){
        .blocks = (int32_t)shape->rows,
        .blocks_per_sm = shape->together,
        .split_k = 1,
        .loop = {.groups = 1,
                 .pipes = 1,
                 .stages = 1,
                 .issue_cycles = chip->loop_issue_cycles,
                 .step_bytes = (int32_t)fmax(1, fmin(stride, width) * bytes / shape->passes),
                 .latency_cycles = chip->load_latency_cycles},
        .steps = steps,
        .block_l2_bytes = width * bytes,
        .block_hbm_bytes = width * bytes,
        .hbm_efficiency = chip->hbm_stream_efficiency,
        .floor_ps = chip->kernel_floor_ps,
    };
}

enum { VECTOR = 8, MOST_THREADS = 1024, FEWEST_THREADS = 32, SM_THREADS = 2048 };

/* Blocks as wide as the row needs; as many on an SM as its threads allow. */
static struct gpu_kernel vectors(const struct gpu_chip *chip, struct gpu_row_work shape)
{
    int64_t threads = (shape.width + VECTOR - 1) / VECTOR;
    threads = threads > MOST_THREADS ? MOST_THREADS : threads;
    shape.threads = (int32_t)(threads < FEWEST_THREADS ? FEWEST_THREADS : threads);
    int32_t most =
        chip->max_blocks_per_sm < GPU_SM_GROUPS ? chip->max_blocks_per_sm : GPU_SM_GROUPS;
    shape.together = SM_THREADS / shape.threads < most ? SM_THREADS / shape.threads : most;
    shape.vector = VECTOR;
    return gpu_kernel_rows(chip, &shape);
}

struct gpu_kernel gpu_kernel_norm(const struct gpu_chip *chip, int64_t rows, int64_t hidden)
{
    return vectors(
        chip, (struct gpu_row_work){.rows = rows, .width = hidden, .passes = 2, .in = 4, .out = 4});
}

struct gpu_kernel gpu_kernel_rope(const struct gpu_chip *chip, int64_t rows, int64_t width)
{
    return vectors(
        chip, (struct gpu_row_work){.rows = rows, .width = width, .passes = 1, .in = 2, .out = 2});
}

struct gpu_kernel gpu_kernel_activate(const struct gpu_chip *chip, int64_t rows, int64_t width)
{
    return vectors(
        chip, (struct gpu_row_work){.rows = rows, .width = width, .passes = 1, .in = 4, .out = 2});
}

/* Cycles that the schedulers of an SM issue for a warp of the writing kernel: whole divisions find
 * the place of a token in its page; more where numbers are narrowed one by one. */
enum { WRITE_THREADS = 512, WARP_THREADS = 32, WRITE_CYCLES = 82, NARROW_CYCLES = 35 };

/* A block a token, whose threads load its place, then its keys and values. */
struct gpu_kernel gpu_kernel_kv_write(const struct gpu_chip *chip, int64_t rows, int64_t width,
                                      int32_t kv_bytes)
{
    int64_t threads = width < WRITE_THREADS ? width : WRITE_THREADS;
    int64_t warps = (threads + WARP_THREADS - 1) / WARP_THREADS;
    int64_t together = SM_THREADS / (warps * WARP_THREADS);
    int32_t most =
        chip->max_blocks_per_sm < GPU_SM_GROUPS ? chip->max_blocks_per_sm : GPU_SM_GROUPS;
    int32_t cycles = WRITE_CYCLES + (kv_bytes == 1 ? NARROW_CYCLES : 0);
    double bytes = (double)width * (4.0 + 2.0 * kv_bytes);
    return (struct gpu_kernel){
        .blocks = (int32_t)rows,
        .blocks_per_sm = (int32_t)(together < most ? together : most),
        .split_k = 1,
        .loop = {.groups = 1,
                 .pipes = 1,
                 .stages = 1,
                 .issue_cycles = chip->load_latency_cycles,
                 .tensor_cycles = (int32_t)warps * cycles,
                 .step_bytes = (int32_t)bytes,
                 .latency_cycles = chip->load_latency_cycles},
        .steps = 1,
        .overlaps = true,
        .block_l2_bytes = bytes,
        .block_hbm_bytes = bytes,
        .hbm_efficiency = chip->hbm_efficiency,
        .floor_ps = chip->kernel_floor_ps,
    };
}
