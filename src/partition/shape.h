/* SPDX-License-Identifier: BSD-3-Clause */
/* How a model, a bucket and a tensor group become tiles: every count that the block compilers need.
 */
#ifndef PARTITION_SHAPE_H
#define PARTITION_SHAPE_H

#include "partition/partition.h"

/* Tiles of a matrix W[k, n] on one chip: `k_tiles` passes of contraction, `n_tiles` of `columns`
 * outputs. */
struct linear_shape {
    int32_t k_tiles, n_tiles, columns;
    int32_t rows;    /* of a contraction tile, where weights install row by row; else 0 */
    bool by_columns; /* the contraction of the whole group, and a share of the outputs */
};

/* Shapes of one chip's share of a layer. A row is a token of the step; a tile is a vector of lanes.
 */
struct shape {
    const struct lpu_chip *chip;
    const struct model *model;
    int32_t group;     /* T: chips that share a layer */
    int32_t rows;      /* M: one a sequence in decode, the chunk in prefill */
    int32_t sequences; /* that the rows belong to, each with equally many, one behind the other */
    int32_t caches;    /* KV caches in SRAM, one a sequence of the bucket */
    int32_t hidden_tiles, hidden_columns;
    int32_t heads, kv_heads; /* on this chip */
    int32_t heads_per_kv, head_dim, head_columns;
    int32_t heads_per_tile, tiles_per_kv; /* packing of attention outputs into contraction tiles */
    int32_t ffn_tiles, ffn_columns;
    int32_t vocabulary;  /* columns of the LM head and rows of the embedding on this chip */
    int32_t key_id_bits; /* of a sampling key: 16, or more where the vocabulary has more ids */
    int32_t kv_tile_positions; /* positions of a KV tile; tile t lives in hemisphere t % 2 */
    int32_t kv_tiles;          /* of the bucket */
    int32_t attend_tiles;      /* tiles a hemisphere that this program attends to */
    int32_t window;            /* positions that windowed layers see; 0: no layer has one inside the
                                  bucket */
    int32_t experts, experts_per_row; /* 0: dense; gate and down are then one expert's */
    struct linear_shape qkv, output, gate, down, head, router;
    struct linear_shape shared_gate_up, shared_down; /* of the shared expert; 0 tiles: none */
};

enum { SHAPE_QUADS = 4, SHAPE_EMBEDDING_GROUPS = 16 };

/* Fills `shape` for a step of `sequences` with `rows` tokens each, that attend to at least
 * `attend_positions` keys. False, with the reason in `why` (at least 160 bytes), where this split
 * is impossible. */
bool shape_derive(struct shape *shape, const struct lpu_chip *chip, const struct model *model,
                  const struct bucket *bucket, int32_t group, int32_t sequences, int32_t rows,
                  int32_t attend_positions, char *why);

/* Cuts the second matrices of a derived shape, where there are no experts: by columns, those of a
 * rank are hidden tile `rank`, that of `group` more, and so on. */
void shape_cut(struct shape *shape, struct partition_columns columns);

/* A decode step of the whole bucket: one token of each sequence against all positions. */
bool shape_derive_decode(struct shape *shape, const struct lpu_chip *chip,
                         const struct model *model, const struct bucket *bucket, int32_t group,
                         char *why);

/* Whether passes of `rows` prompt rows fill the bucket exactly, each beginning in lane 0 of the
 * cache. */
bool shape_is_pass(const struct bucket *bucket, int32_t rows);

/* Whether the compiler knows the chip's floor plan and every op of the model; otherwise each thing
 * that it does not know is a fault. */
bool shape_supports(const struct lpu_chip *chip, const struct model *model,
                    const struct bucket *bucket, struct base_report *report);

/* Prefill attends to whole pairs of KV tiles: the least such extent that holds `positions`. */
int32_t shape_attend_extent(const struct shape *shape, int32_t positions);

/* Shares of an MLP's inner tiles: all of them, the first half, the second half. */
enum shape_share { SHAPE_WHOLE, SHAPE_FIRST, SHAPE_SECOND };

/* First inner tile of a share, and how many it has; a second half may have none. */
int32_t shape_share_first(const struct shape *shape, enum shape_share share);
int32_t shape_share_tiles(const struct shape *shape, enum shape_share share);

/* Gate and up side by side, and down, of a share. */
struct linear_shape shape_gate_up(const struct shape *shape, enum shape_share share);
struct linear_shape shape_down(const struct shape *shape, enum shape_share share);

static inline int32_t shape_ceil_div(int64_t a, int64_t b)
{
    return (int32_t)((a + b - 1) / b);
}

/* Rows of the step that each sequence has. */
static inline int32_t shape_rows_each(const struct shape *shape)
{
    return shape->rows / shape->sequences;
}

/* Tiles 0..tiles-1 are dealt out to `quads` columns; tile rows of the longest column. */
static inline int32_t shape_tile_rows(int32_t tiles, int32_t quads)
{
    return shape_ceil_div(tiles, quads);
}

/* How many tiles column q has. */
static inline int32_t shape_tiles_of(int32_t tiles, int32_t quads, int32_t q)
{
    return (tiles - q + quads - 1) / quads;
}

#endif
