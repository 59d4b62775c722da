/* SPDX-License-Identifier: BSD-3-Clause */
/* When ranks yield, on machines that are not here: hwloc's synthetic topologies stand for them. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "parallel/place.h"
#include "parallel/room.h"
#include "test.h"

static const char yield_variable[] = "OMPI_MCA_mpi_yield_when_idle";

static void launchers_forget(void)
{
    unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE");
    unsetenv("SLURM_STEP_TASKS_PER_NODE");
    unsetenv("SLURM_TASKS_PER_NODE");
    unsetenv(yield_variable);
}

/* Whether ranks yield on `machine` when a launcher says `ranks` in `variable`. */
static bool yields(const char *machine, const char *variable, const char *ranks)
{
    launchers_forget();
    setenv("HWLOC_SYNTHETIC", machine, 1);
    setenv(variable, ranks, 1);
    parallel_decide_yield();
    return parallel_ranks_yield();
}

static void ranks_yield_only_where_they_outnumber_cores(void)
{
    CU_ASSERT_FALSE(yields("pack:1 core:4 pu:2", "OMPI_COMM_WORLD_LOCAL_SIZE", "4"));
    CU_ASSERT_TRUE(yields("pack:1 core:4 pu:2", "OMPI_COMM_WORLD_LOCAL_SIZE", "5"));
    CU_ASSERT_TRUE(yields("pack:1 core:2 pu:1", "OMPI_COMM_WORLD_LOCAL_SIZE", "8"));
    CU_ASSERT_FALSE(yields("pack:2 numa:2 core:16 pu:2", "SLURM_STEP_TASKS_PER_NODE", "64(x4)"));
    CU_ASSERT_TRUE(yields("pack:2 numa:2 core:16 pu:2", "SLURM_STEP_TASKS_PER_NODE", "8,65(x3)"));
}

static void a_rank_alone_does_not_yield(void)
{
    launchers_forget();
    setenv("HWLOC_SYNTHETIC", "pack:1 core:1 pu:1", 1);
    parallel_decide_yield();
    CU_ASSERT_FALSE(parallel_ranks_yield());
}

static void the_user_has_the_last_word(void)
{
    launchers_forget();
    setenv("HWLOC_SYNTHETIC", "pack:1 core:1 pu:1", 1);
    setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "8", 1);
    setenv(yield_variable, "0", 1);
    parallel_decide_yield();
    CU_ASSERT_FALSE(parallel_ranks_yield());
}

static void lists_of_tasks_a_node_are_read(void)
{
    CU_ASSERT_EQUAL(parallel_most_tasks("8"), 8);
    CU_ASSERT_EQUAL(parallel_most_tasks("2(x3),1"), 2);
    CU_ASSERT_EQUAL(parallel_most_tasks("1,16(x2),4"), 16);
    CU_ASSERT_EQUAL(parallel_most_tasks(""), 0);
    CU_ASSERT_EQUAL(parallel_most_tasks("many"), 0);
}

static void a_host_is_described(void)
{
    setenv("HWLOC_SYNTHETIC", "pack:2 numa:1 core:16 pu:2", 1);
    char *text = parallel_host_text();
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "32 cores, 64 hardware threads, 2 NUMA nodes, "));
    base_free(text);
}

TEST_MAIN("place", TEST(ranks_yield_only_where_they_outnumber_cores),
          TEST(a_rank_alone_does_not_yield), TEST(the_user_has_the_last_word),
          TEST(lists_of_tasks_a_node_are_read), TEST(a_host_is_described))
