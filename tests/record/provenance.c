/* SPDX-License-Identifier: BSD-3-Clause */
/* Provenance: what /run says, and how far a run says it got. */
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "record/reader.h"
#include "record/run.h"
#include "test.h"

static char path[64];

static void visit_two_options(void *options, record_option_visitor *visitor, void *context)
{
    visitor(context, "chip.clock", options);
    visitor(context, "bucket.batch", "1");
}

static void run_write(bool complete, const char *progress)
{
    struct base_report report = {0};
    char clock[] = "900 MHz";
    struct record_run run = {
        "0.1.0",           "abc123", "lpusim-mp rack.cfg", "mode = \"both\";\n", 42,
        visit_two_options, clock};
    struct record_file *file = record_open(path, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(record_run_begin(file, &run), BASE_OK);
    CU_ASSERT_EQUAL(record_run_end(file), BASE_OK);
    CU_ASSERT_EQUAL(record_close(file, complete, progress), BASE_OK);
}

static void text_is(const struct record_reader *reader, const char *group, const char *name,
                    const char *expected)
{
    char *text = record_reader_text(reader, group, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    if (expected)
        CU_ASSERT_STRING_EQUAL(text, expected);
    CU_ASSERT(text[0] != '\0');
    base_free(text);
}

static void run_read(void)
{
    struct base_report report = {0};
    struct record_reader *reader = record_reader_open(path, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    text_is(reader, "/run", "program_version", "0.1.0");
    text_is(reader, "/run", "source_state", "abc123");
    text_is(reader, "/run", "configuration", "mode = \"both\";\n");
    text_is(reader, "/run", "seed", "42");
    text_is(reader, "/run/configuration", "chip.clock", "900 MHz");
    text_is(reader, "/run/configuration", "bucket.batch", "1");
    static const char *const present[] = {"compiler",       "mpi",        "hdf5",        "host",
                                          "ranks_on_hosts", "start_time", "command_line"};
    for (size_t i = 0; i < sizeof present / sizeof present[0]; i++)
        text_is(reader, "/run", present[i], NULL);
    int64_t ranks = 0;
    CU_ASSERT_TRUE(record_reader_i64(reader, "/run", "ranks", &ranks));
    CU_ASSERT_EQUAL(ranks, parallel_size());
    record_reader_close(reader);
}

static void a_run_explains_itself(void)
{
    run_write(true, "decode step 64 of 64");
    if (parallel_is_first())
        run_read();
    parallel_agree_status(BASE_OK);
}

static void how_far_is(int64_t complete, const char *progress)
{
    struct base_report report = {0};
    struct record_reader *reader = record_reader_open(path, &report);
    int64_t found = -1;
    CU_ASSERT_TRUE(record_reader_i64(reader, "/", "complete", &found));
    CU_ASSERT_EQUAL(found, complete);
    text_is(reader, "/", "progress", progress);
    record_reader_close(reader);
}

static void a_file_says_how_far_its_run_got(void)
{
    run_write(true, "all steps");
    if (parallel_is_first())
        how_far_is(1, "all steps");
    parallel_agree_status(BASE_OK);
    run_write(false, "decode step 17 of 64");
    if (parallel_is_first())
        how_far_is(0, "decode step 17 of 64");
    parallel_agree_status(BASE_OK);
}

static void a_file_of_another_program_is_refused(void)
{
    struct base_report report = {0};
    CU_ASSERT_PTR_NULL(record_reader_open("/dev/null", &report));
    CU_ASSERT_EQUAL(report.count, 1);
    base_report_release(&report);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(a_run_explains_itself),
        TEST(a_file_says_how_far_its_run_got),
        TEST(a_file_of_another_program_is_refused),
    };
    parallel_start(&argc, &argv);
    int process = (int)getpid();
    parallel_broadcast(&process, sizeof process);
    snprintf(path, sizeof path, "record_provenance_%d.h5", process);
    int64_t failed = test_run("provenance", cases, sizeof cases / sizeof cases[0]);
    parallel_max_i64(&failed, 1);
    if (parallel_is_first())
        unlink(path);
    parallel_finish();
    return (int)failed;
}
