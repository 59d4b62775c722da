/* SPDX-License-Identifier: BSD-3-Clause */
/* Instructions of a chip as text. */
#ifndef APP_ARTIFACT_LIST_H
#define APP_ARTIFACT_LIST_H

#include "app/artifact.h"

/* Prints those that the command asks for, in the order of their cycles; faults go to `report`. */
void app_artifact_list(const struct app_artifact *artifact, const struct app_command *command,
                       struct base_report *report);

#endif
