/* SPDX-License-Identifier: BSD-3-Clause */
/* The two ends of a step: token ids to hidden rows, and logits to the next token's id. */
#include "partition/ops.h"

#include <stdio.h>

#include "partition/place.h"

enum {
    STREAM_BYTES = 0, /* inward, one a group of slices */
    STREAM_SCALE = 18,
    STREAM_OUT = 20,
    STREAM_IDS = 12,  /* eastward, four */
    STREAM_VALUE = 8, /* inward, two a quad of the hemisphere */
    STREAM_KEY = 24,  /* westward, four */
    KEY_SUBS = 4,
};

/* Quad q's bytes of every row: group g of slices holds the tokens with local id % 16 == g. */
static int32_t embedding_tensor(struct block *b, int32_t q, int32_t tiles)
{
    int32_t slice[SHAPE_EMBEDDING_GROUPS];
    int32_t rows = shape_ceil_div(b->shape->vocabulary, SHAPE_EMBEDDING_GROUPS) * tiles;
    for (int32_t g = 0; g < SHAPE_EMBEDDING_GROUPS; g++)
        slice[g] = emit_outer_slice(b, g % 2, SHAPE_QUADS * (g / 2) + q);
    char name[24];
    snprintf(name, sizeof name, "embedding.q%d", q);
    return emit_placed(b, PROGRAM_TENSOR_EMBEDDING, PROGRAM_DTYPE_INT8, name, slice,
                       SHAPE_EMBEDDING_GROUPS, rows);
}

static int32_t embedding_scale(struct block *b, int32_t q, int32_t tiles)
{
    int32_t slot = q / 2 ? OPS_SLOT_SCALE_Y : OPS_SLOT_SCALE_X;
    int32_t slice[2] = {emit_inner_slice(b, q % 2, slot), emit_inner_slice(b, q % 2, slot + 1)};
    char name[24];
    snprintf(name, sizeof name, "embedding.s%d", q);
    return emit_placed(b, PROGRAM_TENSOR_CONSTANT, PROGRAM_DTYPE_FP16, name, slice, 2, tiles);
}

/* Bytes of one group's slice for all rows of the step: the token's where it stands there, else
 * zero. */
static struct program_operand read_group(struct block *b, const struct common *c, int32_t table,
                                         int32_t group, int32_t tiles, struct pattern p)
{
    char name[24];
    snprintf(name, sizeof name, "token.g%d", group);
    struct table_read t = {.table = table,
                           .sub = group,
                           .subs = 1,
                           .label = emit_transient(b, name, PROGRAM_DTYPE_INT8, 1),
                           .mode = PROGRAM_ADDRESS_TOKEN,
                           .stride = {1, tiles},
                           .limit = emit_address(b, c->zeros, 0),
                           .low = group};
    return emit_read_table(
        b, &t, emit_walk(0, 1, tiles), p,
        (struct lane_group){emit_inward(group % 2), STREAM_BYTES + group / 2, emit_vxm_x(b), 0});
}

static void embed_quad(struct block *b, const struct common *c, int32_t q, int32_t tiles,
                       int32_t table, int32_t scale, int32_t out)
{
    int32_t rows = b->shape->rows, unit = 0, x = emit_vxm_x(b);
    struct pattern p = emit_pattern(tiles, 1, rows, tiles);
    struct program_operand term[SHAPE_EMBEDDING_GROUPS];
    struct alu a = {.function = PROGRAM_VXM_ADD, .p = p};
    for (int32_t g = 0; g < SHAPE_EMBEDDING_GROUPS; g++)
        term[g] = read_group(b, c, table, g, tiles, p);
    for (int32_t terms = SHAPE_EMBEDDING_GROUPS; terms > 1; terms /= 2) {
        int64_t next = 0;
        for (int32_t k = 0; k < terms / 2; k++) {
            a.unit = unit++;
            next = emit_alu(b, a, term + 2 * k, 2, NULL, 0);
            term[k] = emit_alu_operand(a.unit);
        }
        a.cycle = next;
    }
    struct walk to = emit_walk(0, rows, 1);
    struct lane_group from = {emit_outward(q % 2), STREAM_OUT, x, 0};
    struct program_operand result = emit_stream(from.direction, from.stream, 2, out, 0, to);
    term[1] = emit_read(b, scale, 0, 2, emit_walk(0, 1, 0), p,
                        (struct lane_group){emit_inward(q % 2), STREAM_SCALE, x, a.cycle});
    a.unit = unit, a.function = PROGRAM_VXM_MUL;
    from.cycle = emit_alu(b, a, term, 2, &result, 1);
    emit_write(b, out, 0, 2, to, p, from);
    place_group(b, 0);
}

