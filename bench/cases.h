/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles a case for all chips that take part and opens them, ready for play_start. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "partition/collective.h"
#include "partition/hierarchy.h"
#include "play.h"

/* On the first c->group chips of a node of eight. */
void cases_collective(struct play *play, const struct collective *c);

/* All-reduce of `rows` rows over `nodes` nodes of eight, as planned in `h`. NULL, or why not; then
 * there is nothing to close. */
const char *cases_hierarchy(struct play *play, struct hierarchy *h, const struct lpu_chip *chip,
                            int32_t nodes, int32_t rows);

/* x[rows, k] W[k, n] on nodes of eight, of which `sharing` share a contraction. As above. */
struct cases_product {
    int32_t rows;
    int64_t k, n;
    int32_t nodes, sharing;
};
const char *cases_split_product(struct play *play, const struct lpu_chip *chip,
                                const struct cases_product *p);

#endif
