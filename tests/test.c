/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a table of cases under CUnit and counts what failed. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/TestRun.h>

enum { MOST_FAILURES = 70 };

static const char *rank_text(void)
{
    return getenv("OMPI_COMM_WORLD_RANK");
}

static int is_quiet(void)
{
    const char *rank = rank_text();
    return rank && strcmp(rank, "0") != 0;
}

static void print_failures(const CU_pTest test, const CU_pFailureRecord first)
{
    for (CU_pFailureRecord f = first; f; f = f->pNext)
        fprintf(stderr, "%s:%u: %s: %s%s%s\n", f->strFileName, f->uiLineNumber, test->pName,
                f->strCondition, rank_text() ? " on rank " : "", rank_text() ? rank_text() : "");
}

static void print_result(const CU_pTest test, const CU_pSuite suite,
                         const CU_pFailureRecord failures)
{
    (void)suite;
    print_failures(test, failures);
    if (!is_quiet())
        printf("%s %s\n", failures ? "FAILED" : "ok    ", test->pName);
    fflush(stdout);
}

static CU_pSuite suite_of(const char *topic, const struct test_case *cases, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return NULL;
    CU_pSuite suite = CU_add_suite(topic, NULL, NULL);
    for (size_t i = 0; suite && i < count; i++)
        if (!CU_add_test(suite, cases[i].name, cases[i].run))
            return NULL;
    return suite;
}

/* CUnit's own run functions return success whatever the tests did, and also when none ran. */
static int failures_of_last_run(size_t count)
{
    unsigned failed = CU_get_number_of_tests_failed();
    if (CU_get_number_of_tests_run() != count || CU_get_number_of_asserts() == 0) {
        fprintf(stderr, "ran %u of %zu tests, %u assertions\n", CU_get_number_of_tests_run(), count,
                CU_get_number_of_asserts());
        failed += failed == 0;
    }
    return failed > MOST_FAILURES ? MOST_FAILURES : (int)failed;
}

int test_run(const char *topic, const struct test_case *cases, size_t count)
{
    if (!suite_of(topic, cases, count)) {
        fprintf(stderr, "%s: %s\n", topic, CU_get_error_msg());
        return 1;
    }
    CU_set_test_complete_handler(print_result);
    CU_run_all_tests();
    int failed = failures_of_last_run(count);
    if (!is_quiet())
        printf("%s: %zu tests, %u assertions, %d failed\n", topic, count,
               CU_get_number_of_asserts(), failed);
    CU_cleanup_registry();
    return failed;
}

static char *joined_path(const char *folder, const char *path)
{
    size_t bytes = strlen(folder) + strlen(path) + 2;
    char *whole = malloc(bytes);
    if (!whole)
        abort();
    snprintf(whole, bytes, "%s/%s", folder, path);
    return whole;
}

bool test_is_long(void)
{
    const char *wanted = getenv("LPUSIM_LONG");
    return wanted && *wanted && strcmp(wanted, "0") != 0;
}

char *test_source_path(const char *path)
{
    return joined_path(TEST_SOURCE_DIR, path);
}

char *test_data_path(const char *path)
{
    const char *folder = getenv("LPUSIM_DATA");
    char *whole = joined_path(folder ? folder : TEST_SOURCE_DIR "/../shared/data", path);
    if (access(whole, R_OK) == 0)
        return whole;
    fprintf(stderr, "SKIPPED: public data is not here: %s (set LPUSIM_DATA)\n", whole);
    exit(TEST_SKIPPED);
}
