/* SPDX-License-Identifier: BSD-3-Clause */
/* Llama-2-70B with a bucket of 4,096 on eight racks, 576 chips: it fits with as few cut MLPs as can
 * be, and stages that follow each other are one hop apart. Plans only; programs take their time. */
#include "test.h"

#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "rack.h"

static const struct lpu_rack layout = {
    .racks = 8, .nodes = 9, .chips_per_node = 8, .cables_per_node_pair = 2, .tensor_group = 8};
static const struct bucket bucket = {.max_sequence = 4096, .batch = 1, .prefill_chunk = 128};
static const struct workload workload = {.prompt_tokens = 128, .decode_tokens = 8};

static struct plan *compile(const struct lpu_topology *topology, const struct model *model)
{
    struct base_report report = {0};
    enum base_status status;
    struct partition_input input = {.chip = rack_chip(),
                                    .rack = &layout,
                                    .topology = topology,
                                    .model = model,
                                    .bucket = &bucket,
                                    .workload = &workload};
    clock_t start = clock();
    struct plan *plan = plan_compile(&input, &report, &status);
    printf("\n576 chips: planned in %.2f s of CPU\n", (double)(clock() - start) / CLOCKS_PER_SEC);
    base_report_print(&report, stderr);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    return plan;
}

/* Fewest hops from any chip of a group to any of another. */
static int32_t hops_between(const struct lpu_topology *t, int32_t from, int32_t to)
{
    int32_t *hops = base_alloc((size_t)t->chips, sizeof *hops), least = INT32_MAX;
    for (int32_t chip = from; chip < from + layout.tensor_group; chip++) {
        lpu_topology_distances(t, chip, hops);
        for (int32_t other = to; other < to + layout.tensor_group; other++)
            least = hops[other] < least ? hops[other] : least;
    }
    base_free(hops);
    return least;
}

/* 80 layers on 72 nodes: at least 8 nodes share an MLP with the one before. */
static void check_stages(const struct plan *plan, const struct lpu_topology *t)
{
    int32_t cuts = 0, layers = 0, stages = plan_stages(plan);
    CU_ASSERT_EQUAL(stages, 72);
    for (int32_t s = 0; s < stages; s++) {
        const struct partition_stage *stage = plan_stage(plan, s);
        cuts += s > 0 && stage->first_block % 3 == 0;
        layers += stage->layers;
        CU_ASSERT_EQUAL(
            hops_between(t, stage->first_chip, plan_stage(plan, (s + 1) % stages)->first_chip), 1);
    }
    CU_ASSERT_EQUAL(layers, 80);
    CU_ASSERT_EQUAL(cuts, 8);
}

static void llama_2_70b_fits_on_576_chips(void)
{
    struct model model = rack_shipped_model("Llama-2-70B");
    struct lpu_topology topology;
    struct base_report report = {0};
    CU_ASSERT_TRUE_FATAL(lpu_topology_build(&topology, &layout, rack_chip(), &report));
    struct plan *plan = compile(&topology, &model);
    CU_ASSERT_TRUE(plan_is_valid(plan));
    check_stages(plan, &topology);
    plan_release(plan);
    lpu_topology_release(&topology);
}

TEST_MAIN("large racks", TEST(llama_2_70b_fits_on_576_chips))
