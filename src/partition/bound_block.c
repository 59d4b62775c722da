/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks through the ops of a block as data depends on data, each with the least that it adds. */
#include <stdio.h>
#include <string.h>

#include "partition/bound_path.h"

/* Where the walk is. */
struct walk_state {
    const struct bound_machine *m;
    const struct shape *s;
    struct bound_block *b;
    struct bound_time t, partial;
    int64_t late;
    bool windowed; /* attention sees shape.window positions */
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

int64_t bound_row_vectors(const struct shape *shape)
{
    return bound_ceil(2 * shape->model->hidden, shape->chip->lanes);
}

const char *bound_class_name(enum bound_class of)
{
    static const char *const name[BOUND_CLASSES] = {"products", "attention", "norms and gates",
                                                    "links and hops"};
    return name[of];
}

/* By the first letters of an op; of several that match, the first counts. */
static enum bound_class class_of(const char *op)
{
    static const struct {
        const char *begins;
        enum bound_class of;
    } known[] = {{"o.sum", BOUND_SUMS},          {"down.sum", BOUND_SUMS},
                 {"embed.sum", BOUND_SUMS},      {"attn.quant.rows", BOUND_SUMS},
                 {"mlp.quant.rows", BOUND_SUMS}, {"qkv.bias", BOUND_VECTORS},
                 {"gateup.bias", BOUND_VECTORS}, {"head.norm", BOUND_VECTORS},
                 {"expert.gb", BOUND_VECTORS},   {"expert.db", BOUND_VECTORS},
                 {"qkv", BOUND_PRODUCTS},        {"head", BOUND_PRODUCTS},
                 {"gateup", BOUND_PRODUCTS},     {"down", BOUND_PRODUCTS},
                 {"router", BOUND_PRODUCTS},     {"expert", BOUND_PRODUCTS},
                 {"shared.g", BOUND_PRODUCTS},   {"shared.d", BOUND_PRODUCTS},
                 {"o", BOUND_PRODUCTS},          {"rope", BOUND_ATTENTION},
                 {"kv", BOUND_ATTENTION},        {"scores", BOUND_ATTENTION},
                 {"softmax", BOUND_ATTENTION},   {"values", BOUND_ATTENTION}};
    for (size_t n = 0; n < sizeof known / sizeof known[0]; n++)
        if (strncmp(op, known[n].begins, strlen(known[n].begins)) == 0)
            return known[n].of;
    return BOUND_VECTORS;
}

static struct bound_op *op_open(struct walk_state *w, const char *name)
{
    struct bound_op *op = &w->b->op[w->b->ops++];
    *op = (struct bound_op){.limit = BOUND_LATENCY, .path = w->t.last, .of = class_of(name)};
    snprintf(op->name, sizeof op->name, "%s", name);
    return op;
}

/* The op adds what the last row is later now; the resource that needs most of it decides. */
static void op_close(struct walk_state *w, struct bound_op *op)
{
    op->path = w->t.last - op->path;
    for (enum bound_limit r = 0; r < BOUND_LATENCY; r++)
        if (op->need[r] > op->need[op->limit])
            op->limit = r;
}

/* An op whose instructions do nothing but what is on the path. */
static void op_close_chain(struct walk_state *w, struct bound_op *op, int64_t latency)
{
    op->need[BOUND_LATENCY] = op->alone = latency;
    op_close(w, op);
}

static void delay(struct walk_state *w, int64_t cycles)
{
    w->t.first += cycles, w->t.row += cycles, w->t.last += cycles;
}

/* A chain of `functions`, each result needed by the next. */
static int64_t chain(struct walk_state *w, int64_t functions)
{
    delay(w, functions * w->m->alu);
    return functions * w->m->alu;
}

/* Cycles that `applied` functions on vectors occupy all ALUs. */
static int64_t vxm_cycles(const struct walk_state *w, int64_t applied)
{
    return bound_ceil(applied, w->m->chip->vxm_alus);
}

/* What has to cross lanes: `values` numbers of `planes` bytes, for each of `heads` results a row.
 */
struct crossing {
    int64_t heads, values;
    int32_t planes;
};

/* Each result is needed in all lanes: after the last vector, of which few lanes may be in use, and
 * not before the first vector allows. */
static int64_t cross(struct walk_state *w, struct bound_op *op, struct crossing c)
{
    const struct bound_machine *m = w->m;
    int64_t rows = w->s->rows * c.heads, way = bound_crossing_way(m);
    int64_t lanes = c.values < m->chip->lanes ? c.values : m->chip->lanes;
    op->need[BOUND_SXM] += bound_ceil(rows * lanes * c.planes, 2 * m->chip->streams_per_direction);
    w->t.row = most(w->t.row + way, w->t.first + bound_crossing(m, c.heads, c.values, c.planes));
    w->t.last = most(w->t.last + way, w->t.first + bound_crossing(m, rows, c.values, c.planes));
    w->t.last = most(w->t.last, w->t.row);
    w->t.first = w->t.row;
    return way;
}

/* Greatest magnitude of a row, its reciprocal of two functions, and the rows as bytes. */
static int64_t quantise(struct walk_state *w, struct bound_op *op, int64_t values)
{
    int64_t tiles = bound_ceil(values, w->m->chip->lanes);
    op->need[BOUND_VXM] += vxm_cycles(w, 2 * tiles * w->s->rows);
    int64_t way = cross(w, op, (struct crossing){1, values, 2});
    return way + chain(w, 3);
}

static void norm(struct walk_state *w, const char *name)
{
    struct bound_op *op = op_open(w, name);
    int64_t tiles = bound_ceil(w->s->model->hidden, w->m->chip->lanes), latency = chain(w, 1);
    op->need[BOUND_VXM] = vxm_cycles(w, tiles * w->s->rows);
    latency += quantise(w, op, w->s->model->hidden);
    op_close_chain(w, op, latency);
}

/* A quantisation of rows of `values` numbers. */
static void requantise(struct walk_state *w, const char *name, int64_t values)
{
    struct bound_op *op = op_open(w, name);
    op_close_chain(w, op, quantise(w, op, values));
}

static void vector_op(struct walk_state *w, const char *name, int64_t functions, int64_t applied)
{
    struct bound_op *op = op_open(w, name);
    op->need[BOUND_VXM] = vxm_cycles(w, applied);
    op_close_chain(w, op, chain(w, functions));
}

/* Rows against `vectors` of weights, of which one row meets `for_row`: `compute` cycles of all
 * planes, `functions` on the results; `late`: which weights they are is known with the rows. */
struct product {
    int64_t vectors, for_row, compute;
    int64_t functions;
    bool late;
};

/* Load cycles and the installs between them. */
static int64_t install_cycles(const struct bound_machine *m, int64_t vectors)
{
    return bound_ceil(vectors, m->load_streams) +
           bound_ceil(vectors, m->array) * m->chip->mxm_install_cycles;
}

/* From the first row at the MXM to the last compute that this row takes part in: arrays and buffers
 * may be full by then, the rest of the weights comes after. */
static int64_t install_after(const struct bound_machine *m, int64_t vectors, bool late)
{
    int64_t left = late ? vectors : vectors - 2 * m->array;
    if (left > 0)
        return install_cycles(m, left);
    return vectors > m->array ? 1 + m->chip->mxm_install_cycles : 0;
}

static void multiply(struct walk_state *w, const char *name, struct product p)
{
    const struct bound_machine *m = w->m;
    struct bound_op *op = op_open(w, name);
    int64_t back = p.late ? m->to_mxm : 0; /* rows wait at the MXM for weights, not the other way */
    int64_t tail = m->mxm - back + p.functions * m->alu, rounds = bound_ceil(p.vectors, m->array);
    int64_t busy = most(p.compute + (rounds - 1) * m->chip->mxm_install_cycles, 1);
    int64_t read = install_after(m, p.for_row, p.late), all = install_after(m, p.vectors, p.late);
    op->need[BOUND_INSTALL] = install_cycles(m, p.vectors);
    op->need[BOUND_COMPUTE] = busy;
    op->need[BOUND_LATENCY] = tail;
    op->alone = m->read + most(op->need[BOUND_INSTALL], busy) + m->chip->mxm_compute_cycles +
                m->to_mxm + p.functions * m->alu;
    w->t.first = w->t.row + tail;
    w->t.last = most(w->t.last, w->t.row + most(all, busy - 1)) + tail;
    w->t.row += read + tail;
    op_close(w, op);
}

/* int8: results take the scale of their column and of their row. */
static void linear(struct walk_state *w, const char *name, int64_t k, int64_t n)
{
    const struct lpu_chip *chip = w->m->chip;
    int64_t a_cycle = (int64_t)chip->mxm_rows * chip->mxm_columns * chip->mxm_planes;
    int64_t vectors = bound_ceil(k * n, chip->lanes);
    multiply(w, name,
             (struct product){.vectors = vectors,
                              .for_row = vectors,
                              .compute = bound_ceil(k * n * w->s->rows, a_cycle),
                              .functions = 2});
}

static void exchange_times(struct walk_state *w, int64_t row_vectors)
{
    const struct bound_machine *m = w->m;
    struct bound_time *t = &w->t;
    int64_t one = m->hop + m->alu, both = one + m->slot;
    int64_t row = bound_exchange(m, w->s->group, row_vectors, w->late);
    int64_t all = bound_exchange(m, w->s->group, row_vectors * w->s->rows, w->late);
    t->row = most(t->row + both, t->first + row);
    t->last = most(most(t->last + both, t->first + all), t->row);
    t->first += one;
}

/* Partial sums of all chips, each vector as soon as it exists. */
static void exchange(struct walk_state *w, const char *name)
{
    const struct bound_machine *m = w->m;
    int64_t vectors = bound_row_vectors(w->s);
    w->partial = w->t;
    struct bound_op *op = op_open(w, name);
    if (w->s->group == 1) {
        op_close_chain(w, op, chain(w, 1));
        w->partial = w->t;
        return;
    }
    op->need[BOUND_LATENCY] = m->hop + m->alu;
    op->need[BOUND_LINKS] = bound_exchange(m, w->s->group, vectors * w->s->rows, 0);
    op->alone = op->need[BOUND_LINKS] - (m->hop - m->further) / 2; /* from SRAM by the links */
    exchange_times(w, vectors);
    op_close(w, op);
}

/* `vectors` that each other chip of the group has for this one: they wait for a hop, and links
 * bring one a slot; the first of all is this one's own. `late`: as for sums. */
static void gather(struct walk_state *w, struct bound_op *op, int64_t vectors, int64_t late)
{
    const struct bound_machine *m = w->m;
    struct bound_time *t = &w->t;
    int64_t row = most((bound_ceil(vectors, w->s->rows) - 1) * m->slot - late, 0);
    int64_t all = most((vectors - 1) * m->slot - late, 0);
    op->need[BOUND_LATENCY] += m->hop;
    op->need[BOUND_LINKS] = m->hop + (vectors - 1) * m->slot;
    op->alone = 1 + (vectors - 1) * m->slot; /* a chip may send before, behind, or nothing */
    t->row = most(t->row, t->first + row) + m->hop;
    t->last = most(most(t->last, t->first + all) + m->hop, t->row);
}

/* Inputs of a product by columns, a byte for each at the least. */
static void gather_inputs(struct walk_state *w, const char *name, int64_t values)
{
    struct bound_op *op = op_open(w, name);
    gather(w, op, bound_ceil(values, w->m->chip->lanes) * w->s->rows, 0);
    op_close(w, op);
}

/* Its outputs: who has a T-th of them still needs as much of each other chip. The residual is added
 * before or after they have moved. */
static void gather_outputs(struct walk_state *w, const char *name)
{
    w->partial = w->t;
    struct bound_op *op = op_open(w, name);
    op->need[BOUND_LATENCY] = chain(w, 1);
    gather(w, op, bound_ceil(bound_row_vectors(w->s) * w->s->rows, w->s->group), w->late);
    op_close(w, op);
}

/* The second matrix of a pair, of `values` inputs on each chip, and the ops around it. */
struct second {
    const char *rows, *quantised, *product, *sum;
    int64_t values;
    struct linear_shape shape;
};

static void second_product(struct walk_state *w, const struct second *p)
{
    const struct shape *s = w->s;
    int64_t hidden = s->model->hidden;
    bool columns = p->shape.by_columns;
    if (columns)
        gather_inputs(w, p->rows, p->values);
    requantise(w, p->quantised, p->values);
    if (columns)
        linear(w, p->product, s->group * p->values, bound_ceil(hidden, s->group));
    else
        linear(w, p->product, p->values, hidden);
    if (columns)
        gather_outputs(w, p->sum);
    else
        exchange(w, p->sum);
}

/* Positions that a row sees, masked ones included. */
static int64_t positions(const struct walk_state *w)
{
    const struct shape *s = w->s;
    int64_t all = 2 * (int64_t)s->attend_tiles * s->kv_tile_positions;
    return w->windowed && s->window < all ? s->window : all;
}

/* Queries, or probabilities, of all heads against the cache: fp16 over both planes of a hemisphere,
 * which take `lanes` positions in a pass. */
static struct product cached(const struct walk_state *w, int64_t lanes, int64_t functions)
{
    const struct shape *s = w->s;
    int64_t rows = (int64_t)s->heads * s->rows * positions(w);
    int64_t cache = 2 * positions(w) * s->kv_heads;
    return (struct product){.vectors = cache * s->sequences,
                            .for_row = cache,
                            .compute = bound_ceil(2 * rows, lanes * w->m->chip->mxm_planes),
                            .functions = functions};
}

/* Off the path: keys and values of the step, which its scores need only where its position happens
 * to be. */
static void aside(struct walk_state *w, const char *name, int64_t functions)
{
    struct bound_op *op = op_open(w, name);
    op_close_chain(w, op, functions * w->m->alu);
}

static void softmax(struct walk_state *w)
{
    const struct shape *s = w->s;
    int64_t rows = (int64_t)s->heads * s->rows;
    int64_t vectors = bound_ceil(rows * positions(w), w->m->chip->lanes);
    struct bound_op *op = op_open(w, "softmax.max");
    int64_t latency = chain(w, 1);
    latency += cross(w, op, (struct crossing){s->heads, positions(w), 2});
    op->need[BOUND_VXM] = vxm_cycles(w, 2 * vectors);
    op_close_chain(w, op, latency);
    vector_op(w, "softmax.exp", 2, 2 * vectors);
}

/* The halves of a head change places in the SXM, which results pass on their way inward. */
static void rotate(struct walk_state *w, int64_t applied)
{
    const struct lpu_chip *chip = w->m->chip;
    struct bound_op *op = op_open(w, "rope.q");
    delay(w, chip->sxm_cycles - chip->sxm_skew_cycles);
    int64_t latency = chip->sxm_cycles - chip->sxm_skew_cycles + chain(w, 2);
    op->need[BOUND_VXM] = vxm_cycles(w, 3 * applied);
    op_close_chain(w, op, latency);
}

/* Squares, their sum over lanes, its inverse root and a product with it. */
static void head_norm(struct walk_state *w, int64_t applied)
{
    struct bound_op *op = op_open(w, "qk.norm");
    int64_t way = bound_crossing_way(w->m);
    delay(w, way);
    op->need[BOUND_VXM] = vxm_cycles(w, 4 * applied);
    op_close_chain(w, op, way + chain(w, 4));
}

static void attention(struct walk_state *w)
{
    const struct shape *s = w->s;
    int64_t head_dim = s->head_dim, applied = (int64_t)s->heads * s->rows;
    norm(w, "attn.norm");
    linear(w, "qkv", s->model->hidden, (s->heads + 2 * s->kv_heads) * head_dim);
    if (s->model->qkv_bias)
        vector_op(w, "qkv.bias", 1, applied);
    if (s->model->qk_norm)
        head_norm(w, applied);
    aside(w, "rope.k", 2);
    aside(w, "kv.v", 1);
    rotate(w, applied);
    multiply(w, "scores", cached(w, w->m->chip->mxm_columns, 0));
    softmax(w);
    multiply(w, "values", cached(w, w->m->chip->mxm_fp16_rows, 3));
    second_product(w, &(struct second){"attn.quant.rows", "attn.quant", "o", "o.sum",
                                       s->heads * head_dim, s->output});
}

/* Inner columns of a chip's share of an MLP. */
static int64_t inner_columns(const struct shape *s, enum shape_share share)
{
    int64_t all = (s->experts ? s->model->expert_ffn : s->model->ffn) / s->group;
    int64_t from = (int64_t)shape_share_first(s, share) * s->ffn_columns;
    int64_t to = from + (int64_t)shape_share_tiles(s, share) * s->ffn_columns;
    return (to < all ? to : all) - from;
}

static void dense(struct walk_state *w, enum shape_share share)
{
    static const char *const name[][3] = {{"gateup", "down", "down.sum"},
                                          {"gateup.1", "down.1", "down.1.sum"},
                                          {"gateup.2", "down.2", "down.2.sum"}};
    const struct model *model = w->s->model;
    int64_t columns = inner_columns(w->s, share), tiles = bound_ceil(columns, w->m->chip->lanes);
    linear(w, name[share][0], model->hidden, 2 * columns);
    if (model->mlp_bias)
        vector_op(w, "gateup.bias", 1, 2 * tiles * w->s->rows);
    vector_op(w, "gate", 3, 4 * tiles * w->s->rows);
    second_product(w, &(struct second){"mlp.quant.rows", "mlp.quant", name[share][1],
                                       name[share][2], columns, w->s->down});
}

/* A comparison of logits has to cross lanes, and so have the ids that win, on their way to the
 * addresses that they complete. */
static void route(struct walk_state *w)
{
    linear(w, "router", w->s->model->hidden, w->s->experts);
    struct bound_op *op = op_open(w, "rank");
    delay(w, bound_crossing_way(w->m));
    op_close_chain(w, op, bound_crossing_way(w->m));
    op = op_open(w, "choose");
    delay(w, bound_crossing_way(w->m));
    op_close_chain(w, op, bound_crossing_way(w->m));
}

/* Rows against the experts that they have chosen: in the worst case others for each row, as long as
 * there are others. */
static void expert(struct walk_state *w, const char *name, int64_t k, int64_t n, bool late)
{
    const struct shape *s = w->s;
    const struct lpu_chip *chip = w->m->chip;
    int64_t one = bound_ceil(k * n, chip->lanes), slots = (int64_t)s->rows * s->experts_per_row;
    int64_t a_cycle = (int64_t)chip->mxm_rows * chip->mxm_columns * chip->mxm_planes;
    multiply(w, name,
             (struct product){.vectors = one * (slots < s->experts ? slots : s->experts),
                              .for_row = one * s->experts_per_row,
                              .compute = bound_ceil(k * n * slots, a_cycle),
                              .functions = 2,
                              .late = late && slots < s->experts});
}

static void mixture(struct walk_state *w, enum shape_share share)
{
    static const char *const name[][2] = {
        {"expert.g", "expert.d"}, {"expert.g.1", "expert.d.1"}, {"expert.g.2", "expert.d.2"}};
    const struct shape *s = w->s;
    const struct model *model = s->model;
    int64_t slots = (int64_t)s->rows * s->experts_per_row, lanes = w->m->chip->lanes;
    int64_t columns = inner_columns(s, share), tiles = bound_ceil(columns, lanes);
    route(w);
    expert(w, name[share][0], model->hidden, 2 * columns, true);
    if (model->expert_bias)
        vector_op(w, "expert.gb", 1, 2 * tiles * slots);
    vector_op(w, "gate", 3, 4 * tiles * slots);
    requantise(w, "mlp.quant", columns);
    expert(w, name[share][1], columns, model->hidden, false);
    if (model->expert_bias)
        vector_op(w, "expert.db", 1, slots * bound_ceil(model->hidden, lanes));
    vector_op(w, "combine", 2, 2 * slots * bound_ceil(model->hidden, lanes));
}

static void mlp_share(struct walk_state *w, enum shape_share share)
{
    norm(w, "mlp.norm");
    if (!w->s->experts) {
        dense(w, share);
        return;
    }
    mixture(w, share);
    exchange(w, "down.sum");
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

/* The greatest key of a chip, then of the group. */
static void head(struct walk_state *w)
{
    const struct shape *s = w->s;
    norm(w, "head.norm");
    linear(w, "head", s->model->hidden, s->model->vocabulary / s->group);
    struct bound_op *op = op_open(w, "argmax");
    int64_t latency = chain(w, 1), keys = program_dtype_planes(PROGRAM_DTYPE_KEY);
    latency += cross(w, op, (struct crossing){1, s->vocabulary, (int32_t)keys});
    w->partial = w->t;
    if (s->group > 1) {
        op->need[BOUND_LINKS] = keys * w->m->slot;
        delay(w, w->m->hop + w->m->alu + (keys - 1) * w->m->slot);
        latency += w->m->hop + w->m->alu + (keys - 1) * w->m->slot;
    }
    op_close_chain(w, op, latency);
}

static void embed(struct walk_state *w)
{
    struct bound_op *op = op_open(w, "embed");
    delay(w, w->m->chip->mem_read_cycles + 1);
    op_close_chain(w, op, w->m->chip->mem_read_cycles + 1 + chain(w, 1));
    w->partial = w->t;
    if (w->s->group > 1)
        exchange(w, "embed.sum");
}

void bound_block(const struct bound_machine *m, const struct bound_work *work,
                 struct bound_time *time, struct bound_time *partial, struct bound_block *block)
{
    static void (*const walk[PARTITION_BLOCKS])(struct walk_state *) = {
        embed, attention, mlp, mlp_first, mlp_second, head};
    struct walk_state w = {.m = m,
                           .s = work->shape,
                           .b = block,
                           .t = *time,
                           .late = work->late,
                           .windowed = work->windowed};
    *block = (struct bound_block){.kind = work->kind};
    walk[work->kind](&w);
    *partial = w.partial;
    block->bound = w.t.last - time->last;
    *time = w.t;
}
