/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of a .cfg file with its @includes in place, and which file and line each line came from.
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct config_place {
    const char *file; /* owned by the config_text */
    int line;
};

/* Line n of the text (from 1) is place[n - 1]. */
struct config_text {
    char *text;
    size_t length, text_capacity;
    struct config_place *place;
    size_t lines, line_capacity;
    char **file;
    size_t files, file_capacity;
    bool incomplete; /* an @include could not be followed */
};

/* Reads `path`. An @include is relative to the file it stands in. Integers that need more than 32
 * bits get the suffix L that libconfig wants, so that none is cut short. Adds faults to `report`;
 * returns whether there is a text to parse. Release in either case. */
bool config_text_read(const char *path, struct config_text *text, struct base_report *report);

void config_text_release(struct config_text *text);

/* Where line `line` of the text was written; the last line where there are fewer. */
struct config_place config_text_place(const struct config_text *text, unsigned line);

/* `path` as seen from the folder of `file`; absolute ones and "" stay. Free with base_free. */
char *config_path_beside(const char *file, const char *path);

#endif
