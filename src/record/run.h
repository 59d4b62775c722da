/* SPDX-License-Identifier: BSD-3-Clause */
/* Provenance: what a file has to say about the run that wrote it. The group /run may differ between
 * rank counts. */
#ifndef RECORD_RUN_H
#define RECORD_RUN_H

#include "record/record.h"

/* Calls back once for every option: key and value as the user would write them. */
typedef void record_option_visitor(void *visit_context, const char *key, const char *value);

struct record_run {
    const char *program_version; /* "0.1.0" */
    const char *source_state;    /* "git describe" of the sources, or "unknown" */
    const char *command_line;
    const char *configuration; /* the effective configuration as text */
    uint64_t seed;
    /* Visits all options; NULL for none. */
    void (*visit_options)(void *options, record_option_visitor *visitor, void *visit_context);
    void *options;
};

/* Collective. Writes /run and /run/configuration; adds compiler, libraries, host, rank layout and
 * start time. */
enum base_status record_run_begin(struct record_file *file, const struct record_run *run);

/* Collective. Adds wall time and peak memory. */
enum base_status record_run_end(struct record_file *file);

#endif
