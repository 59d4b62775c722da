/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks through the ops of a block as data depends on data, each with the least that it adds. */
#include <stdio.h>
#include <string.h>

#include "partition/bound_path.h"

/* Where the latest result stands at the VXM, in cycles after the block's input: its first vector,
 * its first whole row, its last row. */
struct walk_state {
    const struct bound_machine *m;
    const struct shape *s;
    struct bound_block *b;
    int64_t first, row, last;
};

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

const char *bound_limit_name(enum bound_limit limit)
{
    static const char *const name[BOUND_LIMITS] = {"install", "compute", "vxm",
                                                   "sxm",     "links",   "latency"};
    return name[limit];
}

static struct bound_op *op_open(struct walk_state *w, const char *name)
{
    struct bound_op *op = &w->b->op[w->b->ops++];
    *op = (struct bound_op){.limit = BOUND_LATENCY, .path = w->last};
    snprintf(op->name, sizeof op->name, "%s", name);
    return op;
}

/* The op adds what the last row is later now; the resource that needs most of it decides. */
static void op_close(struct walk_state *w, struct bound_op *op)
{
    op->path = w->last - op->path;
    for (enum bound_limit r = 0; r < BOUND_LATENCY; r++)
        if (op->need[r] > op->need[op->limit])
            op->limit = r;
}

/* A chain of `functions`, each result needed by the next. */
static void chain(struct walk_state *w, int64_t functions)
{
    w->first += functions * w->m->alu;
    w->row += functions * w->m->alu;
    w->last += functions * w->m->alu;
}

/* Cycles that `applied` functions on vectors occupy all ALUs. */
static int64_t vxm_cycles(const struct walk_state *w, int64_t applied)
{
    return bound_ceil(applied, w->m->chip->vxm_alus);
}

static void op_finish_vector(struct walk_state *w, struct bound_op *op, int64_t before)
{
    op->need[BOUND_LATENCY] = op->alone = w->last - before;
    op_close(w, op);
}

/* Something of all lanes of a row is needed in all lanes of `heads` results a row. */
static void cross(struct walk_state *w, struct bound_op *op, int64_t heads, int32_t planes)
{
    int64_t rows = w->s->rows, streams = 2 * w->m->chip->streams_per_direction;
    int64_t all = w->row + bound_crossing(w->m, rows * heads, planes);
    op->need[BOUND_SXM] += bound_ceil(rows * heads * w->m->chip->lanes * planes, streams);
    w->row += bound_crossing(w->m, heads, planes);
    w->last = most(w->last + bound_crossing(w->m, heads, planes), all);
    w->first = w->row;
}

/* Greatest magnitude of a row, its reciprocal, and the rows as bytes. */
static void quantise(struct walk_state *w, struct bound_op *op, int64_t tiles)
{
    chain(w, tiles > 1);
    cross(w, op, 1, 2);
    chain(w, 3);
    op->need[BOUND_VXM] += vxm_cycles(w, 2 * tiles * w->s->rows);
}

static void norm(struct walk_state *w, const char *name)
{
    struct bound_op *op = op_open(w, name);
    int64_t before = w->last, tiles = bound_ceil(w->s->model->hidden, w->m->chip->lanes);
    chain(w, 1);
    op->need[BOUND_VXM] = vxm_cycles(w, tiles * w->s->rows);
    quantise(w, op, tiles);
    op_finish_vector(w, op, before);
}

/* A quantisation of rows of `values` numbers. */
static void requantise(struct walk_state *w, const char *name, int64_t values)
{
    struct bound_op *op = op_open(w, name);
    int64_t before = w->last;
    quantise(w, op, bound_ceil(values, w->m->chip->lanes));
    op_finish_vector(w, op, before);
}

static void vector_op(struct walk_state *w, const char *name, int64_t functions, int64_t applied)
{
    struct bound_op *op = op_open(w, name);
    int64_t before = w->last;
    chain(w, functions);
    op->need[BOUND_VXM] = vxm_cycles(w, applied);
    op_finish_vector(w, op, before);
}

/* Rows against `vectors` of weights, `passes` rows-times-tiles on one plane, `functions` on
 * results.
 */
struct product {
    int64_t vectors, compute;
    int64_t functions;
};

/* Load cycles and the installs between them. */
static int64_t install_cycles(const struct bound_machine *m, int64_t vectors)
{
    return bound_ceil(vectors, m->load_streams) +
           bound_ceil(vectors, m->array) * m->chip->mxm_install_cycles;
}

