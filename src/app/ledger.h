/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger of decisions, both machines side by side. */
#ifndef APP_LEDGER_H
#define APP_LEDGER_H

#include "app/compare.h"

/* Inside a token both machines, a class a line, and what the compiler had decided before. `label`:
 * width of the first column; `dim` and `off`: escape sequences around what is not a number. */
void app_ledger_print(const struct app_compare *compare, int label, const char *dim,
                      const char *off);

#endif
