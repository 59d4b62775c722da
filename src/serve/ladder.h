/* SPDX-License-Identifier: BSD-3-Clause */
/* Which buckets suit a list of requests: every decode step takes the smallest one that holds what
 * it attends to. */
#ifndef SERVE_LADDER_H
#define SERVE_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/machine.h"
#include "serve/requests.h"

/* Decode steps of all requests by the positions that they attend to. */
struct serve_demand {
    int64_t *up_to;   /* [most + 1]: steps that attend to at most so many; serve_demand_release */
    int32_t most;     /* positions of the largest bucket */
    int64_t steps;    /* up_to[most] */
    int64_t attended; /* positions, of all steps together */
    int64_t requests, refused; /* refused: longer than the largest bucket, and not in `steps` */
};

/* With `prompts` prompt tokens take decode steps, too. most > 0. */
struct serve_demand serve_demand_of(const struct serve_request *request, size_t count, int32_t most,
                                    bool prompts);
void serve_demand_release(struct serve_demand *demand);

/* A bucket, and how long its decode step is. */
struct serve_rung {
    int32_t positions;
    int64_t cycles;
};

/* Buckets, the smallest first; the last one is the largest of the demand. */
struct serve_ladder {
    int32_t buckets;
    struct serve_rung rung[SERVE_BUCKETS];
};

/* Cycles, and positions that rows attend to, of all steps together. */
struct serve_price {
    int64_t cycles, positions;
};
struct serve_price serve_ladder_price(const struct serve_demand *demand,
                                      const struct serve_ladder *ladder);

/* The ladder of `buckets` of these sizes, ascending, the largest among them, with the fewest cycles
 * of all steps; of equal ones that with the smaller sizes, compared from the largest down. False
 * where there are fewer sizes. */
bool serve_ladder_best(const struct serve_demand *demand, const struct serve_rung *size,
                       int32_t sizes, int32_t buckets, struct serve_ladder *best);

/* The cycles of a bucket between known ones, ascending, on straight lines between neighbours and
 * beyond the ends, rounded to the nearest; `count` at least 1. */
int64_t serve_rung_between(const struct serve_rung *known, size_t count, int32_t positions);

#endif
