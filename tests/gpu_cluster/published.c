/* SPDX-License-Identifier: BSD-3-Clause */
/* Described GPUs beside published figures, and in their order.
 *
 * Products of 8192 x 8192 with up to 32 rows, and best bf16 products: public tables of
 * aiconfigurator. Attention over long prompts, head dim 128: the papers of FlashAttention 2 (A100,
 * up to 230 Tflop/s), 3 (H100, up to 740) and 4 (B200, 1,613, which is 1.3 times cuDNN 9.13).
 * Capacities and peaks: data sheets. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/config.h"
#include "gpu_cluster/kernel.h"
#include "test.h"

enum { A100, H100, H200, B200, GPUS };

/* TB/s of products with few rows, Tflop/s of the best product and of attention, GB of memory. */
static const struct {
    const char *file;
    double decode[2], best, attention[2], gb, tb_per_s, tflop_per_s, fp8_tflop_per_s;
    int32_t sm_version;
} published[GPUS] = {
    {"configs/gpus/a100-sxm.cfg", {1.26, 1.38}, 271, {160, 230}, 85.9, 2.039, 312, 0, 80},
    {"configs/gpus/h100-sxm.cfg", {2.6, 2.9}, 794, {550, 740}, 85.9, 3.35, 989, 1979, 90},
    {"configs/gpus/h200-sxm.cfg", {3.83, 3.83}, 794, {550, 740}, 141, 4.8, 989, 1979, 90},
    {"configs/gpus/b200-sxm.cfg", {5.6, 5.8}, 1745, {1240, 1613}, 180, 8, 2250, 4500, 100},
};

static bool is_near(double number, double low, double high, double share)
{
    return number >= low * (1 - share) && number <= high * (1 + share);
}

static struct gpu_chip chip_of(int gpu)
{
    char *path = test_source_path(published[gpu].file);
    struct base_report report = {0};
    struct gpu_chip chip = {0};
    CU_ASSERT_TRUE_FATAL(config_gpu_chip_read(path, NULL, 0, &chip, &report));
    base_report_release(&report);
    free(path);
    return chip;
}

static double seconds(const struct gpu_chip *chip, const struct gpu_kernel *kernel)
{
    return (double)gpu_kernel_ps(chip, kernel, chip->sms) / 1e12;
}

static double product_s(const struct gpu_chip *chip, int64_t m, int64_t n, int64_t k)
{
    struct gpu_kernel kernel = gpu_kernel_gemm(chip, m, n, k, GPU_NUMBER_BF16);
    return seconds(chip, &kernel);
}

static void descriptions_are_those_of_data_sheets(void)
{
    for (int gpu = 0; gpu < GPUS; gpu++) {
        struct gpu_chip chip = chip_of(gpu);
        CU_ASSERT_EQUAL(chip.sm_version, published[gpu].sm_version);
        CU_ASSERT_DOUBLE_EQUAL((double)chip.hbm_bytes / 1e9, published[gpu].gb, 0.1);
        CU_ASSERT_DOUBLE_EQUAL(chip.hbm_bytes_per_s / 1e12, published[gpu].tb_per_s, 1e-9);
        CU_ASSERT_DOUBLE_EQUAL(chip.fp16_flops / 1e12, published[gpu].tflop_per_s, 1e-9);
        CU_ASSERT_DOUBLE_EQUAL(chip.fp8_flops / 1e12, published[gpu].fp8_tflop_per_s, 1e-9);
    }
}

static void products_reach_published_rates(void)
{
    for (int gpu = 0; gpu < GPUS; gpu++) {
        struct gpu_chip chip = chip_of(gpu);
        const double *decode = published[gpu].decode;
        for (int64_t m = 1; m <= 32; m *= 2) {
            double tb_per_s = 2.0 * 8192 * 8192 / product_s(&chip, m, 8192, 8192) / 1e12;
            CU_ASSERT_TRUE(is_near(tb_per_s, decode[0], decode[1], 0.07));
        }
        double best = 0, flops = 2.0 * 8192 * 8192;
        for (int64_t m = 4096; m <= 16384; m += 4096)
            best = fmax(best, flops * (double)m / product_s(&chip, m, 8192, 8192) / 1e12);
        CU_ASSERT_TRUE(is_near(best, published[gpu].best, published[gpu].best, 0.07));
    }
}