void ops_embed(struct block *b, const struct common *c, const struct quads *out)
{
    emit_op(b, "embed", false);
    struct quads partial = *out;
    if (b->shape->group > 1)
        partial = ops_inner_quads(b, "embed", out->tiles, b->shape->rows, 0);
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t tiles = shape_tiles_of(out->tiles, SHAPE_QUADS, q);
        if (tiles <= 0)
            continue;
        int32_t table = embedding_tensor(b, q, tiles), scale = embedding_scale(b, q, tiles);
        embed_quad(b, c, q, tiles, table, scale, partial.tensor[q]);
    }
    if (b->shape->group > 1)
        ops_reduce(b, &partial, NULL, NULL, out, "embed.sum", 0);
}

static int32_t four_slices(struct block *b, const char *name, int32_t slot,
                           enum program_tensor_kind kind, enum program_dtype dtype, int32_t count)
{
    int32_t slice[KEY_SUBS];
    for (int32_t j = 0; j < KEY_SUBS; j++)
        slice[j] = emit_inner_slice(b, false, slot + j);
    return emit_placed(b, kind, dtype, name, slice, KEY_SUBS, count);
}

/* Keys of the logits of rows [first, first + n), the greatest of each lane over tiles and quads;
 * leaves westward. Returns when. */
static int64_t lane_keys(struct block *b, const struct quads *logits, int32_t ids, int32_t key,
                         int32_t first, int32_t n)
{
    const struct shape *s = b->shape;
    int32_t tiles = shape_tile_rows(logits->tiles, SHAPE_QUADS), x = emit_vxm_x(b),
            base = b->rank * s->vocabulary;
    int64_t end = (int64_t)base + s->vocabulary, all = s->model->vocabulary;
    struct pattern p = emit_pattern(tiles, 1, n, tiles);
    struct walk walk = emit_walk(first, s->rows, 1);
    struct program_operand id = emit_read(b, ids, 0, KEY_SUBS, emit_walk(0, 1, 0), p,
                                          (struct lane_group){PROGRAM_EAST, STREAM_IDS, x, 0});
    struct program_operand keys[SHAPE_QUADS], pair[2],
        out = emit_stream(PROGRAM_WEST, STREAM_KEY, KEY_SUBS, key, 0, emit_walk(first, 0, 1));
    struct alu a = {
        .function = PROGRAM_VXM_KEY, .argument = (int32_t)(end < all ? end : all), .p = p};
    int64_t next = 0;
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        struct lane_group at = {emit_inward(q % 2), STREAM_VALUE + 2 * (q / 2), x, 0};
        struct program_operand in[2] = {emit_read(b, logits->tensor[q], 0, 2, walk, p, at), id};
        a.unit = q, a.immediate = (float)(base + q * s->head.columns);
        next = emit_alu(b, a, in, 2, NULL, 0);
        keys[q] = emit_alu_key(q);
    }
    a = (struct alu){.unit = 4, .function = PROGRAM_VXM_MAX, .p = p, .cycle = next};
    for (int32_t k = 0; k < 2; k++, a.unit++) {
        next = emit_alu(b, a, keys + 2 * k, 2, NULL, 0);
        pair[k] = emit_alu_key(4 + k);
    }
    a.flags = PROGRAM_REDUCE, a.cycle = next;
    return emit_alu(b, a, pair, 2, &out, 1);
}

/* One doubling: each key against itself rotated by `shift` lanes. Returns when the first greater
 * one leaves the VXM. */
