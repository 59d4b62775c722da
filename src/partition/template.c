/* SPDX-License-Identifier: BSD-3-Clause */
/* Strings the compilers of ops together into the blocks that a pipeline is made of. */
#include "partition/template.h"

#include <stdio.h>
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
static struct block block_after(const struct block *from, int32_t variant)
{
    struct block b = *from;
    const struct program *p = &from->code;
    b.code.tensor = copy_array(p->tensor, p->tensors, sizeof *p->tensor);
    b.code.slice = copy_array(p->slice, p->slices, sizeof *p->slice);
    b.code.row = copy_array(p->row, p->slices, sizeof *p->row);
    b.meta = copy_array(from->meta, p->tensors, sizeof *from->meta);
    b.code.tensor_capacity = b.meta_capacity = p->tensors;
    b.code.slice_capacity = p->slices;
    b.rotation = variant % EMIT_SETS;
    b.window = variant < EMIT_SETS ? 0 : from->shape->window;
    b.busy = reservations_create();
    return b;
}

static struct quads residual(struct block *b, const struct template_rank *r,
                             enum partition_phase phase, int32_t buffer, int8_t layer_step)
{
    return ops_residual(b, buffer ? "h1" : "h0", buffer, layer_step, r->residual[phase]);
}

/* What the first share of an MLP hands to the second. */
static struct quads handed_on(struct block *b, const struct template_rank *r,
                              enum partition_phase phase, int32_t buffer)
{
    return ops_residual(b, "h2", buffer, 0, r->residual[phase]);
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

/* The inputs of the second matrix of a pair: this chip's own, or by columns the whole group's. */
static struct quantised quantise_inner(struct block *b, const struct row_source *own,
                                       int32_t sources, struct linear_shape second,
                                       const char *name)
{
    struct row_source all[OPS_SOURCES];
    if (!second.by_columns)
        return ops_quantise(b, own, sources, second.k_tiles, name);
    char rows[24];
    snprintf(rows, sizeof rows, "%.12s.rows", name);
    sources = ops_gather_rows(b, own, sources, rows, all);
    return ops_quantise(b, all, sources, second.k_tiles, name);
}

static void build_attention(struct block *b, const struct template_rank *r,
                            enum partition_phase phase)
{
    struct row_source own[SHAPE_QUADS];
    struct quads in = residual(b, r, phase, 0, 0), out = residual(b, r, phase, 1, 0);
    emit_use_set(b, SET_QKV);
    struct quantised x = ops_norm_quantise(b, &r->tables, &in, "attn.norm");
    struct quads qkv = ops_linear(b, &x, b->shape->qkv, "qkv", 0);
    if (b->shape->model->qkv_bias)
        qkv = ops_bias(b, &qkv, "qkv.bias");
    struct quads qk = qkv;
    if (b->shape->model->qk_norm)
        qk = ops_head_norm(b, &r->tables, &qkv, "qk.norm");
    int32_t sources = ops_attention(b, &r->tables, &qk, &qkv, own);
    int32_t bias[SHAPE_QUADS];
    emit_use_set(b, SET_OUTPUT);
    x = quantise_inner(b, own, sources, b->shape->output, "attn.quant");
    bool biased = b->shape->model->output_bias;
    if (biased)
        ops_hidden_constants(b, "o.bias", 'b', bias);
    ops_linear_sum(b, &x, b->shape->output, "o", b->rotation % 2, &in, biased ? bias : NULL, &out);
}

/* Gate to down of all slots, whose rows the block's shape has meanwhile. */
static struct quads build_slots(struct block *b, const struct experts *e, enum shape_share share,
                                struct quads *gate_up, bool biased)
{
    static const char *const down_name[] = {"expert.d", "expert.d.1", "expert.d.2"};
    struct row_source gated = ops_gate(b, gate_up, biased ? OPS_SLOT_ROW : OPS_SLOT_SCALE_X);
    emit_use_set(b, SET_DOWN);
    struct quantised x = ops_quantise(b, &gated, 1, gated.tiles, "mlp.quant");
    struct quads y =
        ops_expert_linear(b, e, &x, shape_down(b->shape, share), down_name[share], b->rotation % 2);
    return biased ? ops_expert_bias(b, e, &y, "expert.db") : y;
}

/* The shared expert's part, by its weight, added to that of the others. */
static struct quads build_shared(struct block *b, const struct quantised *row, int32_t weight,
                                 const struct quads *sum)
{
    emit_use_set(b, SET_GATE_UP);
    struct quads y = ops_linear(b, row, b->shape->shared_gate_up, "shared.g", 0);
    struct row_source gated = ops_gate(b, &y, OPS_SLOT_ROW);
    emit_use_set(b, SET_DOWN);
    struct quantised x = ops_quantise(b, &gated, 1, gated.tiles, "shared.quant");
    y = ops_linear(b, &x, b->shape->shared_down, "shared.d", 0);
    return ops_add_shared(b, weight, &y, sum, "shared");
}

/* The same share of every expert; each share routes for itself. */
static void build_mixture(struct block *b, const struct template_rank *r, enum shape_share share,
                          const struct quads rows[3])
{
    static const char *const gate_up_name[] = {"expert.g", "expert.g.1", "expert.g.2"};
    const struct shape *step = b->shape;
    struct shape slots = *step;
    bool biased = step->model->expert_bias;
    int32_t weight = -1;
    emit_use_set(b, SET_GATE_UP);
    struct quantised x = ops_norm_quantise(b, &r->tables, &rows[0], "mlp.norm");
    struct quads y = ops_linear(b, &x, step->router, "router", 0);
    struct experts e = ops_route(b, &r->tables, &y);
    if (step->model->shared_ffn)
        weight = ops_shared_weight(b, &r->tables, &y);
    y = ops_expert_linear(b, &e, &x, shape_gate_up(step, share), gate_up_name[share], 0);
    if (biased)
        y = ops_expert_bias(b, &e, &y, "expert.gb");
    slots.rows = e.slots;
    b->shape = &slots;
    y = build_slots(b, &e, share, &y, biased);
    b->shape = step;
    struct quads partial = ops_combine(b, &e, &y, biased, "combine");
    if (step->model->shared_ffn)
        partial = build_shared(b, &x, weight, &partial);
    ops_reduce(b, &partial, &rows[1], NULL, &rows[2], "down.sum", 0);
}

/* A share of an MLP of the rows of `in`, added to `sum`. */
static void build_share(struct block *b, const struct template_rank *r, enum shape_share share,
                        const struct quads rows[3])
{
    static const char *const gate_up_name[] = {"gateup", "gateup.1", "gateup.2"};
    static const char *const down_name[] = {"down", "down.1", "down.2"};
    int32_t bias[SHAPE_QUADS];
    if (b->shape->experts) {
        build_mixture(b, r, share, rows);
        return;
    }
    bool biased = b->shape->model->mlp_bias;
    emit_use_set(b, SET_GATE_UP);
    struct quantised x = ops_norm_quantise(b, &r->tables, &rows[0], "mlp.norm");
    struct quads gate_up =
        ops_linear(b, &x, shape_gate_up(b->shape, share), gate_up_name[share], 0);
    if (biased)
        gate_up = ops_bias(b, &gate_up, "gateup.bias");
    struct row_source gated = ops_gate(b, &gate_up, biased ? OPS_SLOT_ROW : OPS_SLOT_SCALE_X);
    emit_use_set(b, SET_DOWN);
    x = quantise_inner(b, &gated, 1, shape_down(b->shape, share), "mlp.quant");
    if (biased)
        ops_hidden_constants(b, "down.bias", 'b', bias);
    ops_linear_sum(b, &x, shape_down(b->shape, share), down_name[share], b->rotation % 2, &rows[1],
                   biased ? bias : NULL, &rows[2]);
}

static void build_mlp(struct block *b, const struct template_rank *r, enum partition_phase phase)
{
    struct quads in = residual(b, r, phase, 1, 0), out = residual(b, r, phase, 0, 1);
    build_share(b, r, SHAPE_WHOLE, (const struct quads[]){in, in, out});
}

static void build_mlp_first(struct block *b, const struct template_rank *r,
                            enum partition_phase phase)
{
    struct quads in = residual(b, r, phase, 1, 0), out = handed_on(b, r, phase, 0);
    build_share(b, r, SHAPE_FIRST, (const struct quads[]){in, in, out});
}

static void build_mlp_second(struct block *b, const struct template_rank *r,
                             enum partition_phase phase)
{
    struct quads in = residual(b, r, phase, 1, 0), sum = handed_on(b, r, phase, 2),
                 out = residual(b, r, phase, 0, 1);
    build_share(b, r, SHAPE_SECOND, (const struct quads[]){in, sum, out});
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
static block_builder *const builder[PARTITION_BLOCKS] = {
    build_embed, build_attention, build_mlp, build_mlp_first, build_mlp_second, build_head};

/* `buffers` of the residual stream, at one address each, in the slices that never hold weights. */
static void place_residual(struct block *b, struct template_rank *r, enum partition_phase phase,
                           int32_t buffers)
{
    int32_t rows = shape_tile_rows(b->shape->hidden_tiles, SHAPE_QUADS) * b->shape->rows;
    int32_t top = b->chip->vectors_per_slice;
    for (int32_t n = 0; n < 2 * SHAPE_QUADS; n++) {
        int32_t held = b->sram.top[ops_residual_slice(b, 0, n / 2, n % 2)];
        top = held < top ? held : top;
    }
    for (int32_t n = 0; n < buffers; n++)
        r->residual[phase][n] = top - (n + 1) * rows;
    for (int32_t n = 0; n < 2 * SHAPE_QUADS; n++)
        b->sram.top[ops_residual_slice(b, 0, n / 2, n % 2)] = top - buffers * rows;
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
                       enum partition_block kind, int32_t variant)
{
    int64_t *length = &t->length[phase][kind][variant];
    *length = b->end > *length ? b->end : *length;
    memcpy(t->rows[kind][variant], b->sram.grow, sizeof b->sram.grow);
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        t->capacity[s] = b->sram.top[s] < t->capacity[s] ? b->sram.top[s] : t->capacity[s];
}

/* Whether layers may be of this variant: with or without a window, as there are such. */
static bool is_variant(const struct templates *t, enum partition_block kind, int32_t variant)
{
    if (kind != PARTITION_ATTENTION)
        return variant < (template_has_turns(kind) ? EMIT_SETS : 1);
    for (int32_t layer = 0; layer < t->shape[PARTITION_DECODE].model->layers; layer++)
        if (template_is_windowed(t, layer) == variant / EMIT_SETS)
            return true;
    return false;
}

bool template_is_compiled(const struct templates *t, enum partition_phase phase,
                          enum partition_block kind)
{
    bool share = kind == PARTITION_MLP_FIRST || kind == PARTITION_MLP_SECOND;
    if (template_phase(phase, kind) != phase)
        return false;
    return share ? t->shares : kind != PARTITION_HEAD || phase == PARTITION_DECODE;
}

static void build_phase(struct templates *t, struct template_rank *r, enum partition_phase phase)
{
    for (enum partition_block kind = 0; kind < PARTITION_BLOCKS; kind++) {
        for (int32_t v = 0; v < TEMPLATE_VARIANTS && template_is_compiled(t, phase, kind); v++) {
            if (!is_variant(t, kind, v))
                continue;
            struct block *b = &r->block[phase][kind][v];
            *b = block_after(&r->common[phase], v);
            builder[kind](b, r, phase);
            note_block(t, b, phase, kind, v);
        }
    }
}

int64_t template_cycles(const struct templates *t, enum partition_phase phase,
                        enum partition_block kind, const struct shape *shape)
{
    const struct template_rank *r = &t->rank[0];
    int32_t variant = 0;
    while (!is_variant(t, kind, variant))
        variant++;
    struct block b = block_after(&r->common[phase], variant);
    b.shape = shape;
    b.rank = shape->group - 1;
    builder[kind](&b, r, phase);
    int64_t cycles = b.end;
    block_release(&b);
    return cycles;
}

/* A rung's tables and residual buffers are those of decode. */
static void open_rung(struct templates *t, struct template_rank *r, enum partition_phase phase)
{
    r->common[phase] = block_after(&r->common[PARTITION_DECODE], 0);
    r->common[phase].shape = &t->shape[phase];
    memcpy(r->residual[phase], r->residual[PARTITION_DECODE], sizeof r->residual[phase]);
}

/* Tables and residual buffers of both phases keep rows of their own; activations of a block share
 * the rows below with those of other blocks, which are never alive at the same time. */
static void build_rank(struct templates *t, int32_t rank)
{
    struct template_rank *r = &t->rank[rank];
    int32_t buffers = t->shares ? OPS_RESIDUALS : OPS_RESIDUALS - 1;
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        t->capacity[s] = rank ? t->capacity[s] : t->shape[0].chip->vectors_per_slice;
    r->common[PARTITION_DECODE] = first_block(t, rank);
    ops_common(&r->common[PARTITION_DECODE], &r->tables);
    place_residual(&r->common[PARTITION_DECODE], r, PARTITION_DECODE, buffers);
    r->common[PARTITION_PREFILL] = block_after(&r->common[PARTITION_DECODE], 0);
    r->common[PARTITION_PREFILL].shape = &t->shape[PARTITION_PREFILL];
    place_residual(&r->common[PARTITION_PREFILL], r, PARTITION_PREFILL, buffers);
    memcpy(r->common[PARTITION_DECODE].sram.top, r->common[PARTITION_PREFILL].sram.top,
           sizeof r->common[0].sram.top);
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++) {
        if (!template_has_phase(t, phase))
            continue;
        if (phase >= PARTITION_RUNG)
            open_rung(t, r, phase);
        build_phase(t, r, phase);
    }
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
                for (int32_t v = 0; v < TEMPLATE_VARIANTS; v++)
                    block_release(&t->rank[rank].block[phase][kind][v]);
        }
    *t = (struct templates){0};
}
