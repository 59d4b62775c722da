/* SPDX-License-Identifier: BSD-3-Clause */
/* fp16 products of many rows: x[rows, k] W[k, n], near the peak of the MXM.
 *
 * A pass takes one tile of W, 160 contraction rows by 320 columns, which loads on 16 streams while
 * the rows stream under the tile before: two further streams bring them, so that nothing but the
 * install itself stands between passes. The hemispheres share the rows where each can hold all
 * weights, else the columns. */
#ifndef PARTITION_OP_MATMUL_H
#define PARTITION_OP_MATMUL_H

#include "partition/emit.h"

enum { MATMUL_MOST_TILES = 64, MATMUL_MOST_VECTORS = 128 };

struct matmul {
    int32_t rows;             /* of x; a hemisphere's share fits into the accumulators */
    int32_t k_tiles, n_tiles; /* of mxm_fp16_rows and mxm_columns */
};

/* One hemisphere's share. Tensors: x[v] holds 320 contraction indices of every row, those of tiles
 * 2v and 2v + 1; weight its tiles, column tile by column tile, vector 8 i + j of a tile in subs 2j
 * and 2j + 1 of row 20 tile + i; y[t] the results of column tile first_tile + t. */
struct matmul_side {
    int32_t first_tile, tiles, first_row, rows;
    int32_t x[MATMUL_MOST_VECTORS], weight, y[MATMUL_MOST_TILES];
};

/* Cycles from one pass to the next. */
int32_t matmul_period_cycles(const struct lpu_chip *chip, int32_t rows);

/* NULL, or why the product does not fit on a chip. */
const char *matmul_refusal(const struct lpu_chip *chip, const struct matmul *m);

/* Emits and places the whole product as one group; side 0 is the west. */
void ops_matmul(struct block *b, const struct matmul *m, struct matmul_side side[2]);

/* Slices 4 to 17 of a hemisphere, from the VXM outward, are free of small products: for what is
 * received beside them. */
enum { MATMUL_FREE_FIRST = 4, MATMUL_FREE_SLICES = 14 };
int32_t matmul_slice(const struct block *b, bool east, int32_t place);

#endif