/* From the first row at the MXM to the last compute that the first row takes part in: arrays and
 * buffers may be full by then, the rest of the weights comes after. */
static int64_t install_after(const struct bound_machine *m, int64_t vectors)
{
    int64_t left = vectors - 2 * m->array;
    if (left > 0)
        return install_cycles(m, left);
    return vectors > m->array ? 1 + m->chip->mxm_install_cycles : 0;
}

static void multiply(struct walk_state *w, const char *name, struct product p)
{
    const struct bound_machine *m = w->m;
    struct bound_op *op = op_open(w, name);
    int64_t tail = m->mxm + p.functions * m->alu, rounds = bound_ceil(p.vectors, m->array);
    int64_t busy = most(p.compute + (rounds - 1) * m->chip->mxm_install_cycles, 1);
    int64_t read = install_after(m, p.vectors);
    op->need[BOUND_INSTALL] = install_cycles(m, p.vectors);
    op->need[BOUND_COMPUTE] = busy;
    op->need[BOUND_LATENCY] = tail;
    op->alone = m->read + most(op->need[BOUND_INSTALL], busy) + m->chip->mxm_compute_cycles +
                m->to_mxm + p.functions * m->alu;
    w->first = w->row + tail;
    w->last = most(w->last, most(w->row + read, w->row + busy - 1)) + tail;
    w->row += read + tail;
    op_close(w, op);
}

static int64_t weight_vectors(const struct walk_state *w, int64_t k, int64_t n)
{
    return bound_ceil(k * n, w->m->chip->lanes);
}

/* int8: results take the scale of their column and of their row. */
static void linear(struct walk_state *w, const char *name, int64_t k, int64_t n)
{
    const struct lpu_chip *chip = w->m->chip;
    int64_t a_cycle = (int64_t)chip->mxm_rows * chip->mxm_columns * chip->mxm_planes;
    multiply(w, name,
             (struct product){weight_vectors(w, k, n), bound_ceil(k * n * w->s->rows, a_cycle), 2});
}

/* Partial sums of all chips, each vector as soon as it exists. */
static void exchange(struct walk_state *w, const char *name)
{
    const struct bound_machine *m = w->m;
    int64_t vectors = bound_ceil(2 * w->s->model->hidden, m->chip->lanes) * w->s->rows;
    w->b->first = w->first, w->b->last = w->last;
    struct bound_op *op = op_open(w, name);
    if (w->s->group == 1) {
        chain(w, 1);
        op->need[BOUND_LATENCY] = op->alone = m->alu;
    } else {
        op->need[BOUND_LATENCY] = m->hop + m->alu;
        op->need[BOUND_LINKS] = bound_exchange(m, w->s->group, vectors);
        op->alone = op->need[BOUND_LINKS] - (m->hop - m->further) / 2; /* from SRAM by the links */
        w->last = most(w->last + m->hop + m->alu + m->slot, w->first + op->need[BOUND_LINKS]);
        w->row = w->last, w->first = w->last;
    }
    op_close(w, op);
}

static int64_t positions(const struct shape *s)
{
    return 2 * (int64_t)s->attend_tiles * s->kv_tile_positions;
}

/* Queries, or probabilities, of all heads against the cache: fp16 over both planes of a hemisphere.
 */
static struct product cached(const struct walk_state *w, int64_t lanes, int64_t functions)
{
    const struct shape *s = w->s;
    int64_t rows = (int64_t)s->heads * s->rows * positions(s);
    return (struct product){2 * positions(s) * s->kv_heads,
                            bound_ceil(2 * rows, lanes * w->m->chip->mxm_planes), functions};
}

/* Off the path: keys and values of the step, which the step's scores need only where its position
 * happens to be. */
static void aside(struct walk_state *w, const char *name, int64_t cycles)
{
    struct bound_op *op = op_open(w, name);
    op->need[BOUND_LATENCY] = op->alone = cycles;
    op->path = 0;
}

static void softmax(struct walk_state *w)
{
    const struct shape *s = w->s;
    int64_t rows = (int64_t)s->heads * s->rows;
    int64_t vectors = bound_ceil(rows * positions(s), w->m->chip->lanes);
    struct bound_op *op = op_open(w, "softmax.max");
    int64_t before = w->last;
    chain(w, 1 + (positions(s) > w->m->chip->lanes));
    cross(w, op, s->heads, 2);
    op->need[BOUND_VXM] = vxm_cycles(w, 2 * vectors);
    op_finish_vector(w, op, before);
    vector_op(w, "softmax.exp", 2, 2 * vectors);
}

