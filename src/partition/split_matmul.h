/* SPDX-License-Identifier: BSD-3-Clause */
/* An fp16 product x[rows, k] W[k, n] whose contraction is split over the chips of one node or of
 * two, with its reduction: as soon as a column tile is done, its partial sums leave for their
 * owners over all links at once, under the tiles that follow. A chip of two nodes then halves what
 * it owns with the chip of the same place in the other node.
 *
 * Chips are told apart by distance: port d - 1 leads to the chip d places on. Rows of the product
 * are ordered by owner: block d - 1 belongs to the chip d places on, the last one to this chip; x
 * is loaded so. The chip at place p of node g ends with the block of owner p (of two nodes: its
 * half g) of every column tile, in `total`. */
#ifndef PARTITION_SPLIT_MATMUL_H
#define PARTITION_SPLIT_MATMUL_H

#include "interconnect/lpu_topology.h"
#include "partition/op_matmul.h"

struct split_matmul {
    const struct lpu_chip *chip;
    const struct lpu_topology *topology; /* all of its chips take part */
    int32_t rows;                        /* a multiple of the chips that share a contraction */
    int64_t k, n;
    int32_t nodes; /* that share a contraction: 1, or both of two */
};

/* Tensors of one chip: its share of the product, and the sums of each column tile. */
struct split_matmul_share {
    struct matmul matmul;
    struct matmul_side side[2];
    int32_t total[2 * MATMUL_MOST_TILES];
    int32_t owned; /* rows of it */
};

/* NULL, or why it cannot be split so. */
const char *split_matmul_refusal(const struct split_matmul *s);

/* The share of chip `chip_id`, into a block from lone_open; all chips have the same cycles. */
void split_matmul_emit(const struct split_matmul *s, int32_t chip_id, struct block *b,
                       struct split_matmul_share *share);

#endif
