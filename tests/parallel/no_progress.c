/* SPDX-License-Identifier: BSD-3-Clause */
/* No progress is found when it is there, by all ranks, and only then. */
#include <time.h>

#include "base/random.h"
#include "mpi_test.h"
#include "parallel/mail.h"
#include "parallel/place.h"

static void count_letter(void *context, const struct parallel_letter *letter)
{
    (void)letter;
    ++*(int *)context;
}

static void work_for_ms(long milliseconds)
{
    struct timespec time = {0, milliseconds * 1000000};
    nanosleep(&time, NULL);
}

static void all_blocked_is_found_by_all(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    int letters = 0;
    CU_ASSERT_EQUAL(parallel_mail_wait(mail, count_letter, &letters), PARALLEL_MAIL_NO_PROGRESS);
    CU_ASSERT_EQUAL(letters, 0);
    parallel_mail_close(mail);
}

static void one_blocked_is_found_though_the_others_are_done(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    int letters = 0;
    enum parallel_mail_state state =
        parallel_is_first() ? parallel_mail_wait(mail, count_letter, &letters)
                            : parallel_mail_settle(mail, BASE_OK, count_letter, &letters);
    CU_ASSERT_EQUAL(state, PARALLEL_MAIL_NO_PROGRESS);
    parallel_mail_close(mail);
}

static void blocked_ranks_see_that_another_failed(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    int letters = 0;
    bool fails = parallel_rank() == parallel_size() - 1;
    enum parallel_mail_state state =
        fails ? parallel_mail_settle(mail, BASE_CONTRACT, count_letter, &letters)
              : parallel_mail_wait(mail, count_letter, &letters);
    CU_ASSERT_EQUAL(state, PARALLEL_MAIL_FAILED);
    parallel_mail_close(mail);
}

static void a_slow_rank_is_not_taken_for_a_dead_one(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    int letters = 0;
    for (int turn = 0; turn < 5; turn++) {
        int slow = turn % parallel_size();
        if (parallel_rank() == slow) {
            work_for_ms(20);
            for (int to = 0; to < parallel_size(); to++)
                parallel_mail_send(mail, to, turn, "", 0);
        }
        while (letters <= turn)
            CU_ASSERT_EQUAL_FATAL(parallel_mail_wait(mail, count_letter, &letters),
                                  PARALLEL_MAIL_ARRIVED);
    }
    CU_ASSERT_EQUAL(parallel_mail_settle(mail, BASE_OK, count_letter, &letters),
                    PARALLEL_MAIL_SETTLED);
    parallel_mail_close(mail);
}

/* One token wanders by random hops, with random delays that let rounds start; then it is lost. */
static void a_wandering_token_is_progress_until_it_is_lost(void)
{
    enum { HOPS = 200 };
    struct parallel_mail *mail = parallel_mail_open();
    int letters = 0, seen = 0;
    uint64_t size = (uint64_t)parallel_size();
    for (uint64_t hop = 0; hop < HOPS; hop++) {
        int from = hop ? (int)(base_random_u64(3, BASE_RANDOM_LINK, 0, hop) % size) : 0;
        int to = (int)(base_random_u64(3, BASE_RANDOM_LINK, 0, hop + 1) % size);
        if (parallel_rank() == from) {
            if (base_random_u64(3, BASE_RANDOM_HOST, 0, hop) % 10 == 0)
                work_for_ms(3);
            parallel_mail_send(mail, to, 0, &hop, sizeof hop);
        }
        if (parallel_rank() == to)
            for (seen++; letters < seen;)
                CU_ASSERT_EQUAL_FATAL(parallel_mail_wait(mail, count_letter, &letters),
                                      PARALLEL_MAIL_ARRIVED);
    }
    CU_ASSERT_EQUAL(parallel_mail_wait(mail, count_letter, &letters), PARALLEL_MAIL_NO_PROGRESS);
    parallel_mail_close(mail);
}

static void read_letters(struct parallel_mail *mail, int *letters, int until)
{
    while (*letters < until)
        CU_ASSERT_EQUAL_FATAL(parallel_mail_wait(mail, count_letter, letters),
                              PARALLEL_MAIL_ARRIVED);
}

/* The first rank joins a round, then answers a letter that the other counts in the same round: sent
 * and received are equal although the first rank still works and has a letter to send. */
static void counts_that_agree_by_chance_are_not_believed(void)
{
    enum { JOINED_MS = 10, ROUND_MS = 30 };
    struct parallel_mail *mail = parallel_mail_open();
    int letters = 0, rank = parallel_rank(), other = parallel_size() - 1;
    if (other > 0 && rank == 0) {
        read_letters(mail, &letters, 1);
        parallel_mail_send(mail, other, 0, "", 0);
        work_for_ms(ROUND_MS);
        parallel_mail_send(mail, other, 0, "", 0);
    } else if (other > 0 && rank == other) {
        work_for_ms(JOINED_MS);
        parallel_mail_send(mail, 0, 0, "", 0);
        read_letters(mail, &letters, 2);
    }
    CU_ASSERT_EQUAL(parallel_mail_settle(mail, BASE_OK, count_letter, &letters),
                    PARALLEL_MAIL_SETTLED);
    parallel_mail_close(mail);
}

static void a_stall_after_settling_is_found_again(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    int letters = 0;
    CU_ASSERT_EQUAL(parallel_mail_settle(mail, BASE_OK, count_letter, &letters),
                    PARALLEL_MAIL_SETTLED);
    double before = parallel_wall_seconds();
    CU_ASSERT_EQUAL(parallel_mail_wait(mail, count_letter, &letters), PARALLEL_MAIL_NO_PROGRESS);
    CU_ASSERT(parallel_wall_seconds() - before < 5);
    parallel_mail_close(mail);
}

MPI_TEST_MAIN("no progress", TEST(all_blocked_is_found_by_all),
              TEST(one_blocked_is_found_though_the_others_are_done),
              TEST(blocked_ranks_see_that_another_failed),
              TEST(a_slow_rank_is_not_taken_for_a_dead_one),
              TEST(a_wandering_token_is_progress_until_it_is_lost),
              TEST(counts_that_agree_by_chance_are_not_believed),
              TEST(a_stall_after_settling_is_found_again))
