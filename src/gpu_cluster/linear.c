/* SPDX-License-Identifier: BSD-3-Clause */
/* A linear layer as serving engines launch it: activations become 8 bits wide before a product of
 * 8 bits. */
#include <math.h>

#include "gpu_cluster/kernel.h"

/* Threads of a block take 16 bytes each at a time. */
enum { STEP_BYTES = 4096, RESIDENT = 8, AHEAD = 2 };

/* A block a row of `width` numbers, `in` and `out` bytes each; `far` of them cross HBM. */
static struct gpu_kernel row_kernel(const struct gpu_chip *chip, int64_t rows, int64_t width,
                                    double in, double out, double far)
{
    double bytes = (double)width * (in + out);
    return (struct gpu_kernel){
        .blocks = (int32_t)rows,
        .blocks_per_sm = RESIDENT,
        .split_k = 1,
        .loop = {.groups = 1,
                 .pipes = 1,
                 .stages = AHEAD,
                 .issue_cycles = chip->loop_issue_cycles,
                 .step_bytes = STEP_BYTES,
                 .latency_cycles = chip->load_latency_cycles},
        .steps = fmax(1, bytes / STEP_BYTES),
        .overlaps = true,
        .block_l2_bytes = bytes,
        .block_hbm_bytes = (double)width * far,
        .hbm_efficiency = chip->hbm_stream_efficiency,
        .floor_ps = chip->kernel_floor_ps,
    };
}

/* The largest number of a tensor: every row's block ends in an atomic maximum on one address, so
 * that rows cost at least that. */
static struct gpu_kernel largest(const struct gpu_chip *chip, int64_t rows, int64_t width)
{
    struct gpu_kernel kernel = row_kernel(chip, rows, width, 2, 0, 2);
    int64_t alone = gpu_kernel_ps(chip, &kernel, chip->sms) - kernel.floor_ps;
    int64_t atomics = rows * chip->row_atomic_ps;
    kernel.wave_latency_ps = atomics > alone ? atomics - alone : 0;
    return kernel;
}

/* x is read again, from L2 where it has stayed. */
static struct gpu_kernel convert(const struct gpu_chip *chip, int64_t rows, int64_t width,
                                 bool was_read)
{
    bool stays = was_read && 2.0 * (double)(rows * width) <= (double)chip->l2_bytes * chip->l2_keep;
    return row_kernel(chip, rows, width, 2, 1, stays ? 1 : 3);
}

struct gpu_linear gpu_kernel_linear(const struct gpu_chip *chip, int64_t m, int64_t n, int64_t k,
                                    enum gpu_number number)
{
    struct gpu_linear linear = {0};
    if (number == GPU_NUMBER_FP8)
        linear.kernel[linear.count++] = largest(chip, m, k);
    if (number != GPU_NUMBER_BF16)
        linear.kernel[linear.count++] = convert(chip, m, k, number == GPU_NUMBER_FP8);
    linear.kernel[linear.count++] = gpu_kernel_gemm(chip, m, n, k, number);
    return linear;
}
