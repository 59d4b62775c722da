/* SPDX-License-Identifier: BSD-3-Clause */
/* Configurations for tests: files in a folder of their own, read with everything that is reported.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* A scenario that was read, and the faults as text. Release with sample_release. */
struct sample {
    struct scenario scenario;
    struct base_report report;
    char *faults;
    bool accepted;
};

/* Writes `text` to the file `name` of the test's temporary folder ("sub/x.cfg" makes the folder)
 * and returns its path, valid until the next 16 calls. The folder goes when the process ends. */
const char *sample_file(const char *name, const char *text);

/* Reads a file with overrides (NULL ends them; NULL: none). */
struct sample sample_read(const char *path, const char *const *override);

/* Reads configs/small.cfg of the source tree with up to three overrides; NULL leaves one out. */
struct sample sample_small(const char *first, const char *second, const char *third);

void sample_release(struct sample *sample);

bool sample_says(const struct sample *sample, const char *fragment);

#endif
