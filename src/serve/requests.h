/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests, and what becomes of each: the same words for both machines. */
#ifndef SERVE_REQUESTS_H
#define SERVE_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

/* What a client wants; times in picoseconds from the start of the trace. Lists of requests are
 * sorted by arrival. */
struct serve_request {
    int64_t arrival_ps;
    int32_t prompt_tokens, output_tokens; /* both at least 1 */
    int32_t tenant;                       /* from 0 */
};

/* Where a request is when the simulation ends; every request is in exactly one of them. */
enum serve_fate {
    SERVE_WAITING, /* neither refused nor finished when the simulation stopped */
    SERVE_FINISHED,
    SERVE_TOO_LONG,    /* refused: no bucket, or not the memory of the whole machine, holds it */
    SERVE_TOO_LATE,    /* refused: its limits could not have been met */
    SERVE_OVER_BUDGET, /* refused: its tenant had no tokens left within the limits */
    SERVE_FATES
};

/* Times are -1 where the event did not happen. first_token_ps and finished_ps are when the client
 * has the token. */
struct serve_outcome {
    enum serve_fate fate;
    int32_t replica;     /* that served it; -1: none */
    int32_t preemptions; /* times it lost its KV cache */
    int64_t admitted_ps, first_token_ps, finished_ps;
    int64_t promised_ps;    /* finished_ps as it was told at admission; -1: nothing was promised */
    int64_t longest_gap_ps; /* between two tokens; 0 where there is one token */
};

#endif
