/* SPDX-License-Identifier: BSD-3-Clause */
/* Agreement: what one rank finds, all know. */
#include <string.h>

#include "mpi_test.h"

static int last_rank(void)
{
    return parallel_size() - 1;
}

static void the_worst_status_is_everyones(void)
{
    CU_ASSERT_EQUAL(parallel_agree_status(BASE_OK), BASE_OK);
    bool last = parallel_rank() == last_rank();
    CU_ASSERT_EQUAL(parallel_agree_status(last ? BASE_IO : BASE_OK), BASE_IO);
}

static void no_fault_anywhere_is_ok(void)
{
    struct base_report report = {0};
    CU_ASSERT_EQUAL(parallel_agree_report(&report, BASE_USAGE), BASE_OK);
    CU_ASSERT_TRUE(base_report_is_clean(&report));
}

static void faults_of_all_ranks_are_united_and_equal_ones_kept_once(void)
{
    struct base_report report = {0};
    base_report_add(&report, "rack.cfg", 3, "the same for all (expected in this test)");
    base_report_add(&report, NULL, 0, "rank %d's own (expected in this test)", parallel_rank());
    CU_ASSERT_EQUAL(parallel_agree_report(&report, BASE_USAGE), BASE_USAGE);
    CU_ASSERT_EQUAL_FATAL(report.count, (size_t)parallel_size() + 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[0], "rack.cfg:3: the same"));
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[1], "rank 0's own"));
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[report.count - 1], "own"));
    base_report_release(&report);
}

static void one_ranks_fault_reaches_the_others(void)
{
    struct base_report report = {0};
    if (parallel_rank() == last_rank())
        base_report_add(&report, NULL, 0, "only the last rank's (expected in this test)");
    CU_ASSERT_EQUAL(parallel_agree_report(&report, BASE_NO_PROGRESS), BASE_NO_PROGRESS);
    CU_ASSERT_EQUAL(report.count, 1);
    base_report_release(&report);
}

static void sums_and_extremes_are_exact(void)
{
    int64_t rank = parallel_rank(), size = parallel_size();
    int64_t sum[2] = {rank, INT64_C(1) << 53};
    parallel_sum_i64(sum, 2);
    CU_ASSERT_EQUAL(sum[0], size * (size - 1) / 2);
    CU_ASSERT_EQUAL(sum[1], size << 53);
    int64_t most = rank, least = -rank;
    parallel_max_i64(&most, 1);
    parallel_min_i64(&least, 1);
    CU_ASSERT_EQUAL(most, size - 1);
    CU_ASSERT_EQUAL(least, 1 - size);
    CU_ASSERT_EQUAL(parallel_sum_before_i64(rank + 1), rank * (rank + 1) / 2);
}

MPI_TEST_MAIN("agreement", TEST(the_worst_status_is_everyones), TEST(no_fault_anywhere_is_ok),
              TEST(faults_of_all_ranks_are_united_and_equal_ones_kept_once),
              TEST(one_ranks_fault_reaches_the_others), TEST(sums_and_extremes_are_exact))
