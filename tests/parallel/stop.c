/* SPDX-License-Identifier: BSD-3-Clause */
/* A signal to one rank stops all of them at the same step. */
#include <signal.h>

#include "mpi_test.h"
#include "parallel/mail.h"

static void no_reader(void *context, const struct parallel_letter *letter)
{
    (void)context;
    (void)letter;
}

static void nothing_stops_without_a_signal(void)
{
    CU_ASSERT_EQUAL(parallel_stop_signal(), 0);
    CU_ASSERT_EQUAL(parallel_stop_requested(), 0);
}

static void all_ranks_stop_at_the_step_of_the_first_signal(void)
{
    enum { SIGNALLED_STEP = 7, STEPS = 20 };
    struct parallel_mail *mail = parallel_mail_open();
    int step;
    for (step = 0; step < STEPS; step++) {
        if (step == SIGNALLED_STEP && parallel_rank() == parallel_size() - 1)
            raise(SIGUSR1);
        CU_ASSERT_EQUAL_FATAL(parallel_mail_settle(mail, BASE_OK, no_reader, NULL),
                              PARALLEL_MAIL_SETTLED);
        if (parallel_mail_stop_signal(mail))
            break;
    }
    CU_ASSERT_EQUAL(step, SIGNALLED_STEP);
    CU_ASSERT_EQUAL(parallel_mail_stop_signal(mail), SIGUSR1);
    CU_ASSERT_EQUAL(parallel_stop_requested(), SIGUSR1);
    parallel_mail_close(mail);
}

MPI_TEST_MAIN("stop", TEST(nothing_stops_without_a_signal),
              TEST(all_ranks_stop_at_the_step_of_the_first_signal))
