/* SPDX-License-Identifier: BSD-3-Clause */
/* From .cfg files and --set overrides to a scenario, and back to text. Not collective: every rank
 * may read. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "config/scenario.h"

/* Reads `file` and everything it refers to, then applies `count` overrides ("key=value"; paths in
 * them are relative to the working directory). Adds every fault of all files to `report`. Returns
 * whether `scenario` is complete and consistent; release it in either case. */
bool config_scenario_read(const char *file, const char *const *override, size_t count,
                          struct scenario *scenario, struct base_report *report);

/* The same from values that were kept, "key=value", as if they stood in `file`, one a line. Files
 * that they name need not be there. */
bool config_scenario_restore(const char *file, const char *const *kept, size_t kept_count,
                             const char *const *override, size_t count, struct scenario *scenario,
                             struct base_report *report);

void config_scenario_release(struct scenario *scenario);

/* Reads `file` as the description of one GPU, all of gpu.chip, then applies `count` overrides as
 * above (keys "gpu.chip.name"). Returns whether `chip` is complete. */
bool config_gpu_chip_read(const char *file, const char *const *override, size_t count,
                          struct gpu_chip *chip, struct base_report *report);

/* The same of a cluster, all of gpu.cluster; overrides may be of other groups of the GPU. What is
 * not in the file has its default: no neighbour, nobody degraded. */
bool config_gpu_cluster_read(const char *file, const char *const *override, size_t count,
                             struct gpu_cluster_spec *cluster, struct base_report *report);

/* The value of a known key was found out after reading, and put into the scenario: its source is
 * said to be "counted" from now on. */
void config_scenario_counted(struct scenario *scenario, const char *key);

/* The effective configuration as one .cfg file that reads back to the same scenario;
 * the source of each value stands beside it as a comment. */
void config_scenario_print(const struct scenario *scenario, FILE *stream);

enum config_value_type {
    CONFIG_INTEGER,
    CONFIG_REAL,
    CONFIG_BOOL,
    CONFIG_TEXT,
};

/* One value of the effective configuration. Texts live as long as the call that hands them out. */
struct config_value {
    const char *key;  /* "lpu.chip.clock" */
    const char *text; /* "900 MHz": as a user would write it */
    const char
        *unit; /* of `integer` and `real`: "Hz"; "1" for plain numbers, "" for text and bool */
    const char *source; /* "default", "configs/rack.cfg:12" or "--set" */
    enum config_value_type type;
    int64_t integer; /* CONFIG_INTEGER, CONFIG_BOOL */
    double real;     /* CONFIG_REAL */
};

/* Visits, in the table's order, every option that has a value. */
void config_scenario_for_each(const struct scenario *scenario,
                              void (*visit)(void *context, const struct config_value *value),
                              void *context);

/* All options with unit, range and default, for --help. */
void config_help_print(FILE *stream);

/* The reference page of all options (Markdown), docs/reference.md. */
void config_reference_write(FILE *stream);

#endif
