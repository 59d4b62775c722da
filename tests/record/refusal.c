/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths that cannot or must not be written are refused by all ranks, with one message. */
#include <string.h>
#include <unistd.h>

#include "parallel/parallel.h"
#include "record/record.h"
#include "test.h"

/* Whether PATH is refused everywhere, and the first rank's message has `words`. */
static bool is_refused(const char *path, const char *words)
{
    struct base_report report = {0};
    struct record_file *file = record_open(path, &report);
    bool said = parallel_is_first() ? report.count == 1 && strstr(report.message[0], words) &&
                                          strstr(report.message[0], path)
                                    : report.count == 0;
    base_report_release(&report);
    return !file && said;
}

static void a_missing_folder_is_refused(void)
{
    CU_ASSERT_TRUE(is_refused("no/such/folder/run.h5", "the folder must exist"));
}

static void what_is_no_file_is_refused(void)
{
    CU_ASSERT_TRUE(is_refused(".", "is not a regular file"));
    CU_ASSERT_TRUE(is_refused("/dev/full", "is not a regular file"));
}

static void a_file_of_another_kind_is_not_overwritten(void)
{
    const char *path = "record_refusal.cfg";
    if (parallel_is_first()) {
        FILE *stream = fopen(path, "w");
        fputs("mode = \"both\";\n", stream);
        fclose(stream);
    }
    parallel_agree_status(BASE_OK);
    CU_ASSERT_TRUE(is_refused(path, "exists and is not an HDF5 file"));
    parallel_agree_status(BASE_OK);
    if (parallel_is_first())
        CU_ASSERT_EQUAL(unlink(path), 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(a_missing_folder_is_refused),
        TEST(what_is_no_file_is_refused),
        TEST(a_file_of_another_kind_is_not_overwritten),
    };
    parallel_start(&argc, &argv);
    int64_t failed = test_run("refusal", cases, sizeof cases / sizeof cases[0]);
    parallel_max_i64(&failed, 1);
    parallel_finish();
    return (int)failed;
}
