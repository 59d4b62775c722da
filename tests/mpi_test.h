/* SPDX-License-Identifier: BSD-3-Clause */
/* A test main for ranks: the cases run on all of them, and all leave with the same status. */
#ifndef MPI_TEST_H
#define MPI_TEST_H

#include "parallel/parallel.h"
#include "test.h"

/* Defines main for a test on several ranks; cases are collective. */
#define MPI_TEST_MAIN(topic, ...)                                                                  \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct test_case cases[] = {__VA_ARGS__};                                     \
        parallel_start(&argc, &argv);                                                              \
        int64_t failed = test_run(topic, cases, sizeof cases / sizeof cases[0]);                   \
        parallel_max_i64(&failed, 1);                                                              \
        parallel_finish();                                                                         \
        return (int)failed;                                                                        \
    }

#endif
