/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules between options: each is broken once, alone, and kept once at its edge. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "sample.h"

/* Changes to configs/small.cfg, and the only fault they bring; NULL: none. */
static const struct {
    const char *first, *second;
    const char *fault;
} broken[] = {
    {"bucket.prefill_chunk=512", NULL,
     "--set: bucket.prefill_chunk: 512 is more than bucket.max_sequence = 256"},
    {"bucket.prefill_chunk=256", NULL, NULL},
    {"bucket.prefill_chunk=100", NULL,
     "--set: bucket.prefill_chunk: 100 is no multiple of 32: 96 or 128 would be"},
    {"bucket.prefill_chunk=96", NULL, NULL},
    {"workload.prompt_tokens=249", NULL,
     "--set: workload.prompt_tokens: workload.prompt_tokens + workload.decode_tokens = 257 is "
     "more than bucket.max_sequence = 256"},
    {"workload.prompt_tokens=248", NULL, NULL},
    {"lpu.chips_used=5", NULL,
     "--set: lpu.chips_used: 5 is more than the 4 chips that there are (racks x nodes x chips: 1 x "
     "1 x 4)"},
    {"lpu.chips_used=4", NULL, NULL},
    {"lpu.tensor_group=3", NULL, "--set: lpu.tensor_group: 3 chips cannot share a layer: 1, 2, 4"},
    {"lpu.tensor_group=4", NULL, NULL},
    {"lpu.tensor_group=8", "lpu.rack.nodes=2",
     "--set: lpu.tensor_group: 8 is more than lpu.rack.chips_per_node = 4"},
    {"lpu.pipeline_stages=3", "lpu.tensor_group=2",
     "--set: lpu.pipeline_stages: 3 stages of 2 chips need 6 chips, 4 are used"},
    {"lpu.pipeline_stages=2", "lpu.tensor_group=2", NULL},
    {"lpu.chip.c2c_local_links=2", NULL,
     "lpu.rack.chips_per_node: a full mesh of 4 chips needs 3 local links a chip"},
    {"lpu.chip.c2c_local_links=3", NULL, NULL},
    {"lpu.rack.nodes=18", NULL,
     "--set: lpu.rack.nodes: 18 nodes need 17 cables a node, its chips have 16 global links"},
    {"lpu.rack.nodes=17", NULL, NULL},
    {"lpu.rack.nodes=9", "lpu.rack.cables_per_node_pair=3",
     "--set: lpu.rack.nodes: 9 nodes need 24 cables a node"},
    {"lpu.rack.racks=34", "lpu.rack.nodes=1",
     "--set: lpu.rack.racks: 34 racks need 33 links a rack to the others, the cables inside a rack "
     "leave 16"},
    {"lpu.rack.racks=17", "lpu.rack.nodes=1", NULL},
    {"lpu.rack.racks=2", "lpu.rack.nodes=3",
     "--set: lpu.rack.racks: 2 racks need 1 links a rack to the others, the cables inside a rack "
     "leave 0; fewer lpu.rack.cables_per_node_pair"},
    {"lpu.chip.lanes=328", NULL,
     "--set: lpu.chip.lanes: 328 is no multiple of lpu.chip.lanes_per_superlane = 16"},
    {"lpu.chip.vectors_per_slice=8191", NULL,
     "--set: lpu.chip.vectors_per_slice: 8191 is no multiple of lpu.chip.banks_per_slice = 2"},
    {"lpu.chip.mxm_planes=3", NULL, "--set: lpu.chip.mxm_planes: 3 planes cannot be split"},
    {"lpu.chip.c2c_vector_wire=319 B", NULL,
     "--set: lpu.chip.c2c_vector_wire: 319 B is less than the vector of 320 B"},
    {"lpu.chip.power_average=301 W", NULL,
     "--set: lpu.chip.power_average: 301 W is more than lpu.chip.power_max = 300 W"},
    {"gpu.tensor_parallel=4", NULL,
     "--set: gpu.tensor_parallel: gpu.tensor_parallel x gpu.pipeline_parallel = 4 is more than "
     "the 2 GPUs of the cluster (1 nodes of 2)"},
    {"gpu.pipeline_parallel=1", NULL, NULL},
    {"gpu.weight_element=1 B", "gpu.chip.fp8_rate=0 flop/s",
     "--set: gpu.weight_element: 1 B weights need fp8, which H100-SXM-80GB has not"},
    {"gpu.weight_element=1 B", NULL, NULL},
    {"gpu.slow_gpu=2", NULL, "--set: gpu.slow_gpu: 2; the cluster has 2 GPUs: 0 to 1"},
    {"gpu.slow_gpu=1", NULL, NULL},
    {"gpu.chip.eager_gap=2 us", NULL,
     "--set: gpu.chip.eager_gap: 2000000 ps is less than the launch that is part of it, "
     "gpu.chip.launch = 3000000 ps"},
    {"gpu.chip.eager_gap=3 us", NULL, NULL},
    {"gpu.neighbour_pattern=storage", NULL,
     "--set: gpu.neighbour_pattern: storage shares NICs, which nobody else uses on one node"},
    {"gpu.neighbour_pattern=replica", NULL, NULL},
    {"lpu.seats=2", "bucket.batch=2", NULL},
    {"lpu.seats=2", "bucket.max_sequence=128,256", NULL},
    {"lpu.seats=9", "bucket.batch=30",
     "--set: lpu.seats: 9 seats of 30 sequences take 270 caches; a program knows 255: at most 8"},
    {"lpu.seats=0", "values=on",
     "--set: lpu.seats: 0; with values = on a number of seats, or workload.sequences, says"},
    {"lpu.seats=2", "values=on", NULL},
    {"lpu.seats=2", "workload.sequences=3", NULL},
    {"workload.sequences=2", NULL,
     "--set: workload.sequences: 2 sequences share the pipeline where lpu.seats is not 1"},
    {"values=on", "run.mode=gpu",
     "--set: values: values are computed on the LPU: run.mode \"lpu\" or \"both\""},
    {"values=off", "run.mode=gpu", NULL},
    {"values=on", "run.mode=lpu", NULL},
    {"values=on", NULL, NULL},
    {"serve.policy=earliest_deadline", NULL,
     "--set: serve.policy: earliest_deadline needs a deadline: serve.ttft_limit, serve.tpot_limit"},
    {"serve.policy=earliest_deadline", "serve.tpot_limit=1 ms", NULL},
    {"serve.refuse_late=on", NULL,
     "--set: serve.refuse_late: nothing is late without serve.ttft_limit or serve.tpot_limit"},
    {"serve.refuse_late=on", "serve.ttft_limit=1 s", NULL},
    {"serve.policy=tenant_budget", NULL,
     "--set: serve.policy: tenant_budget needs serve.tenant_budget: tokens a second of each"},
    {"serve.policy=tenant_budget", "serve.tenant_budget=1000", NULL},
    {"serve.budget=100", NULL,
     "--set: serve.budget: 100 tokens are less than one for each of serve.max_sequences = 256"},
    {"serve.budget=100", "serve.max_sequences=100", NULL},
    {"serve.budget=256", "serve.split_prompts=off", NULL},
    {"serve.preferred=257", NULL,
     "--set: serve.preferred: 257 is more than serve.max_sequences = 256"},
    {"serve.preferred=256", NULL, NULL},
    {"lpu.tensor_group=3", "run.mode=gpu", NULL},
    {"gpu.tensor_parallel=4", "run.mode=lpu", NULL},
};

