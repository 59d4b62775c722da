/* SPDX-License-Identifier: BSD-3-Clause */
/* How much ops of real clusters vary: traces and repeated kernels below a folder. */
#ifndef MEASURED_SPREAD_H
#define MEASURED_SPREAD_H

#include <stdbool.h>

/* A line for each kind of op that a table has. False, with a message on standard error, where the
 * folder cannot be read. */
bool spread_print(const char *folder);

#endif