static void attention(struct walk_state *w)
{
    const struct shape *s = w->s;
    int64_t head_dim = s->head_dim, applied = (int64_t)s->heads * s->rows;
    norm(w, "attn.norm");
    linear(w, "qkv", s->model->hidden, (s->heads + 2 * s->kv_heads) * head_dim);
    if (s->model->qkv_bias)
        vector_op(w, "qkv.bias", 1, applied);
    aside(w, "rope.k", w->m->sxm + 2 * w->m->alu);
    aside(w, "kv.v", w->m->alu);
    struct bound_op *op = op_open(w, "rope.q");
    int64_t before = w->last;
    w->first += w->m->sxm, w->row += w->m->sxm, w->last += w->m->sxm;
    chain(w, 2);
    op->need[BOUND_VXM] = vxm_cycles(w, 3 * applied);
    op_finish_vector(w, op, before);
    multiply(w, "scores", cached(w, w->m->chip->mxm_columns, 0));
    softmax(w);
    multiply(w, "values", cached(w, w->m->chip->mxm_fp16_rows, 3));
    requantise(w, "attn.quant", s->heads * head_dim);
    linear(w, "o", s->heads * head_dim, s->model->hidden);
    exchange(w, "o.sum");
}

/* Inner columns of a chip's share of an MLP. */
static int64_t inner_columns(const struct shape *s, enum shape_share share)
{
    int64_t all = s->model->ffn / s->group;
    int64_t from = (int64_t)shape_share_first(s, share) * s->ffn_columns;
    int64_t to = from + (int64_t)shape_share_tiles(s, share) * s->ffn_columns;
    return (to < all ? to : all) - from;
}

static void mlp_share(struct walk_state *w, enum shape_share share)
{
    static const char *const name[][3] = {{"gateup", "down", "down.sum"},
                                          {"gateup.1", "down.1", "down.1.sum"},
                                          {"gateup.2", "down.2", "down.2.sum"}};
    int64_t hidden = w->s->model->hidden, columns = inner_columns(w->s, share);
    norm(w, "mlp.norm");
    linear(w, name[share][0], hidden, 2 * columns);
    vector_op(w, "gate", 3, 4 * bound_ceil(columns, w->m->chip->lanes) * w->s->rows);
    requantise(w, "mlp.quant", columns);
    linear(w, name[share][1], columns, hidden);
    exchange(w, name[share][2]);
}

static void mlp(struct walk_state *w)
{
    mlp_share(w, SHAPE_WHOLE);
}

static void mlp_first(struct walk_state *w)
{
    mlp_share(w, SHAPE_FIRST);
}

static void mlp_second(struct walk_state *w)
{
    mlp_share(w, SHAPE_SECOND);
}

/* The greatest key of a chip; the group's is found on the way back to the first stage. */
static void head(struct walk_state *w)
{
    const struct shape *s = w->s;
    norm(w, "head.norm");
    linear(w, "head", s->model->hidden, s->model->vocabulary / s->group);
    struct bound_op *op = op_open(w, "argmax");
    int64_t before = w->last;
    chain(w, 1 + (s->vocabulary > w->m->chip->lanes));
    cross(w, op, 1, 4);
    w->b->first = w->b->last = w->last;
    if (s->group > 1)
        w->last += w->m->hop + w->m->alu + 3 * w->m->slot;
    op->need[BOUND_LINKS] = s->group > 1 ? 4 * w->m->slot : 0;
    op_finish_vector(w, op, before);
}

static void embed(struct walk_state *w)
{
    struct bound_op *op = op_open(w, "embed");
    int64_t cycles = w->m->chip->mem_read_cycles + 1 + w->m->alu;
    w->first = w->row = w->last = op->alone = op->need[BOUND_LATENCY] = cycles;
    op_close(w, op);
    if (w->s->group > 1)
        exchange(w, "embed.sum");
}

void bound_block(const struct bound_machine *m, const struct shape *shape,
                 enum partition_block kind, struct bound_block *block)
{
    static void (*const walk[PARTITION_BLOCKS])(struct walk_state *) = {
        embed, attention, mlp, mlp_first, mlp_second, head};
    struct walk_state w = {.m = m, .s = shape, .b = block};
    *block = (struct bound_block){.kind = kind};
    walk[kind](&w);
    if (shape->group == 1)
        block->first = block->last = w.last;
    block->end = w.last;
}
