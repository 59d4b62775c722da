/* SPDX-License-Identifier: BSD-3-Clause */
/* Reservation tables of one chip: queue and plane intervals in cycles, streams as combs in phase
 * space.
 *
 * A train on a stream holds phases start + i * d0 + o * d1 (phase = cycle -/+ position) over the
 * positions between its producer and its farthest consumer. Two trains collide where they share a
 * phase and a position; nothing else about cycles matters, so a test is arithmetic on a few
 * numbers. */
#include "partition/place.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

enum { PLANES = 4, LANES = PROGRAM_QUEUES + PLANES, DIRECTIONS = 2, STREAMS = 64 };

struct interval {
    int64_t from, to;
};

struct intervals {
    struct interval *at;
    size_t count, capacity;
};

struct comb {
    int64_t phase;
    struct pattern p;
    int32_t low, high; /* positions it covers */
    int64_t reach;     /* last phase of this and all combs before it in a list of held ones */
};

struct combs {
    struct comb *at;
    size_t count, capacity;
};

struct reservations {
    struct intervals lane[LANES];
    struct combs stream[DIRECTIONS][STREAMS];
    struct combs open[DIRECTIONS][STREAMS]; /* of the group being placed */
};

struct reservations *reservations_create(void)
{
    return base_alloc(1, sizeof(struct reservations));
}

void reservations_release(struct reservations *r)
{
    if (!r)
        return;
    for (int lane = 0; lane < LANES; lane++)
        base_free(r->lane[lane].at);
    for (int d = 0; d < DIRECTIONS; d++)
        for (int s = 0; s < STREAMS; s++) {
            base_free(r->stream[d][s].at);
            base_free(r->open[d][s].at);
        }
    base_free(r);
}

static int64_t hull(struct pattern p)
{
    return (int64_t)(p.n[0] - 1) * p.d[0] + (int64_t)(p.n[1] - 1) * p.d[1];
}

/* Whether some start + i * step, 0 <= i < n, lies in the arithmetic progression (start2, step2,
 * n2). */
static bool progressions_meet(int64_t start, int64_t step, int64_t n, int64_t start2, int64_t step2,
                              int64_t n2)
{
    int64_t end = start + (n - 1) * step, end2 = start2 + (n2 - 1) * step2;
    if (end < start2 || end2 < start)
        return false;
    if (n > n2)
        return progressions_meet(start2, step2, n2, start, step, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t away = start + i * step - start2;
        if (away >= 0 && away <= end2 - start2 && (n2 == 1 ? away == 0 : away % step2 == 0))
            return true;
        if (step2 == 1 && step == 1)
            return true; /* both are runs, and their hulls overlap */
    }
    return false;
}

static bool run_meets(int64_t start, const struct comb *a, const struct comb *b)
{
    for (int32_t o = 0; o < b->p.n[1]; o++)
        if (progressions_meet(start, a->p.d[0], a->p.n[0], b->phase + (int64_t)o * b->p.d[1],
                              b->p.d[0], b->p.n[0]))
            return true;
    return false;
}

static bool combs_meet(const struct comb *a, const struct comb *b)
{
    if (a->high < b->low || b->high < a->low)
        return false;
    if (a->phase + hull(a->p) < b->phase || b->phase + hull(b->p) < a->phase)
        return false;
    for (int32_t o = 0; o < a->p.n[1]; o++)
        if (run_meets(a->phase + (int64_t)o * a->p.d[1], a, b))
            return true;
    return false;
}

static struct pattern pattern_of(const struct program_instruction *i)
{
    return (struct pattern){{i->count[0], i->count[1]}, {i->interval[0], i->interval[1]}};
}

int32_t place_delay(const struct lpu_chip *chip, const struct program_instruction *i)
{
    switch (i->opcode) {
    case PROGRAM_MEM_READ:
        return chip->mem_read_cycles;
    case PROGRAM_MXM_COMPUTE:
        return chip->mxm_compute_cycles;
    case PROGRAM_VXM:
        return chip->vxm_alu_cycles;
    case PROGRAM_SXM_PERMUTE:
        return chip->sxm_cycles;
    case PROGRAM_SXM_TRANSPOSE:
        return chip->sxm_transpose_cycles;
    case PROGRAM_C2C_RECEIVE:
        return chip->c2c_receive_cycles;
    case PROGRAM_MXM_INSTALL:
        return chip->mxm_install_cycles;
    default:
        return 0;
    }
}

