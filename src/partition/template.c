/* SPDX-License-Identifier: BSD-3-Clause */
/* Strings the compilers of ops together into the blocks that a pipeline is made of. */
#include "partition/template.h"

#include <string.h>

#include "base/memory.h"
#include "partition/place.h"

static void *copy_array(const void *from, size_t count, size_t bytes)
{
    void *to = base_alloc(count, bytes);
    if (count)
        memcpy(to, from, count * bytes);
    return to;
}

/* A block that knows the tensors of `from` and the rows that they take; no instructions yet. */
static struct block block_after(const struct block *from, int32_t rotation)
{
    struct block b = *from;
    const struct program *p = &from->code;
    b.code.tensor = copy_array(p->tensor, p->tensors, sizeof *p->tensor);
    b.code.slice = copy_array(p->slice, p->slices, sizeof *p->slice);
    b.code.row = copy_array(p->row, p->slices, sizeof *p->row);
    b.meta = copy_array(from->meta, p->tensors, sizeof *from->meta);
    b.code.tensor_capacity = b.meta_capacity = p->tensors;
    b.code.slice_capacity = p->slices;
    b.rotation = rotation;
    b.busy = reservations_create();
    return b;
}

static struct quads residual(struct block *b, const struct template_rank *r,
                             enum partition_phase phase, int32_t buffer, int8_t layer_step)
{
    return ops_residual(b, buffer ? "h1" : "h0", buffer, layer_step, r->residual[phase]);
}

/* Which set an op leaves free, before rotation. Attention stays with the set of qkv, so that rows
 * can be read from it while the cache, which is in the others, is written; the embedding leaves set
 * 0 free, where the residual stream is. The other numbers, and who has the even slices in
 * op_linear.c, were searched for: with them TinyLlama fits on 8 chips beside passes of 64 rows. */
enum op_set {
    SET_QKV = 0,
    SET_GATE_UP = 3,
    SET_OUTPUT = 4,
    SET_DOWN = 1,
    SET_EMBED = 0,
    SET_HEAD = 0
};

static void build_embed(struct block *b, const struct template_rank *r, enum partition_phase phase)
{
    struct quads out = residual(b, r, phase, 0, 0);
    emit_use_set(b, SET_EMBED);
    ops_embed(b, &r->tables, &out);
}

static void build_attention(struct block *b, const struct template_rank *r,
                            enum partition_phase phase)
{
    struct row_source rows[SHAPE_QUADS];
    struct quads in = residual(b, r, phase, 0, 0), out = residual(b, r, phase, 1, 0);
    emit_use_set(b, SET_QKV);
    struct quantised x = ops_norm_quantise(b, &r->tables, &in, "attn.norm");
    struct quads qkv = ops_linear(b, &x, b->shape->qkv, "qkv", 0);
    if (b->shape->model->qkv_bias)
        qkv = ops_bias(b, &qkv, "qkv.bias");
    int32_t sources = ops_attention(b, &r->tables, &qkv, rows);
    emit_use_set(b, SET_OUTPUT);
    x = ops_quantise(b, rows, sources, b->shape->output.k_tiles, "attn.quant");
    ops_linear_sum(b, &x, b->shape->output, "o", b->rotation % 2, &in, &out);
}

static void build_mlp(struct block *b, const struct template_rank *r, enum partition_phase phase)
{
    struct linear_shape both = b->shape->gate;
    both.n_tiles *= 2;
    struct quads in = residual(b, r, phase, 1, 0), out = residual(b, r, phase, 0, 1);
    emit_use_set(b, SET_GATE_UP);
    struct quantised x = ops_norm_quantise(b, &r->tables, &in, "mlp.norm");
    struct quads gate_up = ops_linear(b, &x, both, "gateup", 0);
    struct row_source gated = ops_gate(b, &gate_up);
    emit_use_set(b, SET_DOWN);
    x = ops_quantise(b, &gated, 1, gated.tiles, "mlp.quant");
    ops_linear_sum(b, &x, b->shape->down, "down", b->rotation % 2, &in, &out);
}

static void build_head(struct block *b, const struct template_rank *r, enum partition_phase phase)
{
    struct quads in = residual(b, r, phase, 0, 0);
    emit_use_set(b, SET_HEAD);
    struct quantised x = ops_norm_quantise(b, &r->tables, &in, "head.norm");
    struct quads logits = ops_linear(b, &x, b->shape->head, "head", 0);
    ops_argmax(b, &r->tables, &logits);
}

