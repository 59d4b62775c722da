/* SPDX-License-Identifier: BSD-3-Clause */
/* The prompts of the sequences whose numbers are computed. */
#ifndef APP_PROMPTS_H
#define APP_PROMPTS_H

#include "app/values.h"

/* Fills the prompt of every sequence of run->values, and the tokenizer where there is one. Words
 * are taken from the command or the scenario: with several sequences each line of a text, and each
 * list of ids between semicolons, is a prompt, and sequence s has prompt s mod their number.
 * Without words each sequence draws its own. Checks that they fit, and sets workload.prompt_tokens
 * by the longest. Faults go into run->report. */
void app_prompts_read(struct app_run *run);

#endif
