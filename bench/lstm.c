/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits the loads and passes of the gates, and the elementwise part on the VXM. */
#include "lstm.h"

#include "partition/place.h"

enum {
    PLANES = 2,
    LOAD_STREAMS = 32,
    LOAD_ROWS = LOAD_STREAMS / PLANES,
    STREAM_INPUT = 30,  /* outward, in the gap of the loads */
    STREAM_BIAS = 8,    /* inward */
    STREAM_STATE = 10,  /* inward: c, or f c and g */
    STREAM_KEPT = 20,   /* outward: f c and g */
    STREAM_NEXT = 22,   /* outward: c' */
    STREAM_HIDDEN = 24, /* outward: h' */
    PLACE_INPUT = 0,    /* slices from the VXM outward, two each */
    PLACE_BIAS = 2,
    PLACE_STATE = 4,
    PLACE_KEPT = 6,
    PLACE_NEXT = 8,
    PLACE_HIDDEN = 10,
    PLACE_WEIGHTS = 12,
    MOST_ROUNDS = 64,
};

/* One load and the pass that follows: `rows` rows of x or h from lane `low` of input vector `v`. */
struct round {
    int32_t gate, tile, v, low, rows, load;
    int32_t row;                  /* of its first weights */
    int64_t start, install, pass; /* issues of the load, the install and the compute */
    bool first, last;
};

struct step {
    struct block *b;
    struct lstm *l;
    struct round round[MOST_ROUNDS]; /* the same in both hemispheres but for the gate */
    int32_t rounds;
    int32_t kept[2]; /* f c in the west, g in the east */
    int32_t sums[2];
};

static int32_t slice_at(const struct block *b, bool east, int32_t place)
{
    int32_t slices = b->chip->mem_slices_per_hemisphere;
    return east ? slices + place : slices - 1 - place;
}

static int32_t tensor_at(struct block *b, const char *name, bool east, int32_t place,
                         enum program_tensor_kind kind, int32_t subs, int32_t count)
{
    int32_t slice[LOAD_STREAMS];
    for (int32_t j = 0; j < subs; j++)
        slice[j] = slice_at(b, east, place + j);
    return emit_placed(b, kind, PROGRAM_DTYPE_FP16, name, slice, subs, count);
}

/* Rows that half `half` of a vector of `hidden` elements has. */
static int32_t rows_in(const struct lpu_chip *chip, int32_t hidden, int32_t v, int32_t half)
{
    int32_t left = hidden - v * chip->lanes - half * chip->mxm_fp16_rows;
    return left < 0 ? 0 : left > chip->mxm_fp16_rows ? chip->mxm_fp16_rows : left;
}

/* Rounds of one column tile of a gate, weights from `row` on; returns the row after them. */
static int32_t add_rounds(const struct lpu_chip *chip, const struct lstm *l, int32_t gate,
                          int32_t tile, int32_t row, struct round *round, int32_t *rounds)
{
    int32_t first = *rounds;
    for (int32_t v = 0; v < 2 * l->vectors; v++)
        for (int32_t half = 0; half < 2; half++) {
            int32_t rows = rows_in(chip, l->hidden, v % l->vectors, half);
            if (!rows)
                continue;
            struct round *r = &round[(*rounds)++];
            *r = (struct round){.gate = gate,
                                .tile = tile,
                                .v = v,
                                .low = half * chip->mxm_fp16_rows,
                                .rows = rows,
                                .load = shape_ceil_div(rows, LOAD_ROWS),
                                .row = row};
            row += r->load;
        }
    round[first].first = true;
    round[*rounds - 1].last = true;
    return row;
}

/* All rounds of a hemisphere: gate by gate within a column tile. Returns the rows of weights. */
static int32_t list_rounds(const struct lpu_chip *chip, const struct lstm *l, struct round *round,
                           int32_t *rounds)
{
    int32_t row = 0;
    *rounds = 0;
    for (int32_t tile = 0; tile < l->vectors; tile++)
        for (int32_t gate = LSTM_F; gate < LSTM_GATES; gate += 2)
            row = add_rounds(chip, l, gate, tile, row, round, rounds);
    return row;
}