static void each_rule_speaks_when_it_is_broken_and_only_then(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct sample sample = broken[i].second
                                   ? sample_small(broken[i].first, broken[i].second, NULL)
                                   : sample_small(broken[i].first, NULL, NULL);
        CU_ASSERT_EQUAL(sample.accepted, broken[i].fault == NULL);
        CU_ASSERT_EQUAL(sample.report.count, broken[i].fault ? 1 : 0);
        if (broken[i].fault)
            CU_ASSERT_TRUE(sample_says(&sample, broken[i].fault));
        if (sample.report.count > 1 || (sample.report.count && !broken[i].fault))
            fprintf(stderr, "%s: %s\n", broken[i].first, sample.faults);
        sample_release(&sample);
    }
}

static void sequences_come_in_whole_batches(void)
{
    struct sample sample = sample_small("lpu.seats=2", "bucket.batch=4", "workload.sequences=6");
    CU_ASSERT_TRUE(sample_says(&sample, "--set: workload.sequences: 6; sequences take seats in "
                                        "batches of 4: a multiple, as 8"));
    sample_release(&sample);
    sample = sample_small("lpu.seats=2", "bucket.batch=4", "workload.sequences=8");
    CU_ASSERT_TRUE(sample.accepted);
    sample_release(&sample);
}

static void whole_prompts_want_a_budget_for_them(void)
{
    struct sample sample =
        sample_small("serve.split_prompts=off", "serve.budget=255", "serve.max_sequences=8");
    CU_ASSERT_TRUE(sample_says(&sample, "--set: serve.budget: 255; without serve.split_prompts a "
                                        "prompt of up to bucket.max_sequence = 256 tokens"));
    sample_release(&sample);
    sample = sample_small("serve.split_prompts=off", "serve.budget=0", "serve.max_sequences=8");
    CU_ASSERT_TRUE(sample.accepted);
    sample_release(&sample);
}

static void a_rule_about_a_refused_value_is_silent(void)
{
    struct sample sample = sample_small("bucket.max_sequence=0", NULL, NULL);
    CU_ASSERT_EQUAL(sample.report.count, 1);
    sample_release(&sample);
}

static void a_rule_blames_the_line_of_the_file(void)
{
    const char *path = sample_file("rule.cfg", "bucket = {\n    max_sequence = 64;\n"
                                               "    prefill_chunk = 96;\n};\n");
    struct sample sample = sample_read(path, NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "rule.cfg:3: bucket.prefill_chunk: 96 is more than"));
    sample_release(&sample);
    sample = sample_read(sample_file("rule.cfg", "bucket = { max_sequence = 64; };"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "rule.cfg:1: bucket.prefill_chunk: 128 is more than"));
    sample_release(&sample);
}

TEST_MAIN("rules", TEST(each_rule_speaks_when_it_is_broken_and_only_then),
          TEST(sequences_come_in_whole_batches), TEST(whole_prompts_want_a_budget_for_them),
          TEST(a_rule_about_a_refused_value_is_silent), TEST(a_rule_blames_the_line_of_the_file))
