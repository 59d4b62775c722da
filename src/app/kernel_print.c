/* SPDX-License-Identifier: BSD-3-Clause */
/* One launch in words: tile, grid, waves, main loop, caches, bound, time. */
#include <stdio.h>

#include "app/kernel.h"
#include "app/text.h"

static void row_print(const char *name, const char *value, const char *meaning)
{
    printf("  %-11s %-46s  %s\n", name, value, meaning);
}

static void tile_print(const struct gpu_kernel *k)
{
    char text[128];
    if (k->tile_m > 0) {
        snprintf(text, sizeof text, "%d x %d, %d a step", k->tile_m, k->tile_n, k->tile_k);
        row_print("tile", text, "of one block; what a step takes in");
    }
    snprintf(text, sizeof text, "%s blocks, %d together on an SM", app_text_count(k->blocks).text,
             k->blocks_per_sm);
    row_print("grid", text, "as registers and shared memory allow");
    snprintf(text, sizeof text, "%d", k->split_k);
    if (k->tile_m > 0)
        row_print("split", text,
                  k->split_k > 1 ? "blocks share a sum: the grid alone leaves SMs idle"
                                 : "the grid fills the SMs, or sums are short");
}

static void waves_print(const struct gpu_kernel *k, int32_t sms)
{
    char text[128];
    int32_t slots = gpu_kernel_slots(k, sms), full = k->blocks / slots, tail = k->blocks % slots;
    int32_t busy = tail > sms ? sms : tail;
    snprintf(text, sizeof text, "%d full of %d, tail of %d on %s of SMs", full, slots, tail,
             app_text_share(busy, sms).text);
    row_print("waves", text, "rounds of blocks over free SMs; a tail takes a round");
}

static void loop_print(const struct gpu_kernel *k, const struct gpu_wave *wave)
{
    char text[128];
    const struct gpu_sm_loop *loop = &k->loop;
    snprintf(text, sizeof text, "%.1f steps, %d blocks of %d groups, %d staged", k->steps,
             wave->resident, loop->groups, loop->stages);
    row_print("main loop", text, "of the fullest SM; steps loaded ahead");
    snprintf(text, sizeof text, "%s cycles", app_text_count(wave->time.fill_cycles).text);
    row_print("  fill", text, "until the first operands are in shared memory");
    snprintf(
        text, sizeof text, "%.0f cycles: tensor %d, special %d, issue %d", wave->time.step_cycles,
        (loop->tensor_cycles + loop->second_cycles) * loop->groups * wave->resident / loop->pipes,
        loop->special_cycles * loop->groups * wave->resident, loop->issue_cycles);
    row_print("  step", text, "once steady; what its units need");
    snprintf(text, sizeof text, "%s cycles, and %s around the loop",
             app_text_count(wave->time.end_cycles).text, app_text_count(k->tail_cycles).text);
    row_print("  block", text, "first load to last instruction; results leave");
    snprintf(text, sizeof text, "%s", app_text_count(wave->time.picks).text);
    row_print("  picks", text, "groups that schedulers pick in that time");
}

static void memory_print(const struct gpu_chip *chip, const struct gpu_kernel *k)
{
    char text[128];
    double l2 = k->blocks * k->block_l2_bytes,
           hbm = k->blocks * (k->block_hbm_bytes + k->tail_bytes);
    double hit = l2 > 0 && k->block_hbm_bytes < k->block_l2_bytes
                     ? 1 - k->block_hbm_bytes / k->block_l2_bytes
                     : 0;
    snprintf(text, sizeof text, "hit rate %.1f %% of %sB", 100 * hit, app_text_short(l2).text);
    row_print("L2", text, "what blocks load; what several read comes in once");
    snprintf(
        text, sizeof text, "%sB at %.2f TB/s: %s", app_text_short(hbm).text,
        chip->hbm_bytes_per_s * k->hbm_efficiency / 1e12,
        app_text_time((int64_t)(hbm / (chip->hbm_bytes_per_s * k->hbm_efficiency) * 1e12)).text);
    if (hbm > 0)
        row_print("HBM", text, "what misses L2, at the rate that is achievable");
}

static const char *bound_meaning(enum gpu_bound bound)
{
    static const char *const meaning[GPU_BOUND_COUNT] = {
        [GPU_BOUND_TENSOR] = "tensor cores, the main loop's own pace included",
        [GPU_BOUND_HBM] = "what misses L2 takes longer than any main loop",
        [GPU_BOUND_L2] = "an SM waits for its operands from L2",
        [GPU_BOUND_LATENCY] = "floor, fill and results take longer than the work",
        [GPU_BOUND_LAUNCH] = "the host",
    };
    return meaning[bound];
}

static void time_print(const struct gpu_chip *chip, const struct gpu_kernel *k, int32_t sms,
                       double flops)
{
    char text[128];
    int64_t ps = gpu_kernel_ps(chip, k, sms);
    snprintf(text, sizeof text, "%s", app_text_time(ps).text);
    row_print("time", text, "floor and all waves, alone on the GPU");
    snprintf(text, sizeof text, "%.1f Tflop/s", flops / (double)ps);
    if (flops > 0)
        row_print("rate", text, "of useful work");
}

void app_kernel_print(const struct gpu_chip *chip, int32_t sms,
                      const struct app_kernel_launch *launch)
{
    const struct gpu_kernel *k = &launch->kernel;
    int32_t slots = gpu_kernel_slots(k, sms);
    struct gpu_wave wave =
        gpu_kernel_wave(chip, k, k->blocks < slots ? k->blocks : slots, sms, true);
    char text[128];
    printf("\n%s\n", launch->name);
    tile_print(k);
    waves_print(k, sms);
    loop_print(k, &wave);
    memory_print(chip, k);
    row_print("bound", gpu_bound_name(wave.bound), bound_meaning(wave.bound));
    snprintf(text, sizeof text, "%s", app_text_time(k->floor_ps).text);
    row_print("floor", text, "before the first block, behind the last; helpers");
    time_print(chip, k, sms, launch->flops);
}