struct lstm_place lstm_weight_row(const struct lpu_chip *chip, const struct lstm *l, int32_t gate,
                                  int32_t tile, int32_t k)
{
    struct round round[MOST_ROUNDS];
    int32_t rounds, element = k % l->hidden;
    int32_t v = element / chip->lanes + (k >= l->hidden ? l->vectors : 0);
    list_rounds(chip, l, round, &rounds);
    for (int32_t n = 0; n < rounds; n++) {
        const struct round *r = &round[n];
        int32_t within = element % chip->lanes - r->low;
        if (r->gate == gate - gate % 2 && r->tile == tile && r->v == v && within >= 0 &&
            within < r->rows)
            return (struct lstm_place){r->row + within / LOAD_ROWS, PLANES * (within % LOAD_ROWS)};
    }
    return (struct lstm_place){-1, -1};
}

/* A load, its install right behind it, and between the last vector of the one and the first of the
 * next load the gap in which the pass before samples its row; see op_linear.c. */
static void time_rounds(struct step *s)
{
    const struct lpu_chip *chip = s->b->chip;
    int64_t cycle = 0;
    for (int32_t n = 0; n < s->rounds; n++) {
        struct round *r = &s->round[n];
        r->start = cycle;
        r->install = cycle + chip->mxm_load_skew_cycles + r->load;
        r->pass = r->install + chip->mxm_install_cycles;
        if (n)
            s->round[n - 1].pass = r->install - chip->mxm_compute_skew_cycles;
        cycle = r->pass - chip->mxm_load_skew_cycles;
    }
}

static struct program_instruction on_mxm(bool east, int32_t use, enum program_opcode opcode,
                                         int32_t count, int64_t cycle)
{
    int32_t queue = PROGRAM_QUEUE_MXM + (east ? 2 * PROGRAM_MXM_QUEUES : 0) + use;
    return (struct program_instruction){.cycle = cycle,
                                        .queue = (uint8_t)queue,
                                        .opcode = (uint8_t)opcode,
                                        .flags = PROGRAM_FP16,
                                        .count = {count, 1},
                                        .interval = {count > 1, 0}};
}

static void emit_load(struct step *s, bool east, const struct round *r)
{
    struct block *b = s->b;
    struct lane_group at = {emit_outward(east), 0, emit_mxm_x(b, east),
                            r->start + b->chip->mxm_load_skew_cycles};
    struct program_operand in =
        emit_read(b, s->l->weight[east], 0, LOAD_STREAMS, emit_walk(r->row, 1, 0),
                  emit_pattern(r->load, 1, 1, 0), at);
    struct program_operand want =
        emit_expect(s->l->weight[east], LOAD_STREAMS, emit_walk(r->row, 0, 0));
    struct program_instruction load = on_mxm(east, 0, PROGRAM_MXM_LOAD, r->load, r->start);
    struct program_instruction install = on_mxm(east, 1, PROGRAM_MXM_INSTALL, 1, r->install);
    load.flags |= PROGRAM_ROWS;
    install.flags |= PROGRAM_ROWS;
    emit(b, load, &in, 1, NULL, 0);
    emit(b, install, &want, 1, NULL, 0);
}

static void emit_pass(struct step *s, bool east, const struct round *r)
{
    struct block *b = s->b;
    struct lane_group at = {emit_outward(east), STREAM_INPUT, emit_mxm_x(b, east),
                            r->pass + b->chip->mxm_compute_skew_cycles};
    struct program_operand in[2] = {
        emit_read(b, s->l->input[east], 0, PLANES, emit_walk(r->v, 0, 0), emit_pattern(1, 0, 1, 0),
                  at),
        emit_expect(s->l->weight[east], LOAD_STREAMS, emit_walk(r->row, 0, 0))};
    struct program_operand out = emit_stream(emit_inward(east), 0, 4, s->sums[east], 0,
                                             emit_walk(r->gate / 2 + 2 * r->tile, 0, 0));
    struct program_instruction i = on_mxm(east, 2, PROGRAM_MXM_COMPUTE, 1, r->pass);
    i.flags |= (uint8_t)((r->first ? PROGRAM_FIRST : 0) | (r->last ? PROGRAM_LAST : 0));
    i.low = r->low;
    i.address = r->gate / 2;
    emit(b, i, in, 2, &out, r->last);
}

static const struct pattern once = {{1, 1}, {0, 0}};

