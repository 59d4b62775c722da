/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients that each keep one request in an engine with continuous batching, step by step. */
#ifndef MEASURED_CLOSED_LOOP_H
#define MEASURED_CLOSED_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/gpu_batch.h"

/* How an engine forms its batches. */
struct batching {
    int64_t budget;       /* tokens of a step */
    bool prompts_first;   /* prompts alone as long as any waits; else beside generating sequences */
    bool splits_prompts;  /* a prompt that exceeds what is left of the budget is split */
    int64_t kv_positions; /* that fit the memory: a request is let in where its last token fits */
};

/* All clients begin at once; a front end passes prompts on one by one. Each client sends its next
 * request `client_ps` after the last token of the one before came. */
struct closed_loop {
    int64_t clients, prompt, output, rounds; /* rounds: requests of a client, one after the other */
    double shortest; /* lengths are drawn evenly from this share of prompt and output up to both; 1:
                        all alike */
    int64_t client_ps;
    int64_t front_ps; /* the front end takes so long for a prompt, one at a time */
    struct batching batching;
    /* Time of a step. */
    int64_t (*step_ps)(void *context, const struct gpu_batch *batch);
    void *context;
};

/* Means over requests, in picoseconds; tpot: per token behind the first. */
struct closed_loop_times {
    double ttft_ps, tpot_ps;
    int64_t last_first_ps; /* when the last first token came */
    int64_t steps, prompt_steps;
};

/* A request alone must fit kv_positions, output be 1 or more, and a prompt that is not split fit
 * the budget. */
struct closed_loop_times closed_loop_run(const struct closed_loop *loop);

#endif
