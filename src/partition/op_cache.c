/* SPDX-License-Identifier: BSD-3-Clause */
/* The KV cache of one chip: where it stands, and how a step's keys and values get there.
 *
 * The cache is dealt out by tiles over both hemispheres and by rows over 16 pairs of slices, so
 * that keys install as columns and values as rows at 16 positions a cycle, and a new position is
 * one planned write a pair, of which the owner's lands in the cache and the others' in a dump. Keys
 * (and queries) are rotated on the way: the SXM swaps the halves of a head, the VXM adds both
 * copies under cosine and sine. Value rows carry ones in their upper lanes, so that a weighted sum
 * brings its own denominator. */
#include "partition/attention.h"

#include <stdio.h>

#include "partition/place.h"

enum {
    STREAM_STRAIGHT = 0, /* inward, back from the SXM */
    STREAM_SWAPPED = 2,
    STREAM_IN = 8, /* inward rows and tables */
    STREAM_TABLE = 18,
    STREAM_TO_SXM = 26, /* outward */
};

void attention_cache_tensors(struct block *b, const char *what, int32_t head, int32_t tensor[2])
{
    const struct shape *s = b->shape;
    int32_t rows = s->caches * (s->kv_tiles / 2 * s->kv_tile_positions / ATTENTION_KV_LANES);
    for (int32_t east = 0; east < 2; east++) {
        int32_t slice[EMIT_OUTER_SLICES];
        for (int32_t j = 0; j < EMIT_OUTER_SLICES; j++)
            slice[j] = emit_outer_slice(b, east, j);
        char full[24];
        snprintf(full, sizeof full, "%.8s.h%d%c", what, head, east ? 'e' : 'w');
        tensor[east] = emit_placed(b, PROGRAM_TENSOR_KV, PROGRAM_DTYPE_FP16, full, slice,
                                   EMIT_OUTER_SLICES, rows);
        b->code.tensor[tensor[east]].caches = (uint8_t)s->caches;
    }
}

struct program_operand attention_read_cache(struct block *b, const struct attention *at, bool east,
                                            int32_t cache, int32_t rows, struct pattern p,
                                            int64_t cycle)
{
    struct table_read t = {.table = cache,
                           .subs = EMIT_OUTER_SLICES,
                           .label = rows,
                           .mode = PROGRAM_ADDRESS_CACHE,
                           .stride = {1, p.n[0]},
                           .width = program_cache_rows(&b->code.tensor[cache]),
                           .sequence = attention_sequence(b, at)};
    return emit_read_table(b, &t, emit_walk(0, 1, p.n[0]), p,
                           (struct lane_group){emit_outward(east), 0, emit_mxm_x(b, east), cycle});
}

static struct program_operand read_position_table(struct block *b, const struct attention *at,
                                                  int32_t table, bool east, int32_t stream,
                                                  struct pattern p, int64_t cycle)
{
    int32_t label = emit_transient(b, "rotary.row", PROGRAM_DTYPE_FP16, 2);
    struct table_read t = {.table = table,
                           .subs = 2,
                           .label = label,
                           .mode = PROGRAM_ADDRESS_POSITION,
                           .address_offset = attention_offset(b, at),
                           .stride = {1, 0},
                           .sequence = attention_sequence(b, at)};
    return emit_read_table(b, &t, emit_walk(0, 1, 0), p, emit_at_vxm(b, east, stream, cycle));
}

/* Both copies of rows that stand at the SXM of `east` in `cycle`: as they are, and with halves
 * swapped. */
static int64_t emit_swap(struct block *b, bool east, int32_t tensor, struct walk walk,
                         struct pattern p, int64_t cycle, struct program_operand copy[2])
{
    struct program_operand in = emit_stream(emit_outward(east), STREAM_TO_SXM, 2, tensor, 0, walk);
    for (int32_t k = 0; k < 2; k++) {
        int32_t t = emit_transient(b, k ? "swapped" : "straight", PROGRAM_DTYPE_FP16, 2);
        copy[k] =
            emit_stream(emit_inward(east), k ? STREAM_SWAPPED : STREAM_STRAIGHT, 2, t, 0, walk);
        emit(b,
             (struct program_instruction){
                 .cycle = cycle - b->chip->sxm_skew_cycles,
                 .queue = (uint8_t)(PROGRAM_QUEUE_SXM + PROGRAM_SXM_QUEUES * east + k),
                 .opcode = PROGRAM_SXM_PERMUTE,
                 .function = k ? PROGRAM_SXM_SWAP_HALVES : PROGRAM_SXM_IDENTITY,
                 .width = k ? b->shape->head_dim : 0,
                 .count = {p.n[0], p.n[1]},
                 .interval = {p.d[0], p.d[1]}},
             &in, 1, &copy[k], 1);
    }
    return cycle - b->chip->sxm_skew_cycles + b->chip->sxm_cycles + emit_vxm_x(b) -
           emit_sxm_x(b, false);
}