static int64_t fold_keys(struct block *b, int32_t from, int32_t to, int32_t shift, struct walk walk,
                         struct pattern p, int64_t cycle)
{
    int64_t away = emit_vxm_x(b) - emit_sxm_x(b, false), at_sxm = cycle + away;
    struct program_operand in = emit_stream(PROGRAM_WEST, STREAM_KEY, KEY_SUBS, from, 0, walk),
                           copy[2];
    for (int32_t k = 0; k < 2; k++) {
        int32_t t =
            emit_transient(b, k ? "key.turned" : "key.straight", PROGRAM_DTYPE_KEY, KEY_SUBS);
        copy[k] = emit_stream(PROGRAM_EAST, KEY_SUBS * k, KEY_SUBS, t, 0, walk);
        emit(b,
             (struct program_instruction){.cycle = at_sxm - b->chip->sxm_skew_cycles,
                                          .queue = (uint8_t)(PROGRAM_QUEUE_SXM + k),
                                          .opcode = PROGRAM_SXM_PERMUTE,
                                          .function = k ? PROGRAM_SXM_WINDOW : PROGRAM_SXM_IDENTITY,
                                          .argument = k ? shift : 0,
                                          .width = k ? b->chip->lanes : 0,
                                          .count = {p.n[0], p.n[1]},
                                          .interval = {p.d[0], p.d[1]}},
             &in, 1, &copy[k], 1);
    }
    struct program_operand out = emit_stream(PROGRAM_WEST, STREAM_KEY, KEY_SUBS, to, 0, walk);
    struct alu a = {.unit = 7,
                    .function = PROGRAM_VXM_MAX,
                    .p = p,
                    .cycle = at_sxm - b->chip->sxm_skew_cycles + b->chip->sxm_cycles + away};
    return emit_alu(b, a, copy, 2, &out, 1);
}

/* The greatest of all keys of each of n rows, into `key` and to all lanes. */
static void greatest_keys(struct block *b, const struct quads *logits, int32_t ids, int32_t key,
                          int32_t first, int32_t n)
{
    int32_t tiles = shape_tile_rows(logits->tiles, SHAPE_QUADS);
    struct pattern p = emit_pattern(1, 0, n, tiles);
    struct walk walk = emit_walk(first, 0, 1);
    int32_t from = emit_transient(b, "key.0", PROGRAM_DTYPE_KEY, KEY_SUBS);
    int64_t cycle = lane_keys(b, logits, ids, from, first, n);
    for (int32_t shift = 1; shift < b->chip->lanes; shift *= 2) {
        char name[24];
        snprintf(name, sizeof name, "key.%d", shift);
        bool last = 2 * shift >= b->chip->lanes;
        int32_t to = last ? key : emit_transient(b, name, PROGRAM_DTYPE_KEY, KEY_SUBS);
        cycle = fold_keys(b, from, to, shift, walk, p, cycle);
        from = to;
    }
    emit_write(b, key, 0, KEY_SUBS, walk, p,
               (struct lane_group){PROGRAM_WEST, STREAM_KEY, emit_vxm_x(b), cycle});
    place_group(b, 0);
}

void ops_argmax(struct block *b, const struct common *c, const struct quads *logits)
{
    int32_t tiles = shape_tile_rows(logits->tiles, SHAPE_QUADS), rows = b->shape->rows;
    int32_t ids = four_slices(b, "ids", OPS_SLOT_SCALE_X, PROGRAM_TENSOR_CONSTANT,
                              PROGRAM_DTYPE_INT32, tiles);
    int32_t key = c->token, chunk = ops_lane_max_rows(tiles);
    emit_op(b, "argmax", false);
    if (b->shape->group > 1)
        key =
            four_slices(b, "key", OPS_SLOT_KEY, PROGRAM_TENSOR_ACTIVATION, PROGRAM_DTYPE_KEY, rows);
    for (int32_t row = 0; row < rows; row += chunk)
        greatest_keys(b, logits, ids, key, row, rows - row < chunk ? rows - row : chunk);
    if (b->shape->group > 1)
        ops_greatest_key(b, key, c->token);
}