typedef void block_builder(struct block *, const struct template_rank *, enum partition_phase);
static block_builder *const builder[PARTITION_BLOCKS] = {build_embed, build_attention, build_mlp,
                                                         build_head};

/* Both buffers of the residual stream, at one address each, in the slices that never hold weights.
 */
static void place_residual(struct block *b, struct template_rank *r, enum partition_phase phase)
{
    int32_t rows = shape_tile_rows(b->shape->hidden_tiles, SHAPE_QUADS) * b->shape->rows;
    int32_t top = b->chip->vectors_per_slice;
    for (int32_t n = 0; n < 2 * SHAPE_QUADS; n++) {
        int32_t held = b->sram.top[ops_residual_slice(b, 0, n / 2, n % 2)];
        top = held < top ? held : top;
    }
    r->residual[phase][0] = top - rows;
    r->residual[phase][1] = top - 2 * rows;
    for (int32_t n = 0; n < 2 * SHAPE_QUADS; n++)
        b->sram.top[ops_residual_slice(b, 0, n / 2, n % 2)] = top - 2 * rows;
}

static struct block first_block(const struct templates *t, int32_t rank)
{
    struct block b = {.shape = &t->shape[PARTITION_DECODE], .chip = t->shape[0].chip, .rank = rank};
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        b.sram.top[s] = b.chip->vectors_per_slice;
    b.busy = reservations_create();
    return b;
}

static void note_block(struct templates *t, const struct block *b, enum partition_phase phase,
                       enum partition_block kind)
{
    int64_t *length = &t->length[phase][kind][b->rotation];
    *length = b->end > *length ? b->end : *length;
    memcpy(t->rows[kind][b->rotation], b->sram.grow, sizeof b->sram.grow);
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        t->capacity[s] = b->sram.top[s] < t->capacity[s] ? b->sram.top[s] : t->capacity[s];
}

static void build_phase(struct templates *t, struct template_rank *r, enum partition_phase phase)
{
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++) {
        int32_t variants = kind == PARTITION_ATTENTION || kind == PARTITION_MLP ? EMIT_SETS : 1;
        if (phase == PARTITION_PREFILL && kind == PARTITION_HEAD)
            continue;
        for (int32_t v = 0; v < variants; v++) {
            struct block *b = &r->block[phase][kind][v];
            *b = block_after(&r->common[phase], v);
            builder[kind](b, r, phase);
            note_block(t, b, phase, kind);
        }
    }
}

/* Tables and residual buffers of both phases keep rows of their own; activations of a block share
 * the rows below with those of other blocks, which are never alive at the same time. */
static void build_rank(struct templates *t, int32_t rank)
{
    struct template_rank *r = &t->rank[rank];
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        t->capacity[s] = rank ? t->capacity[s] : t->shape[0].chip->vectors_per_slice;
    r->common[PARTITION_DECODE] = first_block(t, rank);
    ops_common(&r->common[PARTITION_DECODE], &r->tables);
    place_residual(&r->common[PARTITION_DECODE], r, PARTITION_DECODE);
    r->common[PARTITION_PREFILL] = block_after(&r->common[PARTITION_DECODE], 0);
    r->common[PARTITION_PREFILL].shape = &t->shape[PARTITION_PREFILL];
    place_residual(&r->common[PARTITION_PREFILL], r, PARTITION_PREFILL);
    memcpy(r->common[PARTITION_DECODE].sram.top, r->common[PARTITION_PREFILL].sram.top,
           sizeof r->common[0].sram.top);
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
        build_phase(t, r, phase);
}

void templates_build(struct templates *t, int32_t ranks)
{
    for (; t->ranks < ranks; t->ranks++)
        build_rank(t, t->ranks);
}

void templates_release(struct templates *t)
{
    for (int32_t rank = 0; rank < t->ranks; rank++)
        for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++) {
            block_release(&t->rank[rank].common[phase]);
            for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++)
                for (int32_t v = 0; v < EMIT_SETS; v++)
                    block_release(&t->rank[rank].block[phase][kind][v]);
        }
    *t = (struct templates){0};
}
