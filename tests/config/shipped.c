/* SPDX-License-Identifier: BSD-3-Clause */
/* Every shipped configuration is accepted, and says what the published machines are. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sample.h"

static struct sample shipped(const char *name, const char *key, const char *file)
{
    char *path = test_source_path(name), *value = file ? test_source_path(file) : NULL;
    char *override = base_format("%s=%s", key ? key : "", value ? value : "");
    struct sample sample = sample_read(path, (const char *const[]){key ? override : NULL, NULL});
    if (!sample.accepted)
        fprintf(stderr, "%s: %s\n", name, sample.faults);
    base_free(override);
    free(value);
    free(path);
    return sample;
}

static void the_main_job_is_tinyllama_on_eight_chips(void)
{
    struct sample sample = shipped("configs/rack.cfg", NULL, NULL);
    const struct scenario *s = &sample.scenario;
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(s->mode, SCENARIO_BOTH);
    CU_ASSERT_FALSE(s->values);
    CU_ASSERT_EQUAL(s->lpu_numerics, SCENARIO_FP32);
    CU_ASSERT_TRUE(s->lpu_prefill);
    CU_ASSERT_EQUAL(s->lpu_rack.nodes * s->lpu_rack.chips_per_node, 8);
    CU_ASSERT_EQUAL(s->bucket.max_sequence, 2048);
    CU_ASSERT_EQUAL(s->bucket.prefill_chunk, 128);
    CU_ASSERT_EQUAL(s->workload.prompt_tokens, 128);
    CU_ASSERT_EQUAL(s->workload.decode_tokens, 64);
    CU_ASSERT_EQUAL(s->gpu_cluster.nodes * s->gpu_cluster.gpus_per_node, 8);
    CU_ASSERT_TRUE(s->gpu_cluster.neighbour);
    CU_ASSERT_PTR_NOT_NULL(strstr(s->model_path, "/configs/models/TinyLlama-1.1B"));
    CU_ASSERT_EQUAL(s->model_path[0], '/');
    sample_release(&sample);
}

static void the_large_job_uses_64_of_72_chips(void)
{
    struct sample sample = shipped("configs/rack_72.cfg", NULL, NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.nodes, 9);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.chips_used, 64);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.tensor_group, 8);
    sample_release(&sample);
}

static void many_requests_are_drawn_and_share_the_rack(void)
{
    struct sample sample = shipped("configs/serve.cfg", NULL, NULL);
    const struct serve_spec *serve = &sample.scenario.serve;
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_STRING_EQUAL(serve->source.trace, "");
    CU_ASSERT_TRUE(serve->source.rate > 0 && serve->source.requests > 0);
    CU_ASSERT_EQUAL(serve->source.arrivals, SERVE_POISSON);
    CU_ASSERT_EQUAL(serve->ttft_limit_ps, INT64_C(100000000000));
    CU_ASSERT_EQUAL(sample.scenario.lpu_seats, 0);
    sample_release(&sample);
}

static void the_mixture_has_a_cluster_of_its_own(void)
{
    struct sample sample = shipped("configs/mixtral.cfg", NULL, NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.gpu_cluster.tensor_parallel, 8);
    CU_ASSERT_PTR_NOT_NULL(strstr(sample.scenario.model_path, "/configs/models/Mixtral-8x7B"));
    sample_release(&sample);
}

static void the_largest_job_is_llama_2_70b_on_eight_racks(void)
{
    struct sample sample = shipped("configs/rack_576.cfg", NULL, NULL);
    const struct scenario *s = &sample.scenario;
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(s->lpu_rack.racks * s->lpu_rack.nodes * s->lpu_rack.chips_per_node, 576);
    CU_ASSERT_EQUAL(s->bucket.max_sequence, 4096);
    CU_ASSERT_PTR_NOT_NULL(strstr(s->model_path, "/configs/models/Llama-2-70B"));
    sample_release(&sample);
}

static void every_lpu_rack_has_links_for_its_cables(void)
{
    static const char *const files[] = {
        "configs/topologies/lpu-1x8.cfg", "configs/topologies/lpu-9x8.cfg",
        "configs/topologies/lpu-33x8.cfg", "configs/topologies/lpu-8x9x8.cfg",
        "configs/topologies/lp30-32x8.cfg"};
    static const int chips[] = {8, 72, 264, 576, 256};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct sample sample = shipped("configs/rack.cfg", "lpu.rack", files[i]);
        const struct lpu_rack *rack = &sample.scenario.lpu_rack;
        CU_ASSERT_TRUE(sample.accepted);
        CU_ASSERT_EQUAL(rack->racks * rack->nodes * rack->chips_per_node, chips[i]);
        sample_release(&sample);
    }
}

static void the_first_chip_has_its_published_sizes(void)
{
    struct sample sample = sample_small(NULL, NULL, NULL);
    const struct lpu_chip *chip = &sample.scenario.lpu_chip;
    int64_t sram =
        (int64_t)2 * chip->mem_slices_per_hemisphere * chip->vectors_per_slice * chip->lanes;
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sram, INT64_C(220) * 1024 * 1024);
    CU_ASSERT_EQUAL(chip->clock_hz, 900000000);
    CU_ASSERT_EQUAL(machine_link_slot_cycles(chip), 24);
    CU_ASSERT_EQUAL(chip->c2c_hop_cycles, 650);
    CU_ASSERT_EQUAL(chip->pcie_latency_ps, 10000000);
    sample_release(&sample);
}

static void the_later_chip_has_its_published_sizes(void)
{
    struct sample sample = shipped("configs/rack_lp30.cfg", NULL, NULL);
    const struct lpu_chip *chip = &sample.scenario.lpu_chip;
    int64_t slices = 2 * chip->mem_slices_per_hemisphere;
    int64_t bytes_per_s = slices * chip->banks_per_slice * chip->lanes * chip->clock_hz;
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(slices * chip->vectors_per_slice * chip->lanes / 1000000, 500);
    CU_ASSERT_EQUAL(bytes_per_s / 1000000000000, 150);
    CU_ASSERT_EQUAL(chip->c2c_bits_per_s, INT64_C(8) * 112000000000);
    CU_ASSERT_EQUAL((machine_cycles_to_ps(chip, chip->c2c_hop_cycles) + 500) / 1000, 350);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.nodes * sample.scenario.lpu_rack.chips_per_node, 256);
    sample_release(&sample);
}

static void every_gpu_fits_every_job(void)
{
    static const char *const gpus[] = {"configs/gpus/a100-sxm.cfg", "configs/gpus/h100-sxm.cfg",
                                       "configs/gpus/h200-sxm.cfg", "configs/gpus/b200-sxm.cfg"};
    static const int sms[] = {108, 132, 132, 148};
    for (size_t i = 0; i < sizeof gpus / sizeof gpus[0]; i++) {
        struct sample sample = shipped("configs/rack.cfg", "gpu.chip", gpus[i]);
        CU_ASSERT_TRUE(sample.accepted);
        CU_ASSERT_EQUAL(sample.scenario.gpu_chip.sms, sms[i]);
        sample_release(&sample);
    }
}

static void every_cluster_fits_the_main_job(void)
{
    static const char *const clusters[] = {
        "configs/topologies/a100-1x8.cfg", "configs/topologies/h100-1x8.cfg",
        "configs/topologies/h100-2x4.cfg", "configs/topologies/b200-1x8.cfg"};
    for (size_t i = 0; i < sizeof clusters / sizeof clusters[0]; i++) {
        struct sample sample = shipped("configs/rack.cfg", "gpu.cluster", clusters[i]);
        CU_ASSERT_TRUE(sample.accepted);
        sample_release(&sample);
    }
}

TEST_MAIN("shipped configurations", TEST(the_main_job_is_tinyllama_on_eight_chips),
          TEST(the_large_job_uses_64_of_72_chips),
          TEST(the_largest_job_is_llama_2_70b_on_eight_racks),
          TEST(every_lpu_rack_has_links_for_its_cables),
          TEST(many_requests_are_drawn_and_share_the_rack),
          TEST(the_mixture_has_a_cluster_of_its_own), TEST(the_first_chip_has_its_published_sizes),
          TEST(the_later_chip_has_its_published_sizes), TEST(every_gpu_fits_every_job),
          TEST(every_cluster_fits_the_main_job))
