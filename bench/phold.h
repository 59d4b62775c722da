/* SPDX-License-Identifier: BSD-3-Clause */
/* PHOLD: objects that pass events on after a random time, the usual load of event engines. */
#ifndef BENCH_PHOLD_H
#define BENCH_PHOLD_H

#include <stdint.h>

#include "engine/engine.h"

/* Each object begins with one event. An event makes one more, `lookahead` and an exponential time
 * of mean `mean` later: with chance `remote` at an object drawn among all, else at the same one. */
struct phold_spec {
    int32_t objects;
    double remote;
    int64_t lookahead_ps, mean_ps, end_ps; /* no event at end_ps or later */
    uint64_t seed;
};

struct phold;

/* Objects in blocks over the partitions. Free with phold_free. */
struct phold *phold_create(const struct phold_spec *spec, int32_t partition, int32_t partitions);
void phold_free(struct phold *phold);

struct engine *phold_engine(struct phold *phold);

/* Of all events at the objects here, each object's in order; the digests of partitions add up. */
uint64_t phold_digest(const struct phold *phold);

#endif
