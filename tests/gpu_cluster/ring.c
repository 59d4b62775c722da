/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring all-reduce without contention and jitter takes exactly what the closed form says. */
#include "cluster_fixture.h"
#include "test.h"

/* 50 GB/s and 500 ns a wire; pieces > 1 follow each other through the ring. */
static const struct {
    int32_t gpus;
    int64_t bytes, chunk_bytes, expected_ps;
} rings[] = {
    {8, 1 << 20, 1 << 20, INT64_C(43700160)},     {256, 1 << 20, 1 << 20, INT64_C(296779200)},
    {2, 1 << 20, 1 << 20, 2 * INT64_C(10985760)}, {4, 4096, 1 << 20, 6 * INT64_C(520480)},
    {16, 16, 1 << 20, 30 * INT64_C(500020)},
};

static int64_t ring_ps(int32_t gpus, int64_t bytes, int64_t chunk_bytes, int32_t partitions)
{
    struct gpu_world *world[64];
    for (int32_t p = 0; p < partitions; p++)
        world[p] = fixture_ring(gpus, bytes, chunk_bytes, p, partitions);
    fixture_run(world, partitions);
    int64_t end = fixture_end_ps(world, partitions);
    for (int32_t p = 0; p < partitions; p++) {
        CU_ASSERT_TRUE(gpu_world_finished(world[p]));
        gpu_world_free(world[p]);
    }
    return end;
}

static void the_closed_form_holds_exactly(void)
{
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++)
        CU_ASSERT_EQUAL(ring_ps(rings[i].gpus, rings[i].bytes, rings[i].chunk_bytes, 1),
                        rings[i].expected_ps);
}

static void the_closed_form_holds_on_any_partitions(void)
{
    static const int32_t partitions[] = {2, 3, 8};
    for (size_t p = 0; p < sizeof partitions / sizeof partitions[0]; p++)
        CU_ASSERT_EQUAL(ring_ps(8, 1 << 20, 1 << 20, partitions[p]), INT64_C(43700160));
}

/* Two pieces a segment: the second is half a segment's transfer behind, and latencies overlap with
 * it. */
static void pieces_follow_each_other(void)
{
    int64_t piece_ps = 1310720, latency_ps = 500000, steps = 14;
    CU_ASSERT_EQUAL(ring_ps(8, 1 << 20, 1 << 16, 1), steps * 2 * piece_ps + latency_ps);
}

static void a_gpu_sends_each_segment_but_its_last(void)
{
    struct gpu_world *world = fixture_ring(8, 1 << 20, 1 << 20, 0, 1);
    fixture_run(&world, 1);
    struct gpu_tables t = gpu_world_tables(world);
    CU_ASSERT_EQUAL_FATAL(t.links, 8);
    for (size_t i = 0; i < t.links; i++) {
        CU_ASSERT_EQUAL(t.link[i].bytes, 14 * (1 << 17));
        CU_ASSERT_EQUAL(t.link[i].chunks, 14);
        CU_ASSERT_EQUAL(t.link[i].queued_ps, 0);
    }
    CU_ASSERT_EQUAL(t.totals.decisions[GPU_DECISION_COLLECTIVE], 8 * 14);
    CU_ASSERT_EQUAL(t.totals.collectives, 8);
    gpu_world_free(world);
}

TEST_MAIN("ring", TEST(the_closed_form_holds_exactly),
          TEST(the_closed_form_holds_on_any_partitions), TEST(pieces_follow_each_other),
          TEST(a_gpu_sends_each_segment_but_its_last))
