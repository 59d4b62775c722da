/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run knows, and its phases in the order of the story that main tells. */
#ifndef APP_APP_H
#define APP_APP_H

#include <stdbool.h>

#include "app/command.h"
#include "base/status.h"
#include "config/scenario.h"
#include "model/model.h"
#include "record/record.h"
#include "serve/carousel.h"

struct app_artifact;    /* app/artifact.h */
struct app_attribution; /* app/attribute.h */
struct app_frontier;    /* app/frontier.h */
struct app_lpu;         /* app/lpu.h */
struct app_gpu;         /* app/gpu.h */
struct app_values;      /* app/values.h */
struct app_compare;     /* app/compare.h */
struct app_serving;     /* app/serving.h */
struct app_rollout;     /* app/rollout.h */
struct app_run;

/* The request as one machine served it. */
struct app_served {
    struct serve_request request;
    struct serve_times times;
    int64_t start_ps; /* of its first step */
};

/* Tokens a second after the first; of a single token, over the whole request. */
double app_served_rate(const struct app_served *served);

/* All sequences that shared the LPU's pipeline. */
struct app_crowd {
    int32_t sequences;
    int64_t earliest_ps, latest_ps; /* first tokens */
    int64_t finished_ps;            /* the last token of all */
    double tokens_per_s;            /* over the whole run, prompts included */
};
struct app_crowd app_served_crowd(const struct app_run *run);

/* Zero but for `command` at the start; each phase adds what it found out. */
struct app_run {
    const struct app_command *command;
    struct scenario scenario;
    struct model model;
    struct base_report report;
    struct record_file *file;      /* NULL: no output is wanted, or it is closed */
    struct app_artifact *artifact; /* NULL: programs are compiled */
    struct app_lpu *lpu;           /* NULL where the LPU does not take part */
    struct app_values *values;     /* NULL where no numbers are computed */
    struct app_gpu *gpu;
    struct app_attribution *attribution; /* NULL but for attribute */
    struct app_frontier *frontier;       /* NULL but for frontier */
    struct app_served served[2];         /* by enum record_machine */
    struct app_compare *compare;
    struct app_serving *serving; /* NULL but for serve */
    struct app_rollout *rollout; /* NULL but for rollout */
    char progress[96];           /* how far the run got, for a file that ends early */
    enum base_status verdict;    /* of a run that reached its end: BASE_CONTRACT, or BASE_OK */
    int stop_signal;             /* that ended the run early; 0: none */
    bool over;                   /* nothing is left to do */
};

/* Collective, like everything of this room that takes a run; the status is the same on all ranks,
 * and the first rank has said what is wrong. Phases of a machine that takes no part do nothing. */
typedef enum base_status app_phase(struct app_run *run);

app_phase app_input_read;    /* configuration and model, checked */
app_phase app_record_begin;  /* the file, opened before any work, with provenance and model */
app_phase app_lpu_compile;   /* model + rack -> a program for every chip, a timetable of links */
app_phase app_explain_show;  /* with --explain: how good the schedule is, and the end */
app_phase app_lpu_execute;   /* the request, instruction by instruction, promises checked */
app_phase app_gpu_simulate;  /* the request, event by event, on contended links */
app_phase app_serve_request; /* the request's way through both machines' doors */
app_phase app_compare_run;   /* where decisions were made, and what that did to time */
app_phase app_record_end;    /* the file, complete */
app_phase app_summary_show;  /* side by side on the terminal, and as JSON */

app_phase app_attribute_run;  /* attribute: one source of variability frozen at a time */
app_phase app_attribute_show; /* attribute: shares of the variance and of the tail */

app_phase app_serving_read;  /* serve: the requests, of a trace or drawn */
app_phase app_serving_run;   /* serve: both machines, one after the other, and their measures */
app_phase app_frontier_run;  /* frontier: the highest rates that keep limits */
app_phase app_frontier_show; /* frontier: tables of rates and of loads */

app_phase app_serving_show; /* serve: side by side on the terminal, and as JSON */

app_phase app_rollout_load; /* rollout: both artifacts, the canary executed under the contract */
app_phase app_rollout_run;  /* rollout: the requests without it and with it */
app_phase app_rollout_show; /* rollout: what happened when, and which requests that cost */

app_phase app_artifact_write;  /* compile: plan and programs into a file */
app_phase app_artifact_verify; /* verify: what was checked, and what was broken */
app_phase app_artifact_show;   /* show: the plan, or a chip's instructions */
app_phase app_artifact_diff;   /* diff: what moved, what got slower */

/* Says how far the run has got. */
void app_progress(struct app_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Closes a file that is still open as incomplete. */
void app_record_abandon(struct app_run *run);

/* Releases the run and gives the status of the process: `status`, the verdict, or 128 + signal. */
int app_finish(struct app_run *run, enum base_status status);

#endif