/* `n` ALUs in a row from `unit` on; the last may have outputs. Returns when its result appears. */
struct link {
    enum program_vxm_function function;
    float immediate;
};
static int64_t emit_chain(struct block *b, int32_t unit, const struct link *link, int32_t n,
                          int64_t cycle)
{
    for (int32_t k = 0; k < n; k++) {
        struct program_operand in = emit_alu_operand(unit + k - 1);
        cycle = emit_alu(b,
                         (struct alu){.unit = unit + k,
                                      .function = link[k].function,
                                      .immediate = link[k].immediate,
                                      .p = once,
                                      .cycle = cycle},
                         &in, 1, NULL, 0);
    }
    return cycle;
}

/* sigmoid(a) = tanh(a / 2) / 2 + 1 / 2. */
static const struct link sigmoid[] = {
    {PROGRAM_VXM_TANH, 0.5f}, {PROGRAM_VXM_SCALE, 0.5f}, {PROGRAM_VXM_OFFSET, 0.5f}};
static const struct link tangent[] = {{PROGRAM_VXM_TANH, 1.0f}};
static const struct link wait[] = {
    {PROGRAM_VXM_COPY, 0}, {PROGRAM_VXM_COPY, 0}, {PROGRAM_VXM_COPY, 0}};

static struct program_operand read_at_vxm(struct step *s, int32_t tensor, bool east, int32_t row,
                                          int32_t stream, int64_t cycle)
{
    return emit_read(s->b, tensor, 0, PLANES, emit_walk(row, 0, 0), once,
                     emit_at_vxm(s->b, east, stream, cycle));
}

/* Sum and bias of a gate in ALU `unit`, then its function; returns when that appears. *n: its ALUs.
 */
static int64_t emit_gate(struct step *s, const struct round *r, bool east, int32_t unit, int32_t *n)
{
    struct block *b = s->b;
    int64_t cycle = r->pass + b->chip->mxm_compute_cycles + emit_vxm_x(b) - emit_mxm_x(b, false);
    bool tanh = r->gate + east == (int32_t)LSTM_G;
    struct program_operand in[2] = {emit_stream(emit_inward(east), 0, 4, s->sums[east], 0,
                                                emit_walk(r->gate / 2 + 2 * r->tile, 0, 0)),
                                    read_at_vxm(s, s->l->bias[east], east,
                                                r->gate / 2 * s->l->vectors + r->tile, STREAM_BIAS,
                                                cycle)};
    cycle = emit_alu(
        b, (struct alu){.unit = unit, .function = PROGRAM_VXM_ADD, .p = once, .cycle = cycle}, in,
        2, NULL, 0);
    *n = tanh ? 2 : 4;
    return emit_chain(b, unit + 1, tanh ? tangent : sigmoid, *n - 1, cycle);
}

/* A function of operands whose result goes to row `row` of `to[..outputs]`, outward. */
static int64_t emit_last(struct step *s, struct alu a, const struct program_operand *in,
                         int32_t inputs, const int32_t *to, const bool *east, int32_t outputs,
                         int32_t stream, int32_t row)
{
    struct program_operand out[2];
    struct walk walk = emit_walk(row, 0, 0);
    for (int32_t k = 0; k < outputs; k++)
        out[k] = emit_stream(emit_outward(east[k]), stream, PLANES, to[k], 0, walk);
    int64_t cycle = emit_alu(s->b, a, in, inputs, out, outputs);
    for (int32_t k = 0; k < outputs; k++)
        emit_write(s->b, to[k], 0, PLANES, walk, once,
                   (struct lane_group){emit_outward(east[k]), stream, emit_vxm_x(s->b), cycle});
    return cycle;
}

/* f c and g, which are there long before i and o, wait in SRAM. */
static void emit_early_gates(struct step *s, const struct round *r)
{
    static const bool side[2] = {false, true};
    int32_t n;
    int64_t cycle = emit_gate(s, r, false, 0, &n);
    struct program_operand in[2] = {
        emit_alu_operand(n - 1), read_at_vxm(s, s->l->state, false, r->tile, STREAM_STATE, cycle)};
    struct alu a = {.unit = n, .function = PROGRAM_VXM_MUL, .p = once, .cycle = cycle};
    emit_last(s, a, in, 2, &s->kept[0], &side[0], 1, STREAM_KEPT, r->tile);
    int32_t unit = n + 1;
    a.cycle = emit_gate(s, r, true, unit, &n);
    in[0] = emit_alu_operand(unit + n - 1);
    a = (struct alu){.unit = unit + n, .function = PROGRAM_VXM_COPY, .p = once, .cycle = a.cycle};
    emit_last(s, a, in, 1, &s->kept[1], &side[1], 1, STREAM_KEPT, r->tile);
}

