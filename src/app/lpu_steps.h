/* SPDX-License-Identifier: BSD-3-Clause */
/* The steps of a run: when each begins, and where its sequences stand. */
#ifndef APP_LPU_STEPS_H
#define APP_LPU_STEPS_H

#include "app/lpu.h"

/* Collective. Lists lpu->step, and marks in lpu->executes which must not be replayed. */
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

/* Steps that bring in the prompts of the batch whose first sequence is `first`, but for their last
 * tokens. */
int32_t app_lpu_prompt_steps(const struct app_run *run, int32_t first);

/* Step `number` of that batch, in caches from `cache` on; its times and its number in the run are
 * 0. */
struct record_lpu_step app_lpu_step_of(const struct app_run *run, int32_t first, int32_t cache,
                                       int32_t number);

/* Whether a step gives its sequences tokens that count: a decode step behind their prompts. */
static inline bool app_lpu_gives_tokens(const struct record_lpu_step *step)
{
    return step->phase == RECORD_DECODE && step->round >= 0;
}

/* The next step from number `from` on that gives a sequence a token, or -1. */
int32_t app_lpu_next_token(const struct app_run *run, int32_t sequence, int32_t from);

#endif
