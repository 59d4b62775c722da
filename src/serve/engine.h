/* SPDX-License-Identifier: BSD-3-Clause */
/* The dynamic machine's door: one replica of a serving engine, iteration by iteration.
 *
 * An iteration is a batch: sequences that get a token each, prompts or parts of them. Who takes
 * part is decided when it begins, from who has come and what is free then; how long it takes says a
 * clock. Nothing here draws or knows a GPU. */
#ifndef SERVE_ENGINE_H
#define SERVE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/gpu_batch.h"
#include "base/serve_spec.h"
#include "serve/requests.h"

#define SERVE_NEVER INT64_MAX

/* How an engine forms its batches. */
struct serve_rules {
    enum serve_batching batching;
    int64_t budget_tokens; /* of an iteration */
    int32_t max_sequences; /* that are in at once; at most budget_tokens */
    bool prompts_first;  /* prompts alone as long as one can go; else beside generating sequences */
    bool splits_prompts; /* a prompt that exceeds what is left of the budget is split */
    bool preempts;       /* blocks as they are needed, the youngest recomputed where none is left;
                            else prompt and answer must fit before a sequence is let in */
    int64_t blocks;      /* of the KV cache */
    int32_t block_tokens; /* positions of a block */
    int64_t front_ps;     /* the front end takes so long for a request, one at a time */
    /* Dynamic batches: longest wait for a preferred size; its multiples; 0: the largest batch. */
    int64_t batch_delay_ps;
    int32_t preferred_sequences;
};

/* Whether the engine could ever serve the request. */
bool serve_rules_can_hold(const struct serve_rules *rules, const struct serve_request *request);

/* How long an iteration takes, more than 0: a function of replica, number of the iteration and
 * batch. */
struct serve_clock {
    int64_t (*iteration_ps)(void *context, int32_t replica, int64_t iteration,
                            const struct gpu_batch *batch);
    void *context;
};

/* What an engine has done. */
struct serve_tally {
    int64_t iterations, prompt_iterations;
    int64_t busy_ps;        /* time in iterations */
    int64_t prompt_tokens;  /* positions that passed, recomputed and padded ones included */
    int64_t output_tokens;  /* that clients got */
    int64_t preemptions;    /* sequences that lost their blocks */
    int64_t most_blocks;    /* in use at once */
    int64_t most_sequences; /* in at once */
};

struct serve_engine;

/* Rules and clock are copied. Free with serve_engine_free. */
struct serve_engine *serve_engine_create(int32_t replica, const struct serve_rules *rules,
                                         const struct serve_clock *clock);
void serve_engine_free(struct serve_engine *engine);

/* A request comes at `now_ps`, not before the one pushed before it; it must be one that the engine
 * can hold. `outcome` is filled as things happen and must live until it has finished. */
void serve_engine_push(struct serve_engine *engine, size_t number,
                       const struct serve_request *request, int64_t now_ps,
                       struct serve_outcome *outcome);

/* Whether an iteration is under way. */
bool serve_engine_is_running(const struct serve_engine *engine);

/* When the iteration ends, or else when one begins if nobody else comes; SERVE_NEVER: nobody is
 * there. */
int64_t serve_engine_next_ps(const struct serve_engine *engine);

/* Ends the iteration or begins one, at serve_engine_next_ps, which must not be SERVE_NEVER. At one
 * moment ends come before requests, and these before beginnings. */
void serve_engine_step(struct serve_engine *engine);

/* Numbers of the requests that got their last token with the iteration that ended last, in no
 * particular order. */
const size_t *serve_engine_finished(const struct serve_engine *engine, size_t *count);

/* What it has to do for requests that it has been given: tokens that are not generated, and
 * positions of prompts that have not passed whole. */
int64_t serve_engine_outstanding(const struct serve_engine *engine);

/* The batch that began last. */
const struct gpu_batch *serve_engine_batch(const struct serve_engine *engine);

const struct serve_tally *serve_engine_tally(const struct serve_engine *engine);

/* Blocks, budget, sums and order are as they should be; for tests. */
bool serve_engine_is_valid(const struct serve_engine *engine);

#endif