/* i g + f c, its tanh, and o, which waits for it in ALUs. */
static void emit_late_gates(struct step *s, const struct round *r)
{
    static const bool side[2] = {false, true};
    struct block *b = s->b;
    int32_t i_alus, o_alus;
    int64_t i_cycle = emit_gate(s, r, false, 0, &i_alus), cycle;
    struct program_operand in[2] = {
        emit_alu_operand(i_alus - 1),
        read_at_vxm(s, s->kept[1], true, r->tile, STREAM_STATE, i_cycle)};
    struct alu a = {.unit = i_alus, .function = PROGRAM_VXM_MUL, .p = once, .cycle = i_cycle};
    a.cycle = emit_alu(b, a, in, 2, NULL, 0);
    in[0] = emit_alu_operand(a.unit++);
    in[1] = read_at_vxm(s, s->kept[0], false, r->tile, STREAM_STATE, a.cycle);
    a.function = PROGRAM_VXM_ADD;
    a.cycle = emit_last(s, a, in, 2, &s->l->next_state, &side[0], 1, STREAM_NEXT, r->tile);
    int32_t tanh = a.unit + 1;
    a.cycle = emit_chain(b, tanh, tangent, 1, a.cycle);
    cycle = emit_gate(s, r, true, tanh + 1, &o_alus);
    cycle = emit_chain(b, tanh + 1 + o_alus, wait, 3, cycle);
    in[0] = emit_alu_operand(tanh);
    in[1] = emit_alu_operand(tanh + o_alus + 3);
    a.unit = tanh + 1 + o_alus + 3;
    a.function = PROGRAM_VXM_MUL;
    a.cycle = cycle;
    emit_last(s, a, in, 2, s->l->next_hidden, side, 2, STREAM_HIDDEN, r->tile);
}

static void add_tensors(struct step *s, int32_t weight_rows)
{
    struct block *b = s->b;
    struct lstm *l = s->l;
    int32_t v = l->vectors;
    const enum program_tensor_kind held = PROGRAM_TENSOR_CONSTANT,
                                   written = PROGRAM_TENSOR_ACTIVATION;
    l->state = tensor_at(b, "c", false, PLACE_STATE, held, PLANES, v);
    l->next_state = tensor_at(b, "c.next", false, PLACE_NEXT, written, PLANES, v);
    for (int32_t e = 0; e < 2; e++) {
        l->input[e] = tensor_at(b, e ? "xh.e" : "xh.w", e, PLACE_INPUT, held, PLANES, 2 * v);
        l->bias[e] = tensor_at(b, e ? "bias.e" : "bias.w", e, PLACE_BIAS, held, PLANES, 2 * v);
        l->weight[e] = tensor_at(b, e ? "w.e" : "w.w", e, PLACE_WEIGHTS, PROGRAM_TENSOR_WEIGHT,
                                 LOAD_STREAMS, weight_rows);
        l->next_hidden[e] =
            tensor_at(b, e ? "h.next.e" : "h.next.w", e, PLACE_HIDDEN, written, PLANES, v);
        s->kept[e] = tensor_at(b, e ? "g" : "f c", e, PLACE_KEPT, written, PLANES, v);
        s->sums[e] = emit_transient(b, e ? "sums.e" : "sums.w", PROGRAM_DTYPE_FP32, 4);
    }
}

void lstm_emit(struct block *b, int32_t hidden, struct lstm *l)
{
    struct step s = {.b = b, .l = l};
    *l = (struct lstm){.hidden = hidden, .vectors = shape_ceil_div(hidden, b->chip->lanes)};
    emit_op(b, "lstm", true);
    add_tensors(&s, list_rounds(b->chip, l, s.round, &s.rounds));
    time_rounds(&s);
    for (int32_t n = 0; n < s.rounds; n++)
        for (int32_t east = 0; east < 2; east++) {
            emit_load(&s, east, &s.round[n]);
            emit_pass(&s, east, &s.round[n]);
        }
    for (int32_t n = 0; n < s.rounds; n++) {
        if (s.round[n].last && s.round[n].gate == LSTM_F)
            emit_early_gates(&s, &s.round[n]);
        else if (s.round[n].last)
            emit_late_gates(&s, &s.round[n]);
    }
    place_group(b, 0);
}
