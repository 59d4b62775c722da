/* SPDX-License-Identifier: BSD-3-Clause */
/* All CSV files below a folder, in the order of their names. */
#ifndef MEASURED_FOLDER_H
#define MEASURED_FOLDER_H

#include <stdbool.h>

/* Visits every CSV file below `folder` whose path holds `word` (NULL: every one). False, with a
 * message on standard error, where the folder cannot be read. */
bool folder_walk(const char *folder, const char *word,
                 void (*visit)(void *context, const char *path), void *context);

#endif
