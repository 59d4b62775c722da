/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks that involve more than one option. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "base/status.h"
#include "config/sources.h"

/* Adds a fault for each rule that the scenario breaks; rules about refused or absent values, and
 * about the machine that the mode leaves out, are skipped. */
void config_check(const struct scenario *scenario, const struct config_sources *sources,
                  struct base_report *report);

/* Whether the mode wants this side; shared options always are. */
bool config_side_is_wanted(const struct scenario *scenario, const struct config_sources *sources,
                           enum option_side side);

#endif
