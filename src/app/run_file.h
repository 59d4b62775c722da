/* SPDX-License-Identifier: BSD-3-Clause */
/* From the file of a run to another one: how trace and report open both. */
#ifndef APP_RUN_FILE_H
#define APP_RUN_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "record/reader.h"

/* Opens the file of a run and checks its tables; NULL with faults. */
struct record_reader *app_run_file_open(const char *file, struct base_report *report);

/* Whether the file begins as HDF5 files do. */
bool app_run_file_is_hdf5(const char *file);

/* Opens `output`; NULL and a fault where it is `file` itself, or cannot be written. */
FILE *app_output_open(const char *output, const char *file, struct base_report *report);

/* Closes; a fault where not everything could be written. Returns how many bytes there are. */
int64_t app_output_close(FILE *stream, const char *output, struct base_report *report);

#endif
