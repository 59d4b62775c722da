/* SPDX-License-Identifier: BSD-3-Clause */
/* One language model on two machines: where is each decision made, and what does that do to time?
 */
#include "app/app.h"
#include "parallel/parallel.h"

/* The way of a run. Each phase is collective and gives the same status on all ranks. */
static app_phase *const story[] = {
    app_input_read,    /* configuration and model, checked */
    app_record_begin,  /* the file, before any work */
    app_lpu_compile,   /* model + rack -> a program for every chip, a timetable of every link */
    app_explain_show,  /* how near the schedule is to its bound, where asked for */
    app_lpu_execute,   /* the request, instruction by instruction, every promise checked */
    app_gpu_simulate,  /* the request, event by event, on contended links */
    app_serve_request, /* the request's way through both machines' doors */
    app_compare_run,   /* where decisions were made, and what that did to time */
    app_record_end,    /* the file, complete */
    app_summary_show,  /* both machines side by side */
};

static int tell(struct app_run *run)
{
    enum base_status status = BASE_OK;
    for (size_t i = 0; i < sizeof story / sizeof story[0] && !run->over; i++) {
        status = story[i](run);
        if (status != BASE_OK)
            break;
    }
    return app_finish(run, status);
}

int main(int argc, char **argv)
{
    parallel_start(&argc, &argv);
    struct app_run run = {0};
    struct app_command command = app_command_read(argc, argv, &run.report);
    run.command = &command;
    int status = tell(&run);
    app_command_release(&command);
    parallel_finish();
    return status;
}
