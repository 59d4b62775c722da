/* SPDX-License-Identifier: BSD-3-Clause */
/* PHOLD and a mesh give the same events at every object, in the same order, in any number of
 * partitions. */
#include "mesh.h"
#include "phold.h"
#include "test.h"

enum { MOST = 40 };

/* What a run in one process has come to. */
struct outcome {
    uint64_t digest;
    int64_t events, windows;
};

static const struct phold_spec phold = {.objects = 37,
                                        .remote = 0.25,
                                        .lookahead_ps = 1000,
                                        .mean_ps = 1000,
                                        .end_ps = 200000,
                                        .seed = 3};

static const struct mesh_spec mesh = {
    .width = 5, .height = 4, .latency_ps = 1000, .end_ps = 100000, .seed = 3};

static struct outcome run_phold(const struct phold_spec *spec, int32_t partitions)
{
    struct phold *part[MOST];
    struct engine *engine[MOST] = {0};
    struct outcome outcome = {0};
    for (int32_t p = 0; p < partitions; p++) {
        part[p] = phold_create(spec, p, partitions);
        engine[p] = phold_engine(part[p]);
    }
    outcome.windows = engine_run_together(engine);
    for (int32_t p = 0; p < partitions; p++) {
        outcome.digest += phold_digest(part[p]);
        outcome.events += engine_events(engine[p]);
        phold_free(part[p]);
    }
    return outcome;
}

static struct outcome run_mesh(const struct mesh_spec *spec, int32_t partitions)
{
    struct mesh *part[MOST];
    struct engine *engine[MOST] = {0};
    struct outcome outcome = {0};
    for (int32_t p = 0; p < partitions; p++) {
        part[p] = mesh_create(spec, p, partitions);
        engine[p] = mesh_engine(part[p]);
    }
    outcome.windows = engine_run_together(engine);
    for (int32_t p = 0; p < partitions; p++) {
        outcome.digest += mesh_digest(part[p]);
        outcome.events += engine_events(engine[p]);
        mesh_free(part[p]);
    }
    return outcome;
}

/* The last numbers leave partitions without an object. */
static const int32_t partitions[] = {2, 3, 5, 8, 20, 37, 40};
enum { RUNS = sizeof partitions / sizeof partitions[0] };

static void partitions_change_nothing_in_phold(void)
{
    struct outcome alone = run_phold(&phold, 1);
    CU_ASSERT_TRUE(alone.events > 37 * 50);
    for (int i = 0; i < RUNS; i++) {
        struct outcome shared = run_phold(&phold, partitions[i]);
        CU_ASSERT_EQUAL(shared.digest, alone.digest);
        CU_ASSERT_EQUAL(shared.events, alone.events);
    }
}

static void partitions_change_nothing_in_a_mesh(void)
{
    struct outcome alone = run_mesh(&mesh, 1);
    CU_ASSERT_EQUAL(alone.events, 5 * 4 * 4 * 99);
    for (int i = 0; i < RUNS; i++) {
        struct outcome shared = run_mesh(&mesh, partitions[i]);
        CU_ASSERT_EQUAL(shared.digest, alone.digest);
        CU_ASSERT_EQUAL(shared.events, alone.events);
    }
}

static void another_seed_gives_another_digest(void)
{
    struct phold_spec other = phold;
    struct mesh_spec another = mesh;
    other.seed++;
    another.seed++;
    CU_ASSERT_NOT_EQUAL(run_phold(&other, 1).digest, run_phold(&phold, 1).digest);
    CU_ASSERT_NOT_EQUAL(run_mesh(&another, 1).digest, run_mesh(&mesh, 1).digest);
}

/* A window covers the lookahead: of a mesh in which everything moves at once, every one all the
 * messages of one moment. */
static void windows_are_as_long_as_the_lookahead_allows(void)
{
    CU_ASSERT_EQUAL(run_mesh(&mesh, 4).windows, 99 + 1);
    CU_ASSERT_TRUE(run_phold(&phold, 4).windows <= 200 + 1);
}

/* No event ever leaves its object: partitions have nothing to tell each other. */
static void objects_that_keep_to_themselves_end(void)
{
    struct phold_spec apart = phold;
    apart.remote = 0;
    CU_ASSERT_EQUAL(run_phold(&apart, 8).digest, run_phold(&apart, 1).digest);
}

/* All start in one partition's past and future: spans of time without an event are jumped over. */
static void long_silences_cost_no_windows(void)
{
    struct phold_spec rare = phold;
    rare.objects = 2;
    rare.mean_ps = 1000000000;
    rare.end_ps = INT64_C(100000000000);
    struct outcome shared = run_phold(&rare, 2);
    CU_ASSERT_EQUAL(shared.digest, run_phold(&rare, 1).digest);
    CU_ASSERT_TRUE(shared.windows <= shared.events + 1);
}

static void nothing_to_do_is_done_at_once(void)
{
    struct phold_spec none = phold;
    none.end_ps = 0;
    CU_ASSERT_EQUAL(run_phold(&none, 8).events, 0);
    CU_ASSERT_EQUAL(run_phold(&none, 8).windows, 1);
}

TEST_MAIN("loads", TEST(partitions_change_nothing_in_phold),
          TEST(partitions_change_nothing_in_a_mesh), TEST(another_seed_gives_another_digest),
          TEST(windows_are_as_long_as_the_lookahead_allows),
          TEST(objects_that_keep_to_themselves_end), TEST(long_silences_cost_no_windows),
          TEST(nothing_to_do_is_done_at_once))