int64_t attention_emit_rotation(struct block *b, const struct attention *at, int32_t tensor,
                                bool east, struct walk walk, struct pattern p, int32_t out[2],
                                struct walk out_walk)
{
    const struct common *c = at->common;
    struct program_operand copy[2], to[2];
    emit_read(b, tensor, 0, 2, walk, p,
              (struct lane_group){emit_outward(east), STREAM_TO_SXM, emit_sxm_x(b, east), 0});
    struct alu a = {.unit = 8 * east, .function = PROGRAM_VXM_MUL, .p = p};
    a.cycle = emit_swap(b, east, tensor, walk, p, 0, copy);
    struct program_operand cosine[2] = {
        copy[0], read_position_table(b, at, c->cosine[!east], !east, STREAM_TABLE, p, a.cycle)};
    struct program_operand sine[2] = {
        copy[1], read_position_table(b, at, c->sine[!east], !east, STREAM_IN, p, a.cycle)};
    emit_alu(b, a, cosine, 2, NULL, 0);
    a.unit++;
    a.cycle = emit_alu(b, a, sine, 2, NULL, 0);
    struct program_operand sum[2] = {emit_alu_operand(8 * east), emit_alu_operand(8 * east + 1)};
    for (int32_t side = 0; side < 2; side++)
        to[side] =
            emit_stream(emit_outward(side), ATTENTION_STREAM_ROTATED, 2, out[side], 0, out_walk);
    a.unit++, a.function = PROGRAM_VXM_ADD;
    return emit_alu(b, a, sum, 2, to, 2);
}

/* One planned write a lane and byte plane: rows of `from` that stand at the VXM, outward, in
 * `cycle`. */
static void emit_cache_write(struct block *b, const struct attention *at, bool east, int32_t from,
                             int32_t cache, int64_t cycle)
{
    int32_t rows = at->rows, many = rows > 1;
    for (int32_t j = 0; j < EMIT_OUTER_SLICES; j++) {
        int32_t lane = j / 2, queue = emit_outer_slice(b, east, j);
        struct program_operand in =
            emit_stream(emit_outward(east), ATTENTION_STREAM_ROTATED + j % 2, 1, from, j % 2,
                        emit_walk(many ? lane : 0, many ? ATTENTION_KV_LANES : 0, 0));
        struct program_operand held = emit_expect(cache, 1, emit_walk(0, 0, 0));
        held.sub = (uint8_t)j;
        held.index_mode = PROGRAM_ADDRESS_KV;
        int32_t x = program_queue_position(b->chip, queue), v = emit_vxm_x(b);
        emit(b,
             (struct program_instruction){.cycle = cycle + (many ? lane : 0) +
                                                   (x > v ? x - v : v - x) -
                                                   b->chip->mem_write_skew_cycles,
                                          .queue = (uint8_t)queue,
                                          .opcode = PROGRAM_MEM_WRITE,
                                          .address_mode = PROGRAM_ADDRESS_KV,
                                          .count = {many ? rows / ATTENTION_KV_LANES : 1, 1},
                                          .interval = {many ? ATTENTION_KV_LANES : 0, 0},
                                          .address = emit_address(b, cache, j),
                                          .limit = at->common->dump_row,
                                          .argument = many ? lane : 0,
                                          .low = lane,
                                          .width = program_cache_rows(&b->code.tensor[cache]),
                                          .sequence = (uint8_t)attention_sequence(b, at)},
             &in, 1, &held, 1);
    }
}

static void write_cache(struct block *b, const struct attention *at, const int32_t from[2],
                        const int32_t cache[2], int64_t cycle)
{
    for (int32_t east = 0; east < 2; east++)
        emit_cache_write(b, at, east, from[east], cache[east], cycle);
    place_group(b, 0);
}

void attention_write_key(struct block *b, const struct attention *at, const struct quads *qk,
                         int32_t head)
{
    const struct shape *s = b->shape;
    int32_t tile = s->heads + head, quad = tile % SHAPE_QUADS;
    int32_t key = emit_transient(b, "k.row", PROGRAM_DTYPE_FP16, 2), out[2] = {key, key};
    emit_op(b, "rope.k", true);
    struct walk walk = emit_walk(tile / SHAPE_QUADS * s->rows + at->first, 1, 0);
    int64_t c = attention_emit_rotation(b, at, qk->tensor[quad], quad % 2, walk,
                                        emit_pattern(at->rows, 1, 1, 0), out, emit_walk(0, 1, 0));
    write_cache(b, at, out, at->key, c);
}

void attention_write_value(struct block *b, const struct attention *at, const struct quads *qkv,
                           int32_t head)
{
    const struct shape *s = b->shape;
    int32_t tile = s->heads + s->kv_heads + head, quad = tile % SHAPE_QUADS;
    int32_t value = emit_transient(b, "v.row", PROGRAM_DTYPE_FP16, 2), out[2] = {value, value};
    bool far = quad % 2 == 0; /* the hemisphere that the row does not come from */
    struct pattern p = emit_pattern(at->rows, 1, 1, 0);
    struct program_operand to[2];
    emit_op(b, "kv.v", true);
    struct program_operand in[2] = {
        emit_read(b, qkv->tensor[quad], 0, 2,
                  emit_walk(tile / SHAPE_QUADS * s->rows + at->first, 1, 0), p,
                  emit_at_vxm(b, quad % 2, STREAM_IN, 0)),
        emit_read(b, at->common->value_ones[far], 0, 2, emit_walk(0, 0, 0), p,
                  emit_at_vxm(b, far, STREAM_TABLE, 0))};
    for (int32_t east = 0; east < 2; east++)
        to[east] = emit_stream(emit_outward(east), ATTENTION_STREAM_ROTATED, 2, value, 0,
                               emit_walk(0, 1, 0));
    struct alu a = {.unit = 7, .function = PROGRAM_VXM_ADD, .p = p};
    write_cache(b, at, out, at->value, emit_alu(b, a, in, 2, to, 2));
}
