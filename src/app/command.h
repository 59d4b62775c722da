/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: one configuration file, and what stands beside it. */
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum app_command_kind {
    APP_COMMAND_RUN,
    APP_COMMAND_CHECK, /* validate, print the effective configuration, run nothing */
    APP_COMMAND_VERSION,
    APP_COMMAND_HELP,
    APP_COMMAND_WRONG, /* the report says why */
};

/* Overrides are owned, the rest points into argv. Release with app_command_release. */
struct app_command {
    enum app_command_kind kind;
    const char *file; /* the .cfg file */
    char **override;  /* "key=value", in the order given */
    size_t overrides, override_capacity;
    char *line; /* all arguments, for the record */
};

struct app_command app_command_read(int argc, char **argv, struct base_report *report);
void app_command_release(struct app_command *command);

/* What --help and --version print, on standard output. */
void app_command_help(void);
void app_command_version(void);

#endif
