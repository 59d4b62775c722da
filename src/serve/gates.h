/* SPDX-License-Identifier: BSD-3-Clause */
/* What a canary must keep: its requests of a window beside those of the stable schedule. */
#ifndef SERVE_GATES_H
#define SERVE_GATES_H

#include "base/serve_spec.h"
#include "serve/requests.h"

enum serve_version { SERVE_STABLE, SERVE_CANARY, SERVE_VERSIONS };

enum serve_gate {
    SERVE_GATE_NONE,
    SERVE_GATE_TTFT_LIMIT,
    SERVE_GATE_TPOT_LIMIT,
    SERVE_GATE_TTFT_RATIO,
    SERVE_GATE_TPOT_RATIO,
    SERVE_GATE_REFUSALS,
    SERVE_GATE_CONTRACT, /* an instruction did what the contract forbids */
    SERVE_GATES
};

/* Times that were seen; grows. */
struct serve_times_seen {
    int64_t *ps;
    size_t count, capacity;
};

/* Requests of one schedule since a window began. Zero: none yet; serve_sample_release. */
struct serve_sample {
    struct serve_times_seen ttft, tpot; /* of finished ones; tpot of two tokens or more */
    int64_t decided, refused;           /* decided: let in or refused */
};

void serve_sample_finish(struct serve_sample *sample, const struct serve_request *request,
                         const struct serve_outcome *outcome);
void serve_sample_clear(struct serve_sample *sample);
void serve_sample_release(struct serve_sample *sample);

/* What a window shows of one schedule; times -1: of nobody. */
struct serve_sight {
    int64_t finished, decided, refused;
    int64_t ttft_p99_ps, tpot_p99_ps;
};

/* Sorts the times. */
struct serve_sight serve_sample_look(struct serve_sample *sample);

/* The first gate that the canary breaks. A percentile is broken by more requests beyond it than
 * one in a hundred, and than chance would bring in one of a thousand windows. Ratios are judged
 * where both have finished spec->rollout.least requests. Sorts the times. */
enum serve_gate serve_gates_judge(const struct serve_spec *spec,
                                  struct serve_sample sample[SERVE_VERSIONS]);

/* The chance of `hits` or more of `trials`, each with probability 0 <= p <= 1. */
double serve_gates_chance(int64_t trials, int64_t hits, double p);

#endif