int32_t place_skew(const struct lpu_chip *chip, const struct program_instruction *i)
{
    switch (i->opcode) {
    case PROGRAM_MEM_WRITE:
        return chip->mem_write_skew_cycles;
    case PROGRAM_MXM_LOAD:
        return chip->mxm_load_skew_cycles;
    case PROGRAM_MXM_COMPUTE:
        return chip->mxm_compute_skew_cycles;
    case PROGRAM_VXM:
        return chip->vxm_skew_cycles;
    case PROGRAM_SXM_PERMUTE:
    case PROGRAM_SXM_TRANSPOSE:
        return chip->sxm_skew_cycles;
    case PROGRAM_C2C_SEND:
        return chip->c2c_send_skew_cycles;
    default:
        return 0;
    }
}

static int64_t phase_at(int64_t cycle, int32_t x, uint8_t direction)
{
    return direction == PROGRAM_EAST ? cycle - x : cycle + x;
}

/* The train that a result drives, or that an operand samples: only its position differs. */
static struct comb comb_of(const struct block *b, const struct program_instruction *i,
                           const struct program_operand *o, bool drives)
{
    int32_t x = program_queue_position(b->chip, i->queue);
    struct pattern p = pattern_of(i);
    int64_t cycle = i->cycle + (drives ? place_delay(b->chip, i) : place_skew(b->chip, i));
    bool last_only = drives && i->opcode == PROGRAM_MXM_COMPUTE && !(i->flags & PROGRAM_EVERY);
    if (drives && i->flags & PROGRAM_REDUCE && i->opcode == PROGRAM_VXM) {
        cycle += (int64_t)(p.n[0] - 1) * p.d[0];
        p = emit_reduced(p);
    } else if (last_only) {
        cycle += (int64_t)(p.n[1] - 1) * p.d[1];
        p.n[1] = 1;
    }
    return (struct comb){.phase = phase_at(cycle, x, o->direction), .p = p, .low = x, .high = x};
}

static void open_drives(struct block *b)
{
    struct reservations *r = b->busy;
    for (size_t n = b->group_first; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        for (int32_t k = 0; k < i->outputs; k++) {
            const struct program_operand *o =
                &b->code.operand[i->operand + i->inputs + (uint32_t)k];
            if (o->kind != PROGRAM_STREAM)
                continue;
            for (int32_t s = o->stream; s < o->stream + o->streams; s++) {
                struct combs *c = &r->open[o->direction][s];
                c->at = base_grow(c->at, &c->capacity, c->count + 1, sizeof *c->at);
                c->at[c->count++] = comb_of(b, i, o, true);
            }
        }
    }
}

static void stretch(struct combs *drives, const struct comb *sample, uint8_t direction)
{
    struct comb *nearest = NULL;
    for (size_t n = 0; n < drives->count; n++) {
        struct comb *d = &drives->at[n];
        int32_t source = direction == PROGRAM_EAST ? d->low : d->high;
        bool upstream = direction == PROGRAM_EAST ? source <= sample->low : source >= sample->low;
        struct comb anywhere = *d;
        anywhere.low = anywhere.high = sample->low;
        if (upstream && combs_meet(&anywhere, sample)) {
            nearest = d;
            nearest->low = nearest->low < sample->low ? nearest->low : sample->low;
            nearest->high = nearest->high > sample->low ? nearest->high : sample->low;
        }
    }
    assert(nearest && "an operand samples what nobody in its group drives");
}

static void stretch_to_consumers(struct block *b)
{
    for (size_t n = b->group_first; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        for (int32_t k = 0; k < i->inputs; k++) {
            const struct program_operand *o = &b->code.operand[i->operand + (uint32_t)k];
            if (o->kind != PROGRAM_STREAM)
                continue;
            struct comb sample = comb_of(b, i, o, false);
            for (int32_t s = o->stream; s < o->stream + o->streams; s++)
                stretch(&b->busy->open[o->direction][s], &sample, o->direction);
        }
    }
}

