/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes, files and rows change ranks unharmed. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "mpi_test.h"
#include "parallel/copies.h"
#include "parallel/place.h"

static void gathering_keeps_the_order_of_ranks(void)
{
    char mine[64];
    memset(mine, 'a' + parallel_rank(), sizeof mine);
    size_t total, count = (size_t)parallel_rank() * 3;
    char *all = parallel_gather(mine, count, &total);
    if (!parallel_is_first()) {
        CU_ASSERT_PTR_NULL(all);
        CU_ASSERT_EQUAL(total, 0);
        return;
    }
    size_t at = 0;
    for (int rank = 0; rank < parallel_size(); rank++)
        for (int i = 0; i < 3 * rank; i++)
            CU_ASSERT_EQUAL(all[at++], 'a' + rank);
    CU_ASSERT_EQUAL(at, total);
    base_free(all);
}

static void texts_are_concatenated_on_every_rank(void)
{
    char mine[2] = {(char)('a' + parallel_rank()), '\0'};
    char *all = parallel_concatenate(mine);
    CU_ASSERT_EQUAL(strlen(all), (size_t)parallel_size());
    CU_ASSERT_EQUAL(strncmp(all, "abcdefgh", (size_t)parallel_size()), 0);
    base_free(all);
}

static void a_file_is_the_same_for_all(void)
{
    struct base_report report = {0};
    char *path = test_source_path("LICENSE");
    size_t bytes = 0;
    char *text = parallel_read_file(path, &bytes, &report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(bytes, strlen(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Redistribution"));
    base_free(text);
    free(path);
}

static void a_missing_file_gives_one_message(void)
{
    struct base_report report = {0};
    CU_ASSERT_PTR_NULL(parallel_read_file("no/such/file.cfg", NULL, &report));
    CU_ASSERT_EQUAL(report.count, parallel_is_first());
    if (report.count)
        CU_ASSERT_STRING_EQUAL(report.message[0],
                               "no/such/file.cfg: cannot be read: No such file or directory");
    base_report_release(&report);
    CU_ASSERT_PTR_NULL(parallel_read_file(".", NULL, &report));
    base_report_release(&report);
}

struct wide_row {
    int64_t number;
    char rest[13];
};

/* A block boundary of some random partition of `rows`; 0 <= cut <= ranks. */
static int64_t random_cut(uint64_t trial, uint64_t side, int cut, int64_t rows)
{
    if (cut == 0)
        return 0;
    if (cut == parallel_size())
        return rows;
    int64_t most = 0;
    for (int i = 1; i <= cut; i++) {
        double u = base_random_uniform(7, BASE_RANDOM_HOST, trial * 2 + side, (uint64_t)i);
        int64_t at = (int64_t)(u * (double)rows);
        most = at > most ? at : most;
    }
    return most;
}

static void rows_reach_whoever_wants_them(void)
{
    enum { ROWS = 1000, TRIALS = 20 };
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        int rank = parallel_rank();
        int64_t have = random_cut(trial, 0, rank, ROWS), want = random_cut(trial, 1, rank, ROWS);
        int64_t have_count = random_cut(trial, 0, rank + 1, ROWS) - have;
        int64_t want_count = random_cut(trial, 1, rank + 1, ROWS) - want;
        struct wide_row *mine = base_alloc((size_t)have_count, sizeof *mine);
        struct wide_row *theirs = base_alloc((size_t)want_count, sizeof *theirs);
        for (int64_t i = 0; i < have_count; i++)
            mine[i] = (struct wide_row){have + i, "a row"};
        parallel_exchange_rows(sizeof *mine, (struct parallel_rows){have, have_count, mine},
                               (struct parallel_rows){want, want_count, theirs});
        for (int64_t i = 0; i < want_count; i++)
            CU_ASSERT_EQUAL(theirs[i].number, want + i);
        base_free(mine);
        base_free(theirs);
    }
}

static void wanted_rows_that_nobody_has_stay(void)
{
    int32_t row[3] = {-1, -1, -1}, own = 42;
    struct parallel_rows have = {parallel_is_first() ? 1 : 9, parallel_is_first(), &own};
    parallel_exchange_rows(sizeof own, have, (struct parallel_rows){0, 3, row});
    CU_ASSERT_EQUAL(row[0], -1);
    CU_ASSERT_EQUAL(row[1], 42);
    CU_ASSERT_EQUAL(row[2], -1);
}

static void the_layout_names_every_rank_once(void)
{
    char *text = parallel_layout_text();
    CU_ASSERT_EQUAL(strncmp(text, parallel_size() == 1 ? "rank 0 on " : "rank", 4), 0);
    char last[16];
    snprintf(last, sizeof last, "%d on ", parallel_size() - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, last));
    CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
    base_free(text);
    CU_ASSERT(parallel_peak_memory_bytes() > parallel_size() * (INT64_C(1) << 20));
}

MPI_TEST_MAIN("copies", TEST(gathering_keeps_the_order_of_ranks),
              TEST(texts_are_concatenated_on_every_rank), TEST(a_file_is_the_same_for_all),
              TEST(a_missing_file_gives_one_message), TEST(rows_reach_whoever_wants_them),
              TEST(wanted_rows_that_nobody_has_stay), TEST(the_layout_names_every_rank_once))
