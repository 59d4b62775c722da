/* SPDX-License-Identifier: BSD-3-Clause */
/* Ranks, in shared memory and by messages, give what one process gives: every object the same
 * events in the same order. */
#include "mesh.h"
#include "mpi_test.h"
#include "parallel/windows.h"
#include "phold.h"

static const struct phold_spec objects = {.objects = 500,
                                          .remote = 0.25,
                                          .lookahead_ps = 1000,
                                          .mean_ps = 1000,
                                          .end_ps = 100000,
                                          .seed = 5};

static const struct mesh_spec nodes = {
    .width = 8, .height = 8, .latency_ps = 1000, .end_ps = 100000, .seed = 5};

static int64_t digest_alone(const struct phold_spec *spec)
{
    struct phold *phold = phold_create(spec, 0, 1);
    struct engine *engine = phold_engine(phold);
    engine_run_together(&engine);
    int64_t digest = (int64_t)phold_digest(phold);
    phold_free(phold);
    return digest;
}

/* Digest over all ranks, of which `partitions` at most take part. */
static int64_t digest_on_ranks(const struct phold_spec *spec, int partitions, bool messages)
{
    partitions = parallel_windows_partitions(
        (struct parallel_windows_share){.items = parallel_size(), .wanted = partitions});
    bool active = parallel_rank() < partitions;
    struct phold *phold = active ? phold_create(spec, parallel_rank(), partitions) : NULL;
    struct parallel_windows_watch watch = {.messages_only = messages};
    struct parallel_windows_report report;
    enum base_status status =
        parallel_windows_run(active ? phold_engine(phold) : NULL, partitions, &watch, &report);
    CU_ASSERT_EQUAL(status, BASE_OK);
    CU_ASSERT_EQUAL(report.partitions, partitions);
    int64_t digest = active ? (int64_t)phold_digest(phold) : 0;
    parallel_sum_i64(&digest, 1);
    phold_free(phold);
    return digest;
}

static void ranks_change_nothing_in_phold(void)
{
    int64_t alone = digest_alone(&objects);
    CU_ASSERT_EQUAL(digest_on_ranks(&objects, parallel_size(), false), alone);
    CU_ASSERT_EQUAL(digest_on_ranks(&objects, parallel_size(), true), alone);
}

static void ranks_without_a_partition_wait(void)
{
    int64_t alone = digest_alone(&objects);
    CU_ASSERT_EQUAL(digest_on_ranks(&objects, 2, false), alone);
    CU_ASSERT_EQUAL(digest_on_ranks(&objects, 1, true), alone);
}

/* Fewer objects than ranks: some partitions hold nothing, and still let the others go on. */
static void ranks_without_an_object_hold_nobody_up(void)
{
    struct phold_spec few = objects;
    few.objects = 2;
    few.end_ps = 1000000;
    int64_t alone = digest_alone(&few);
    CU_ASSERT_EQUAL(digest_on_ranks(&few, parallel_size(), false), alone);
    CU_ASSERT_EQUAL(digest_on_ranks(&few, parallel_size(), true), alone);
}

static void objects_that_keep_to_themselves_end(void)
{
    struct phold_spec apart = objects;
    apart.remote = 0;
    CU_ASSERT_EQUAL(digest_on_ranks(&apart, parallel_size(), false), digest_alone(&apart));
}

/* Nearly all events are messages, more of them than a page of shared memory holds. */
static void many_messages_a_window_arrive(void)
{
    struct phold_spec crowd = objects;
    crowd.objects = 20000;
    crowd.remote = 1;
    crowd.end_ps = 8000;
    CU_ASSERT_EQUAL(digest_on_ranks(&crowd, parallel_size(), false), digest_alone(&crowd));
}

static void ranks_change_nothing_in_a_mesh(void)
{
    struct mesh *whole = mesh_create(&nodes, 0, 1);
    struct engine *engine = mesh_engine(whole);
    engine_run_together(&engine);
    struct mesh *part = mesh_create(&nodes, parallel_rank(), parallel_size());
    struct parallel_windows_report report;
    enum base_status status =
        parallel_windows_run(mesh_engine(part), parallel_size(), NULL, &report);
    CU_ASSERT_EQUAL(status, BASE_OK);
    CU_ASSERT_EQUAL(report.events, engine_events(engine));
    int64_t digest = (int64_t)mesh_digest(part);
    parallel_sum_i64(&digest, 1);
    CU_ASSERT_EQUAL(digest, (int64_t)mesh_digest(whole));
    mesh_free(part);
    mesh_free(whole);
}

MPI_TEST_MAIN("engine on ranks", TEST(ranks_change_nothing_in_phold),
              TEST(ranks_without_a_partition_wait), TEST(ranks_without_an_object_hold_nobody_up),
              TEST(objects_that_keep_to_themselves_end), TEST(many_messages_a_window_arrive),
              TEST(ranks_change_nothing_in_a_mesh))