static struct interval lane_interval(const struct program_instruction *i)
{
    /* A write reaches its bank one cycle after issue: keep the next access of the slice clear of
     * it. */
    int64_t extra = i->opcode == PROGRAM_MEM_WRITE ? 2 : 1;
    return (struct interval){i->cycle, i->cycle + hull(pattern_of(i)) + extra};
}

/* Cycles that `want` must move on to be clear of the lane, whose intervals are disjoint and in
 * order. */
static int64_t lane_conflict(const struct intervals *lane, struct interval want)
{
    for (size_t n = lane->count; n-- > 0;) {
        const struct interval *held = &lane->at[n];
        if (held->to <= want.from)
            break;
        if (held->from < want.to)
            return held->to - want.from;
    }
    return 0;
}

static bool is_mxm(const struct program_instruction *i)
{
    return i->queue >= PROGRAM_QUEUE_MXM && i->queue < PROGRAM_QUEUE_SEND;
}

/* Hull of what the group does on each MXM plane; from > to where it does nothing. */
static void plane_hulls(const struct block *b, struct interval hulls[PLANES])
{
    for (int p = 0; p < PLANES; p++)
        hulls[p] = (struct interval){INT64_MAX, INT64_MIN};
    for (size_t n = b->group_first; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        if (!is_mxm(i))
            continue;
        int plane = program_mxm_plane(i->queue);
        struct interval v = lane_interval(i);
        v.to += b->chip->mxm_install_cycles;
        for (int p = plane; p <= plane + (i->flags & PROGRAM_FP16 ? 1 : 0); p++) {
            hulls[p].from = hulls[p].from < v.from ? hulls[p].from : v.from;
            hulls[p].to = hulls[p].to > v.to ? hulls[p].to : v.to;
        }
    }
}

static bool is_single(const struct program_instruction *i)
{
    return i->count[0] == 1 && i->count[1] == 1;
}

/* Cycle from which a read finds what it names. */
static int64_t ready_for(const struct block *b, const struct program_instruction *i)
{
    const struct program_operand *held = &b->code.operand[i->operand + i->outputs - 1u];
    const struct tensor_meta *meta = &b->meta[held->tensor];
    if (i->address_mode == PROGRAM_ADDRESS_EXPERT)
        return b->meta[b->code.operand[i->operand + 1u].tensor].ready +
               program_expert_delay_cycles(b->chip);
    return meta->row_ready && is_single(i) ? meta->row_ready[held->index] : meta->ready;
}

static int64_t readiness(const struct block *b, int64_t earliest)
{
    int64_t shift = earliest;
    for (size_t n = b->group_first; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        int64_t ready = i->opcode == PROGRAM_MEM_READ ? ready_for(b, i) : 0;
        shift = ready - i->cycle > shift ? ready - i->cycle : shift;
    }
    return shift;
}

static int64_t lanes_conflict(const struct block *b, const struct interval hulls[PLANES],
                              int64_t shift)
{
    int64_t worst = 0;
    for (size_t n = b->group_first; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        struct interval v = lane_interval(i);
        int64_t c = lane_conflict(&b->busy->lane[i->queue],
                                  (struct interval){v.from + shift, v.to + shift});
        worst = c > worst ? c : worst;
    }
    for (int p = 0; p < PLANES; p++) {
        if (hulls[p].from > hulls[p].to)
            continue;
        struct interval v = {hulls[p].from + shift, hulls[p].to + shift};
        int64_t c = lane_conflict(&b->busy->lane[PROGRAM_QUEUES + p], v);
        worst = c > worst ? c : worst;
    }
    return worst;
}

static bool stream_conflict(const struct combs *open, const struct combs *held, int64_t shift)
{
    for (size_t n = 0; n < open->count; n++) {
        struct comb moved = open->at[n];
        moved.phase += shift;
        for (size_t k = held->count; k-- > 0 && held->at[k].reach >= moved.phase;)
            if (combs_meet(&moved, &held->at[k]))
                return true;
    }
    return false;
}

static int64_t streams_conflict(const struct reservations *r, int64_t shift)
{
    for (int d = 0; d < DIRECTIONS; d++)
        for (int s = 0; s < STREAMS; s++)
            if (stream_conflict(&r->open[d][s], &r->stream[d][s], shift))
                return 1;
    return 0;
}

