/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables: what all ranks append is what a reader finds, whole chunks or not, flushed or not. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "record/layout.h"
#include "record/reader.h"
#include "test.h"

static char path[64];

static const struct record_schema *links(void)
{
    return record_layout(RECORD_GPU_LINKS);
}

/* Row `number` of the sequence that the tests write. */
static struct record_gpu_link row(int64_t number)
{
    struct record_gpu_link link = {.link = (int32_t)(number % 1000), .busy_ps = number};
    link.bytes = (int64_t)base_random_u64(5, BASE_RANDOM_LINK, 0, (uint64_t)number);
    snprintf(link.from, sizeof link.from, "gpu %d", (int)(number % 8));
    return link;
}

static bool rows_are_equal(const struct record_gpu_link *a, const struct record_gpu_link *b)
{
    return a->link == b->link && a->busy_ps == b->busy_ps && a->bytes == b->bytes &&
           !strncmp(a->from, b->from, sizeof a->from) && !b->to[0] && b->queued_ps == 0;
}

/* Appends rows first .. first + count - 1, unevenly from the ranks. */
static enum base_status append(struct record_file *file, int64_t first, int64_t count)
{
    int size = parallel_size(), rank = parallel_rank();
    int64_t heavy = count / 2; /* half from the last rank, the rest in blocks */
    struct parallel_block block = parallel_block_of(count - heavy, size, rank);
    int64_t mine = block.count + (rank == size - 1 ? heavy : 0);
    struct record_gpu_link *rows = base_alloc((size_t)mine, sizeof *rows);
    for (int64_t i = 0; i < mine; i++)
        rows[i] = row(first + block.first + i);
    enum base_status status = record_append(file, links(), rows, (size_t)mine);
    base_free(rows);
    return status;
}

/* First rank: whether the file has exactly rows 0 .. count - 1. */
static bool file_has_rows(int64_t count)
{
    struct base_report report = {0};
    struct record_reader *reader = record_reader_open(path, &report);
    if (!reader || !record_reader_is_valid(reader, &report) ||
        record_reader_rows(reader, links()) != count)
        return false;
    struct record_gpu_link *rows = base_alloc((size_t)count, sizeof *rows);
    bool same = record_reader_read(reader, links(), 0, count, rows);
    for (int64_t i = 0; same && i < count; i++) {
        struct record_gpu_link expected = row(i);
        same = rows_are_equal(&expected, &rows[i]);
    }
    base_free(rows);
    record_reader_close(reader);
    return same;
}

static void found_by_first_rank(int64_t count)
{
    if (parallel_is_first())
        CU_ASSERT_TRUE(file_has_rows(count));
    parallel_agree_status(BASE_OK);
}

static struct record_file *opened(void)
{
    static struct base_report report;
    struct record_file *file = record_open(path, &report);
    if (!file)
        parallel_abort(BASE_FAILURE, "%s", report.count ? report.message[0] : "no file");
    return file;
}

static void a_few_rows_come_back(void)
{
    struct record_file *file = opened();
    CU_ASSERT_EQUAL(append(file, 0, 20), BASE_OK);
    CU_ASSERT_EQUAL(record_close(file, true, "done"), BASE_OK);
    found_by_first_rank(20);
}

static void appends_of_any_size_come_back_in_order(void)
{
    static const int64_t size[] = {1, 0, 5000, 16384, 3, 40000, 90000, 16383, 7};
    struct record_file *file = opened();
    int64_t count = 0;
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        CU_ASSERT_EQUAL(append(file, count, size[i]), BASE_OK);
        count += size[i];
    }
    CU_ASSERT_EQUAL(record_close(file, true, "done"), BASE_OK);
    found_by_first_rank(count);
}

static void flushed_rows_are_there_while_the_file_is_open(void)
{
    struct record_file *file = opened();
    int64_t count = 0;
    for (int i = 0; i < 4; i++) {
        append(file, count, 7000);
        count += 7000;
        CU_ASSERT_EQUAL(record_flush(file, "going on"), BASE_OK);
        found_by_first_rank(count);
    }
    CU_ASSERT_EQUAL(record_close(file, false, "stopped"), BASE_OK);
    found_by_first_rank(count);
}

static void an_empty_table_is_a_table(void)
{
    struct record_file *file = opened();
    CU_ASSERT_EQUAL(record_append(file, links(), NULL, 0), BASE_OK);
    CU_ASSERT_EQUAL(record_close(file, true, "done"), BASE_OK);
    found_by_first_rank(0);
}

static void a_second_run_replaces_the_file(void)
{
    a_few_rows_come_back();
    a_few_rows_come_back();
}

static const struct test_case cases[] = {
    TEST(a_few_rows_come_back),
    TEST(appends_of_any_size_come_back_in_order),
    TEST(flushed_rows_are_there_while_the_file_is_open),
    TEST(an_empty_table_is_a_table),
    TEST(a_second_run_replaces_the_file),
};

int main(int argc, char **argv)
{
    parallel_start(&argc, &argv);
    int process = (int)getpid();
    parallel_broadcast(&process, sizeof process);
    snprintf(path, sizeof path, "record_table_%d.h5", process);
    int64_t failed = test_run("tables", cases, sizeof cases / sizeof cases[0]);
    parallel_max_i64(&failed, 1);
    if (parallel_is_first())
        unlink(path);
    parallel_finish();
    return (int)failed;
}
