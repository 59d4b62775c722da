/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals that ask the run to stop: remembered here, acted upon when all ranks know. */
#include <signal.h>
#include <string.h>

#include "parallel/parallel.h"
#include "parallel/room.h"

static volatile sig_atomic_t caught;

static void remember(int number)
{
    caught = number;
}

void parallel_catch_signals(void)
{
    static const int stops[] = {SIGTERM, SIGINT, SIGUSR1};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    action.sa_handler = remember;
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
        sigaction(stops[i], &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &action, NULL);
}

int parallel_stop_signal(void)
{
    return caught;
}

int parallel_stop_requested(void)
{
    int64_t number = parallel_stop_signal();
    parallel_max_i64(&number, 1);
    return (int)number;
}