static void hold(struct intervals *lane, struct interval v)
{
    lane->at = base_grow(lane->at, &lane->capacity, lane->count + 1, sizeof *lane->at);
    size_t n = lane->count++;
    for (; n > 0 && lane->at[n - 1].from > v.from; n--)
        lane->at[n] = lane->at[n - 1];
    lane->at[n] = v;
}

static void hold_comb(struct combs *held, struct comb c)
{
    int64_t end = c.phase + hull(c.p), before = held->count ? held->at[held->count - 1].reach : end;
    c.reach = end > before ? end : before;
    held->at = base_grow(held->at, &held->capacity, held->count + 1, sizeof *held->at);
    held->at[held->count++] = c;
}

static void commit_streams(struct reservations *r, int64_t shift)
{
    for (int d = 0; d < DIRECTIONS; d++)
        for (int s = 0; s < STREAMS; s++) {
            struct combs *open = &r->open[d][s];
            for (size_t n = 0; n < open->count; n++) {
                open->at[n].phase += shift;
                hold_comb(&r->stream[d][s], open->at[n]);
            }
            open->count = 0;
        }
}

/* Readiness after a write, residency over all accesses. */
static void note_access(struct block *b, const struct program_instruction *i, int64_t end)
{
    const struct program_operand *last = &b->code.operand[i->operand + i->inputs + i->outputs - 1u];
    struct program_tensor *t = &b->code.tensor[last->tensor];
    struct tensor_meta *meta = &b->meta[last->tensor];
    if (i->opcode == PROGRAM_MEM_WRITE && meta->ready < end + 1)
        meta->ready = end + 1;
    if (i->opcode == PROGRAM_MEM_WRITE && meta->row_ready && meta->row_ready[last->index] < end + 1)
        meta->row_ready[last->index] = end + 1;
    if (t->kind != PROGRAM_TENSOR_ACTIVATION)
        return;
    t->live_from = i->cycle < t->live_from ? i->cycle : t->live_from;
    t->live_to = end + 1 > t->live_to ? end + 1 : t->live_to;
}

/* Ids of experts are in use until the last address that they complete. */
static void note_ids(struct block *b, const struct program_instruction *i, int64_t end)
{
    struct program_tensor *t = &b->code.tensor[b->code.operand[i->operand + 1u].tensor];
    t->live_to = end + 1 > t->live_to ? end + 1 : t->live_to;
}

static void commit_instruction(struct block *b, struct program_instruction *i, int64_t shift)
{
    i->cycle += shift;
    struct interval v = lane_interval(i);
    hold(&b->busy->lane[i->queue], v);
    struct program_op *op = &b->code.op[i->op];
    int64_t end = i->cycle + hull(pattern_of(i)) + 1 + place_delay(b->chip, i);
    op->start_cycle = i->cycle < op->start_cycle ? i->cycle : op->start_cycle;
    op->end_cycle = end > op->end_cycle ? end : op->end_cycle;
    b->end = end > b->end ? end : b->end;
    if (i->opcode == PROGRAM_MEM_READ || i->opcode == PROGRAM_MEM_WRITE)
        note_access(b, i, v.to);
    if (i->address_mode == PROGRAM_ADDRESS_EXPERT)
        note_ids(b, i, v.to);
}

int64_t place_group(struct block *b, int64_t earliest)
{
    struct interval hulls[PLANES];
    open_drives(b);
    stretch_to_consumers(b);
    plane_hulls(b, hulls);
    int64_t shift = readiness(b, earliest);
    for (int64_t step = 1; step > 0; shift += step) {
        step = lanes_conflict(b, hulls, shift);
        if (step == 0)
            step = streams_conflict(b->busy, shift);
    }
    for (size_t n = b->group_first; n < b->code.instructions; n++)
        commit_instruction(b, &b->code.instruction[n], shift);
    for (int p = 0; p < PLANES; p++)
        if (hulls[p].from <= hulls[p].to)
            hold(&b->busy->lane[PROGRAM_QUEUES + p],
                 (struct interval){hulls[p].from + shift, hulls[p].to + shift});
    commit_streams(b->busy, shift);
    b->group_first = b->code.instructions;
    return shift;
}
