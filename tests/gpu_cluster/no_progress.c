/* SPDX-License-Identifier: BSD-3-Clause */
/* A GPU that waits for what nobody sends is named, with what it waits for and from whom. */
#include <string.h>

#include "cluster_fixture.h"
#include "test.h"

/* Two stages of one GPU each on a ring; what each does in the only step. */
static struct gpu_world *two_stages(struct gpu_plan_op first, struct gpu_plan_op second)
{
    struct gpu_job job = {.workload.decode_tokens = 1,
                          .cluster = {.captured_graph = true,
                                      .collective_chunk_bytes = 1 << 20,
                                      .link_quantum_bytes = 1 << 16}};
    struct gpu_plan plan = gpu_plan_by_hand(2, 1);
    gpu_plan_append(&plan.step[0], first);
    gpu_plan_append(&plan.step[1], second);
    gpu_plan_bound(&plan);
    return gpu_world_create_from(&job, plan, gpu_topology_ring(2, 1000000000, 1000), 0, 1);
}

static const struct gpu_plan_op send = {.action = GPU_ACTION_SEND,
                                        .op = GPU_OP_SEND,
                                        .layer = -1,
                                        .bytes = 100,
                                        .channel = GPU_CHANNEL_HIDDEN};
static const struct gpu_plan_op receive = {.action = GPU_ACTION_RECEIVE,
                                           .op = GPU_OP_RECEIVE,
                                           .layer = -1,
                                           .bytes = 100,
                                           .channel = GPU_CHANNEL_HIDDEN};

static void a_receive_with_its_send_ends(void)
{
    struct gpu_world *world = two_stages(send, receive);
    CU_ASSERT_EQUAL(gpu_world_run(world), BASE_OK);
    struct gpu_tables t = gpu_world_tables(world);
    CU_ASSERT_EQUAL(t.collectives, 2);
    CU_ASSERT_EQUAL(fixture_end_ps(&world, 1), 100 * 1000 + 1000);
    gpu_world_free(world);
}

static void a_receive_without_a_send_is_no_progress(void)
{
    struct gpu_plan_op longer = receive;
    longer.bytes = 2 << 20;
    struct gpu_world *world = two_stages(send, longer);
    CU_ASSERT_EQUAL(gpu_world_run(world), BASE_NO_PROGRESS);
    struct base_report report = {0};
    gpu_world_explain(world, &report);
    CU_ASSERT_EQUAL_FATAL(report.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[0], "GPU 1 waits in step 0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[0], "receive"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(report.message[0], "1 of 2 chunks have come, the next is due from GPU 0"));
    base_report_release(&report);
    gpu_world_free(world);
}

static void windows_find_it_too(void)
{
    struct gpu_world *world = two_stages(receive, receive);
    fixture_run(&world, 1);
    CU_ASSERT_FALSE(gpu_world_finished(world));
    gpu_world_free(world);
}

TEST_MAIN("no progress", TEST(a_receive_with_its_send_ends),
          TEST(a_receive_without_a_send_is_no_progress), TEST(windows_find_it_too))
