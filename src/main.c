/* SPDX-License-Identifier: BSD-3-Clause */
/* One language model on two machines: where is each decision made, and what does that do to time?
 */
#include <string.h>

#include "app/app.h"
#include "app/collective.h"
#include "app/kernel.h"
#include "app/report.h"
#include "app/store.h"
#include "app/summary.h"
#include "app/trace.h"
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
    NULL,
};

/* What becomes of a schedule that is kept as a file. A run from one is the story above. */
static app_phase *const compile_story[] = {app_input_read, app_lpu_compile, app_artifact_write,
                                           NULL};
static app_phase *const verify_story[] = {app_input_read, app_lpu_compile, app_lpu_execute,
                                          app_artifact_verify, NULL};
static app_phase *const show_story[] = {app_input_read, app_artifact_show, NULL};
static app_phase *const diff_story[] = {app_input_read, app_artifact_diff, NULL};

/* Where the variance of the time between tokens comes from, on the GPU cluster. */
static app_phase *const attribute_story[] = {app_input_read, app_record_begin,   app_attribute_run,
                                             app_record_end, app_attribute_show, NULL};

/* Many requests, one after the other and at once, at both machines' doors. */
static app_phase *const serve_story[] = {
    app_input_read,  app_serving_read, app_record_begin, app_lpu_compile,
    app_serving_run, app_record_end,   app_serving_show, NULL};

/* How many of them a second each machine bears. */
static app_phase *const frontier_story[] = {
    app_input_read,   app_serving_read, app_record_begin,  app_lpu_compile,
    app_frontier_run, app_record_end,   app_frontier_show, NULL};

/* A new schedule goes out to the LPU racks while requests come. */
static app_phase *const rollout_story[] = {
    app_input_read,  app_serving_read, app_rollout_load, app_record_begin,
    app_rollout_run, app_record_end,   app_rollout_show, NULL};
/* The buckets that suit them. */
static app_phase *const buckets_story[] = {app_input_read,
                                           app_serving_read,
                                           app_record_begin,
                                           app_buckets_run,
                                           app_record_end,
                                           app_buckets_show,
                                           NULL};

/* The machines that serve them within limits. */
static app_phase *const plan_story[] = {app_input_read,
                                        app_serving_read,
                                        app_record_begin,
                                        app_plan_run,
                                        app_record_end,
                                        app_plan_show,
                                        NULL};

static app_phase *const *story_of(enum app_command_kind kind)
{
    switch (kind) {
    case APP_COMMAND_COMPILE:
        return compile_story;
    case APP_COMMAND_VERIFY:
        return verify_story;
    case APP_COMMAND_SHOW:
        return show_story;
    case APP_COMMAND_DIFF:
        return diff_story;
    case APP_COMMAND_ATTRIBUTE:
        return attribute_story;
    case APP_COMMAND_SERVE:
        return serve_story;
    case APP_COMMAND_FRONTIER:
        return frontier_story;
    case APP_COMMAND_ROLLOUT:
        return rollout_story;
    case APP_COMMAND_BUCKETS:
        return buckets_story;
    case APP_COMMAND_PLAN:
        return plan_story;
    default:
        return story;
    }
}

static int tell(struct app_run *run)
{
    enum base_status status = BASE_OK;
    app_phase *const *phase = story_of(run->command->kind);
    while (*phase && status == BASE_OK && !run->over)
        status = (*phase++)(run);
    return app_finish(run, status);
}

/* A command that is known, from its first phase to its last. */
static int run_story(const struct app_command *command)
{
    struct app_run run = {.command = command};
    return tell(&run);
}

static int run_command(int argc, char **argv)
{
    struct app_run run = {0};
    struct app_command command = app_command_read(argc, argv, &run.report);
    run.command = &command;
    int status = tell(&run);
    app_command_release(&command);
    return status;
}

/* A question about one kernel, one collective or the file of a run: the first rank answers it. */
typedef enum base_status question(int argc, char **argv);

static question *question_of(const char *word)
{
    static const struct {
        const char *word;
        question *about;
    } known[] = {{"kernel", app_kernel_answer},
                 {"collective", app_collective_answer},
                 {"report", app_report_answer},
                 {"trace", app_trace_answer}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(word, known[i].word) == 0)
            return known[i].about;
    return NULL;
}

static int ask(question *about, int argc, char **argv)
{
    enum base_status status = parallel_is_first() ? about(argc, argv) : BASE_OK;
    return (int)parallel_agree_status(status);
}

static int obey(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    question *about = question_of(word);
    if (about)
        return ask(about, argc - 2, argv + 2);
    if (strcmp(word, "show") == 0 && app_summary_is_asked(argc - 2, argv + 2))
        return ask(app_summary_answer, argc - 2, argv + 2);
    if (strcmp(word, "store") == 0)
        return app_store_answer(argc - 2, argv + 2, run_story);
    return run_command(argc, argv);
}

int main(int argc, char **argv)
{
    parallel_start(&argc, &argv);
    int status = obey(argc, argv);
    parallel_finish();
    return status;
}
