/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of a summary on the terminal: a label, and what each machine has to say. */
#ifndef APP_ROWS_H
#define APP_ROWS_H

#include <stdbool.h>

#include "base/status.h"

enum { APP_ROWS_LABEL = 22, APP_ROWS_CELL = 38 };

/* Escape sequences; empty texts without a terminal. */
struct app_paint {
    const char *bold, *dim, *good, *bad, *off;
};

struct app_paint app_rows_paint(void);

/* A row of both machines; owns `left` and `right`, NULL where a machine takes no part. */
void app_rows_print(const struct app_paint *p, const char *label, char *left, char *right);

/* The heads of both columns, of machines that take part. */
void app_rows_heads_print(const struct app_paint *p, bool lpu, bool gpu);

void app_rows_title(const struct app_paint *p, const char *title);

/* Adds a fault where standard output did not take all that was printed. */
void app_rows_flush(struct base_report *report);

#endif
