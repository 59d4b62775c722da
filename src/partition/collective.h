/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives of the chips of one node as compiled programs: which vector leaves on which link in
 * which cycle, and where it is added.
 *
 * Rows are vectors of fp16 numbers, two planes each. A reduce-scatter cuts the rows into shards,
 * one a chip, and sends each to its owner over all links at once; the owner adds a chunk as soon as
 * it has arrived. An all-gather sends a chunk of sums on as soon as it exists. An all-reduce is
 * both, or one-shot: everybody sends everything to everybody and adds all of it, one hop; the
 * compiled lengths decide.
 *
 * Tensors of the block: "part.S" what this chip contributes to shard S (preloaded; in an all-gather
 * "part", its only one), "sum.S" what it ends with. One-shot has one shard, 0. */
#ifndef PARTITION_COLLECTIVE_H
#define PARTITION_COLLECTIVE_H

#include "partition/emit.h"

enum collective_kind {
    COLLECTIVE_ALL_GATHER,     /* from a shard a chip to all shards on every chip */
    COLLECTIVE_REDUCE_SCATTER, /* from all shards on every chip to the sum of one a chip */
    COLLECTIVE_ALL_REDUCE,     /* from all shards on every chip to all sums on every chip */
    COLLECTIVE_ONE_SHOT,       /* the same in one hop */
};

/* `rows` rows over the whole group; shards are padded to equal lengths. */
struct collective {
    const struct lpu_chip *chip;
    enum collective_kind kind;
    int32_t group; /* 2 to 8 chips, places 0.. of one node */
    int32_t rows;
};

/* Greatest rows that fit into the slices. */
int32_t collective_most_rows(const struct collective *c);

/* Rows of one shard. */
int32_t collective_shard_rows(const struct collective *c);

/* Compiles the share of place `rank` into a block from lone_open. All ranks have the same cycles.
 */
void collective_emit(const struct collective *c, int32_t rank, struct block *b);

/* Compiled length in cycles. A matrix split by columns wants an all-gather of its input or output
 * rows, one split by rows the reduction of its output: this is what either costs. */
int64_t collective_cycles(const struct collective *c);

/* Two matrices in a row, x A B, for `tokens` rows of x, A split by columns. B split by rows needs
 * the reduction of the result (`width` numbers a token); split by columns it needs all of x A
 * (`middle` numbers a token) gathered before, and its result after. What either costs on links, in
 * cycles. */
struct collective_split {
    int64_t by_rows, by_columns;
};
struct collective_split collective_split_cost(const struct lpu_chip *chip, int32_t group,
                                              int32_t tokens, int64_t middle, int64_t width);

/* The shorter of two-phase and one-shot all-reduce. */
enum collective_kind collective_best_reduce(const struct collective *c);

#endif