static void attention_reaches_published_rates(void)
{
    for (int gpu = 0; gpu < GPUS; gpu++) {
        struct gpu_chip chip = chip_of(gpu);
        struct gpu_attention prompt = {1, 16384, 16384, 0, 32, 32, 128, 2};
        struct gpu_kernel kernel = gpu_kernel_attention(&chip, &prompt);
        double flops = 2.0 * 32 * 128 * 16384 * 16384; /* causal: half of 4 each */
        const double *rate = published[gpu].attention;
        CU_ASSERT_TRUE(is_near(flops / seconds(&chip, &kernel) / 1e12, rate[0], rate[1], 0.02));
    }
}

static struct gpu_kernel experts(const struct gpu_chip *chip, int64_t tokens,
                                 enum gpu_number number)
{
    int32_t rows[256];
    for (int32_t e = 0; e < 256; e++)
        rows[e] = (int32_t)((tokens * 8 + e) / 256);
    struct gpu_experts shape = {
        .rows = tokens, .experts = 256, .chosen = 8, .n = 4096, .k = 7168, .width = 2048};
    return gpu_kernel_grouped(chip, &shape, rows, number);
}

enum { SUBJECTS = 11 };

/* Kernels of many kinds and sizes, with numbers of 16 bits or, where there are such, of 8. */
static void subjects_time(const struct gpu_chip *chip, bool narrow, double time[SUBJECTS])
{
    enum gpu_number number = narrow ? GPU_NUMBER_FP8 : GPU_NUMBER_BF16;
    int32_t kv = narrow ? 1 : 2;
    struct gpu_attention attention[] = {{32, 1, 8192, 0, 32, 8, 128, kv},
                                        {4, 4096, 4096, 0, 32, 8, 128, kv},
                                        {64, 1, 4096, 128, 64, 8, 64, kv},
                                        {1, 8192, 8192, 0, 8, 1, 256, kv}};
    struct gpu_kernel kernel[SUBJECTS] = {gpu_kernel_gemm(chip, 16, 8192, 8192, number),
                                          gpu_kernel_gemm(chip, 4096, 8192, 8192, number),
                                          gpu_kernel_gemm(chip, 64, 1280, 8192, number),
                                          experts(chip, 1, number),
                                          experts(chip, 64, number),
                                          experts(chip, 8192, number),
                                          gpu_kernel_kv_write(chip, 4096, 1024, kv)};
    for (int i = 0; i < 4; i++)
        kernel[7 + i] = gpu_kernel_attention(chip, &attention[i]);
    for (int i = 0; i < SUBJECTS; i++)
        time[i] = seconds(chip, &kernel[i]);
}

static void newer_gpus_are_not_slower(void)
{
    double time[GPUS][SUBJECTS], narrow[SUBJECTS];
    for (int gpu = 0; gpu < GPUS; gpu++) {
        struct gpu_chip chip = chip_of(gpu);
        subjects_time(&chip, false, time[gpu]);
        subjects_time(&chip, gpu > A100, narrow);
        for (int i = 0; i < SUBJECTS; i++) {
            CU_ASSERT_TRUE(narrow[i] > 0 && narrow[i] < 1.6 * time[gpu][i]);
            CU_ASSERT_TRUE(gpu <= H100 || time[gpu][i] <= time[gpu - 1][i]);
            CU_ASSERT_TRUE(gpu < B200 || time[gpu][i] < time[A100][i]);
        }
    }
}

TEST_MAIN("published", TEST(descriptions_are_those_of_data_sheets),
          TEST(products_reach_published_rates), TEST(attention_reaches_published_rates),
          TEST(newer_gpus_are_not_slower))
