/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: what to do, with which configuration file or artifact, and what stands beside
 * it. */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* An option may choose a kind behind that of the first word. Those before VERSION need a file. */
enum app_command_kind {
    APP_COMMAND_RUN,
    APP_COMMAND_SERVE,     /* many requests at both machines' doors */
    APP_COMMAND_ROLLOUT,   /* a new schedule goes out while requests come */
    APP_COMMAND_EXPLAIN,   /* compile, and say how near the schedule is to its bound */
    APP_COMMAND_CHECK,     /* validate, print the effective configuration, run nothing */
    APP_COMMAND_GENERATE,  /* the model's words after a prompt, computed by the LPU */
    APP_COMMAND_COMPILE,   /* plan and programs into an artifact */
    APP_COMMAND_REPLAY,    /* RUN with the programs of an artifact */
    APP_COMMAND_VERIFY,    /* an artifact's programs under the contract */
    APP_COMMAND_DIFF,      /* two artifacts */
    APP_COMMAND_SHOW,      /* an artifact */
    APP_COMMAND_ATTRIBUTE, /* sources of variability on the GPU cluster */
    APP_COMMAND_FRONTIER,  /* rates of requests that keep limits, on both machines */
    APP_COMMAND_VERSION,
    APP_COMMAND_HELP,
    APP_COMMAND_WRONG, /* the report says why */
};

/* Overrides, ids and line are owned, others point into argv. Release with app_command_release. */
struct app_command {
    enum app_command_kind kind;
    enum app_command_kind word; /* of the first word alone, whatever options choose */
    const char *file;           /* the .cfg file, or the artifact */
    const char *other;          /* DIFF: the second artifact */
    char **override; /* "key=value", in the order given; those that a verb implies come last */
    size_t overrides, override_capacity;
    /* GENERATE only: */
    const char *prompt;  /* may be empty; NULL: prompt_ids has the prompt */
    int32_t *prompt_ids; /* at least 0; NULL: prompt has the prompt */
    int32_t prompt_id_count;
    int32_t max_new;             /* tokens to generate, at most; also workload.decode_tokens */
    bool print_ids;              /* ids instead of text */
    const char *artifact;        /* COMPILE: to write */
    const char *note;            /* COMPILE: for the history of a name; NULL: none */
    const char *store;           /* where artifacts "store:NAME" are; NULL: the environment says */
    const char *stable, *canary; /* ROLLOUT: artifacts */
    /* SHOW only: */
    int32_t chip;           /* -1: the plan */
    const char *op, *queue; /* instructions of these alone; NULL: of all */
    const char *phase;      /* "prefill", else those of decode */
    char *line;             /* all arguments, for the record */
};

struct app_command app_command_read(int argc, char **argv, struct base_report *report);
void app_command_release(struct app_command *command);

/* What --help and --version print, on standard output. */
void app_command_help(void);
void app_command_version(void);

#endif
