/* SPDX-License-Identifier: BSD-3-Clause */
/* The steps of a run: when each begins, and where its sequences stand. */
#ifndef APP_LPU_STEPS_H
#define APP_LPU_STEPS_H

#include "app/lpu.h"

/* Collective. Lists lpu->step and, where seats are shared, says from which on they may be replayed.
 */
void app_lpu_list_steps(struct app_run *run);

/* Where the sequences of a step stand, and whose tokens they are. */
struct app_lpu_stand {
    struct program_sequence at[PROGRAM_SEQUENCES];
    int32_t sequence[PROGRAM_SEQUENCES];
};
struct app_lpu_stand app_lpu_stand_of(const struct app_run *run,
                                      const struct record_lpu_step *step);

/* Positions of a sequence's prompt before that of its last token. */
int32_t app_lpu_prompt_rows(const struct app_run *run, int32_t sequence);

/* Whether a step gives its sequences tokens that count: a decode step behind their prompts. */
bool app_lpu_gives_tokens(const struct app_run *run, const struct record_lpu_step *step);

/* Where the decode steps of a sequence that give tokens end: the next from number `from` on that
 * does, or -1. A batch is sequence 0. */
int32_t app_lpu_next_token(const struct app_run *run, int32_t sequence, int32_t from);

#endif
