/* SPDX-License-Identifier: BSD-3-Clause */
/* Leaves in the way its argument names, for ways_out.py to watch. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/parallel.h"

static int last(void)
{
    return parallel_rank() == parallel_size() - 1;
}

/* Steps until a signal comes; ends with 128 + its number. */
static int step_until_stopped(void)
{
    int number = 0;
    puts("stepping");
    fflush(stdout);
    while (!number)
        number = parallel_stop_requested();
    parallel_finish();
    return 128 + number;
}

static int leave_together(void)
{
    struct base_report report = {0};
    if (last())
        base_report_add(&report, "rack.cfg", 7, "no such key");
    enum base_status status = parallel_agree_report(&report, BASE_USAGE);
    base_report_release(&report);
    parallel_finish();
    return (int)status;
}

int main(int argc, char **argv)
{
    parallel_start(&argc, &argv);
    const char *way = argc > 1 ? argv[1] : "";
    if (!strcmp(way, "stop"))
        return step_until_stopped();
    if (!strcmp(way, "together"))
        return leave_together();
    if (!strcmp(way, "abort") && last())
        parallel_abort(BASE_CONTRACT, "chip %d broke its promise", 5);
    if (!strcmp(way, "die") && last())
        raise(SIGKILL);
    for (;;)
        parallel_stop_requested();
}
