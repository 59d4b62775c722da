/* SPDX-License-Identifier: BSD-3-Clause */
/* A CUnit main as a table: write functions named like sentences, list them in TEST_MAIN. */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stddef.h>

#include <CUnit/CUnit.h>

/* The status of a test that could not run here; ctest shows it as skipped. */
enum { TEST_SKIPPED = 77 };

struct test_case {
    const char *name;
    void (*run)(void);
};

/* One row of the table, named by its function. */
/* clang-format off */
#define TEST(function) {#function, function}
/* clang-format on */

/* Runs the cases in order; returns how many failed (at most 70), and 1 when nothing was asserted.
 * Not collective: on several ranks each runs its own. Ranks other than 0 print failures only. */
int test_run(const char *topic, const struct test_case *cases, size_t count);

/* Defines main for a serial test: TEST_MAIN("status", TEST(faults_keep_their_order), TEST(...)) */
#define TEST_MAIN(topic, ...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        static const struct test_case cases[] = {__VA_ARGS__};                                     \
        return test_run(topic, cases, sizeof cases / sizeof cases[0]);                             \
    }

/* PATH below the folder of public data (environment LPUSIM_DATA, else ../shared/data beside the
 * source tree). Ends the process as skipped, with a line that says so, where it is absent: call it
 * before MPI_Init, in main. Free with free. */
char *test_data_path(const char *path);

/* Whether whole campaigns are wanted (environment LPUSIM_LONG), not the part of every test run. */
bool test_is_long(void);

/* PATH below the source tree; free with free. */
char *test_source_path(const char *path);

#endif
