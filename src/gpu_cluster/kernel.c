/* SPDX-License-Identifier: BSD-3-Clause */
/* The time of a wave of blocks, and of kernels that only stream; see docs/gpu_model.md. */
#include "gpu_cluster/kernel.h"

#include <math.h>
#include <stddef.h>

static const double ps_per_s = 1e12;

static double min2(double a, double b)
{
    return a < b ? a : b;
}

int32_t gpu_kernel_slots(const struct gpu_kernel *kernel, int32_t sms)
{
    return sms * kernel->blocks_per_sm;
}

/* What one of `active` SMs takes in: by its own port, and its share of L2. */
static double rate_of(const struct gpu_chip *chip, int32_t active)
{
    return min2(chip->sm_bytes_per_s, chip->l2_bytes_per_s / active);
}

/* Cycles to a load's first byte: of the hits' and the misses' by their shares. */
static int32_t latency_of(const struct gpu_chip *chip, const struct gpu_kernel *kernel)
{
    double missed =
        kernel->block_l2_bytes > 0 ? kernel->block_hbm_bytes / kernel->block_l2_bytes : 0;
    double more = chip->load_latency_cycles - chip->l2_latency_cycles;
    return (int32_t)lround(chip->l2_latency_cycles + more * min2(missed, 1));
}

/* The loop as it runs on the fullest SM, whose blocks wait for nobody's HBM. */
static struct gpu_sm_time loop_time(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                                    const struct gpu_wave *wave)
{
    struct gpu_sm_loop loop = kernel->loop;
    loop.blocks = wave->resident;
    loop.latency_cycles = kernel->loop.latency_cycles > 0 ? latency_of(chip, kernel) : 0;
    loop.bytes_per_kcycle = (int32_t)(wave->sm_bytes_per_s * 1024.0 / (double)chip->clock_hz + 0.5);
    if (kernel->step_load_cycles > 0) {
        int32_t most = loop.step_bytes * 1024 / kernel->step_load_cycles;
        loop.bytes_per_kcycle = most < loop.bytes_per_kcycle ? most : loop.bytes_per_kcycle;
    }
    return gpu_sm_loop_run(&loop, kernel->steps);
}

/* Seconds of a wave's parts. HBM is shared by all SMs, whatever each is at: what one leaves, others
 * take. */
struct parts {
    double tensor, l2, hbm; /* of the fullest SM; all its bytes; all bytes of the wave */
    double loop, ends;      /* main loop; fill, and what is around the loop */
};

static struct parts parts_of(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                             const struct gpu_wave *wave, int32_t blocks)
{
    const struct gpu_sm_loop *loop = &kernel->loop;
    double clock = (double)chip->clock_hz, resident = wave->resident;
    double pipe = (double)(loop->tensor_cycles + loop->second_cycles) * loop->groups / loop->pipes;
    double hbm = kernel->block_hbm_bytes + kernel->tail_bytes;
    int64_t fill = wave->time.fill_cycles;
    return (struct parts){
        .tensor = kernel->steps * resident * pipe / clock,
        .l2 = resident * kernel->block_l2_bytes / wave->sm_bytes_per_s,
        .hbm = hbm > 0 ? blocks * hbm / (chip->hbm_bytes_per_s * kernel->hbm_efficiency) : 0,
        .loop = (double)(wave->time.end_cycles - fill) / clock,
        .ends = (double)(fill + kernel->tail_cycles) / clock,
    };
}

/* The largest part, floor and ends of the first wave being one. */
static enum gpu_bound bound_of(const struct gpu_kernel *kernel, const struct parts *p)
{
    double work = p->hbm > p->loop ? p->hbm : p->loop;
    if (p->ends + (double)kernel->floor_ps / ps_per_s > work)
        return GPU_BOUND_LATENCY;
    if (p->hbm >= p->loop)
        return GPU_BOUND_HBM;
    return p->l2 > p->tensor ? GPU_BOUND_L2 : GPU_BOUND_TENSOR;
}

/* A first wave fills and drains around whatever bounds it; later ones do so beside others. */
static double seconds_of(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                         const struct gpu_wave *wave, const struct parts *p, bool first)
{
    double hidden = kernel->overlaps ? (double)wave->time.fill_cycles / (double)chip->clock_hz : 0;
    double alone = p->loop + p->ends - (first ? 0 : hidden);
    double crowd = p->hbm + (first ? p->ends : 0);
    return alone > crowd ? alone : crowd;
}

struct gpu_wave gpu_kernel_wave(const struct gpu_chip *chip, const struct gpu_kernel *kernel,
                                int32_t blocks, int32_t sms, bool first)
{
    int32_t slots = gpu_kernel_slots(kernel, sms);
    struct gpu_wave wave = {.active = blocks < sms ? blocks : sms,
                            .resident = (blocks + sms - 1) / sms};
    wave.sm_bytes_per_s = rate_of(chip, wave.active);
    wave.time = loop_time(chip, kernel, &wave);
    struct parts parts = parts_of(chip, kernel, &wave, blocks);
    double share = blocks < slots && !first && kernel->evens_out ? (double)blocks / slots : 1;
    double seconds = share * seconds_of(chip, kernel, &wave, &parts, first);
    wave.ps = llround(seconds * ps_per_s) + (first ? kernel->wave_latency_ps : 0);
    wave.bound = bound_of(kernel, &parts);
    return wave;
}

int64_t gpu_kernel_ps(const struct gpu_chip *chip, const struct gpu_kernel *kernel, int32_t sms)
{
    int32_t slots = gpu_kernel_slots(kernel, sms);
    int32_t full = kernel->blocks / slots, tail = kernel->blocks % slots;
    int64_t total = kernel->floor_ps;
    if (full > 0)
        total += gpu_kernel_wave(chip, kernel, slots, sms, true).ps;
    if (full > 1)
        total += (full - 1) * gpu_kernel_wave(chip, kernel, slots, sms, false).ps;
    if (tail > 0)
        total += gpu_kernel_wave(chip, kernel, tail, sms, full == 0).ps;
    return total;
}

/* A block of a streaming kernel: eight warps, each of which asks for 16 bytes a thread at a time.
 */
enum { STREAM_BLOCK_BYTES = 16384, STREAM_STEP_BYTES = 4096 };

struct gpu_kernel gpu_kernel_stream(const struct gpu_chip *chip, double bytes)
{
    double blocks = ceil(bytes / STREAM_BLOCK_BYTES);
    blocks = blocks < 1 ? 1 : blocks;
    return (struct gpu_kernel){
        .blocks = (int32_t)blocks,
        .blocks_per_sm = 8,
        .split_k = 1,
        .loop = {.groups = 1,
                 .pipes = 1,
                 .stages = STREAM_BLOCK_BYTES / STREAM_STEP_BYTES,
                 .issue_cycles = chip->loop_issue_cycles,
                 .step_bytes = STREAM_STEP_BYTES,
                 .latency_cycles = chip->load_latency_cycles},
        .steps = ceil(bytes / blocks / STREAM_STEP_BYTES),
        .overlaps = true,
        .block_l2_bytes = bytes / blocks,
        .block_hbm_bytes = bytes / blocks,
        .hbm_efficiency = chip->hbm_stream_efficiency,
        .floor_ps = chip->kernel_floor_ps,
    };
}
