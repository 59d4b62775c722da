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
    struct reservations_under under;

    /* The group being placed. */
    struct combs open[DIRECTIONS][STREAMS];
    struct interval hulls[PLANES]; /* what it does on each MXM plane; from > to: nothing */
    int64_t ready;                 /* least shift with which it finds what it reads */
    int last;                      /* the stream that was in its way last */
};

struct reservations *reservations_create(void)
{
    return base_alloc(1, sizeof(struct reservations));
}

struct reservations *reservations_create_over(const struct reservations_under *under)
{
    struct reservations *r = reservations_create();
    r->under = *under;
    return r;
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

static struct interval lane_interval(const struct lpu_chip *chip,
                                     const struct program_instruction *i)
{
    /* A write reaches its bank one cycle after issue: keep the next access of the slice clear of
     * it. A vector has its link to itself for a slot. */
    int64_t extra = i->opcode == PROGRAM_MEM_WRITE  ? 2
                    : i->opcode == PROGRAM_C2C_SEND ? machine_link_slot_cycles(chip)
                                                    : 1;
    return (struct interval){i->cycle, i->cycle + hull(pattern_of(i)) + extra};
}

/* Cycles that `want` must move on to be clear of the lane, whose intervals are disjoint and in
 * order. */
static int64_t lane_conflict(const struct intervals *lane, struct interval want)
{
    size_t low = 0, high = lane->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (lane->at[middle].from < want.to)
            low = middle + 1;
        else
            high = middle;
    }
    const struct interval *held = low > 0 ? &lane->at[low - 1] : NULL;
    return held && held->to > want.from ? held->to - want.from : 0;
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
        struct interval v = lane_interval(b->chip, i);
        v.to += b->chip->mxm_install_cycles;
        for (int p = plane; p <= plane + (i->flags & PROGRAM_FP16 ? 1 : 0); p++) {
            hulls[p].from = hulls[p].from < v.from ? hulls[p].from : v.from;
            hulls[p].to = hulls[p].to > v.to ? hulls[p].to : v.to;
        }
    }
}

/* When repeat (inner, outer) of an instruction is issued, and which vector an operand then names.
 */
static int64_t cycle_of(const struct program_instruction *i, int32_t inner, int32_t outer)
{
    return i->cycle + (int64_t)inner * i->interval[0] + (int64_t)outer * i->interval[1];
}

static int32_t index_of(const struct program_operand *o, int32_t inner, int32_t outer)
{
    return o->index + inner * o->stride[0] + outer * o->stride[1];
}

/* Issue from which each repeat of a read finds its vector. */
static int64_t rows_ready_for(const struct tensor_meta *meta, const struct program_instruction *i,
                              const struct program_operand *held)
{
    int64_t ready = INT64_MIN;
    for (int32_t outer = 0; outer < i->count[1]; outer++)
        for (int32_t inner = 0; inner < i->count[0]; inner++) {
            int64_t later = cycle_of(i, inner, outer) - i->cycle;
            int64_t first = meta->row_ready[index_of(held, inner, outer)] - later;
            ready = first > ready ? first : ready;
        }
    return ready;
}

/* Issue from which a read finds what it names. */
static int64_t ready_for(const struct block *b, const struct program_instruction *i)
{
    const struct program_operand *held = &b->code.operand[i->operand + i->outputs - 1u];
    const struct tensor_meta *meta = &b->meta[held->tensor];
    if (i->address_mode == PROGRAM_ADDRESS_EXPERT)
        return b->meta[b->code.operand[i->operand + 1u].tensor].ready +
               program_expert_delay_cycles(b->chip);
    return meta->row_ready ? rows_ready_for(meta, i, held) : meta->ready;
}

static int64_t readiness(const struct block *b)
{
    int64_t shift = INT64_MIN;
    for (size_t n = b->group_first; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        if (i->opcode != PROGRAM_MEM_READ)
            continue;
        int64_t ready = ready_for(b, i);
        shift = ready - i->cycle > shift ? ready - i->cycle : shift;
    }
    return shift;
}

/* The lane of the block below that a lane of this one is; -1: it has none. */
static int lane_under(const struct reservations_under *under, int lane)
{
    if (lane < PROGRAM_QUEUE_SEND || lane >= PROGRAM_QUEUES)
        return lane;
    int first = lane < PROGRAM_QUEUE_RECEIVE ? PROGRAM_QUEUE_SEND : PROGRAM_QUEUE_RECEIVE;
    int peer = under->peer_of_link[lane - first];
    return peer < 0 ? -1 : first + peer;
}

static int64_t held_conflict(const struct reservations *r, int lane, struct interval want)
{
    int64_t own = lane_conflict(&r->lane[lane], want);
    int below = r->under.below ? lane_under(&r->under, lane) : -1;
    if (below < 0)
        return own;
    want.from -= r->under.offset, want.to -= r->under.offset;
    int64_t other = lane_conflict(&r->under.below->lane[below], want);
    return own > other ? own : other;
}

static int64_t lanes_conflict(const struct block *b, int64_t shift)
{
    int64_t worst = 0;
    for (size_t n = b->group_first; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        struct interval v = lane_interval(b->chip, i);
        int64_t c =
            held_conflict(b->busy, i->queue, (struct interval){v.from + shift, v.to + shift});
        worst = c > worst ? c : worst;
    }
    for (int p = 0; p < PLANES; p++) {
        struct interval v = b->busy->hulls[p];
        if (v.from > v.to)
            continue;
        int64_t c = held_conflict(b->busy, PROGRAM_QUEUES + p,
                                  (struct interval){v.from + shift, v.to + shift});
        worst = c > worst ? c : worst;
    }
    return worst;
}

/* Cycles that a train must move on to be clear of a held one that it meets. */
static int64_t cycles_to_clear(struct comb moved, const struct comb *held)
{
    int64_t step = 0;
    do {
        moved.phase++;
        step++;
    } while (combs_meet(&moved, held));
    return step;
}

static int64_t stream_conflict(const struct combs *open, const struct combs *held, int64_t shift)
{
    for (size_t n = 0; n < open->count; n++) {
        struct comb moved = open->at[n];
        moved.phase += shift;
        for (size_t k = held->count; k-- > 0 && held->at[k].reach >= moved.phase;)
            if (combs_meet(&moved, &held->at[k]))
                return cycles_to_clear(moved, &held->at[k]);
    }
    return 0;
}

/* Cycles that the group must move on at the least to be clear of a stream that it is not clear of;
 * 0: there is none. The stream that was in the way last comes first. */
static int64_t streams_conflict(struct reservations *r, int64_t shift)
{
    enum { ALL = DIRECTIONS * STREAMS };
    for (int n = 0; n < ALL; n++) {
        int at = (r->last + n) % ALL, d = at / STREAMS, s = at % STREAMS;
        const struct combs *open = &r->open[d][s];
        int64_t step = stream_conflict(open, &r->stream[d][s], shift);
        if (step == 0 && r->under.below)
            step = stream_conflict(open, &r->under.below->stream[d][s], shift - r->under.offset);
        if (step > 0) {
            r->last = at;
            return step;
        }
    }
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

/* Each vector of a write that ends in cycle `end` can be read from the cycle after its own on. */
static void note_rows(struct tensor_meta *meta, const struct program_instruction *i,
                      const struct program_operand *held, int64_t end)
{
    int64_t last = cycle_of(i, i->count[0] - 1, i->count[1] - 1);
    for (int32_t outer = 0; outer < i->count[1]; outer++)
        for (int32_t inner = 0; inner < i->count[0]; inner++) {
            int64_t ready = end + 1 - last + cycle_of(i, inner, outer);
            int64_t *row = &meta->row_ready[index_of(held, inner, outer)];
            *row = ready > *row ? ready : *row;
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
    if (i->opcode == PROGRAM_MEM_WRITE && meta->row_ready)
        note_rows(meta, i, last, end);
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
    struct interval v = lane_interval(b->chip, i);
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

void place_open(struct block *b)
{
    open_drives(b);
    stretch_to_consumers(b);
    plane_hulls(b, b->busy->hulls);
    b->busy->ready = readiness(b);
    b->busy->last = 0;
}

int64_t place_step(struct block *b, int64_t shift)
{
    if (b->busy->ready > shift)
        return b->busy->ready - shift;
    int64_t step = lanes_conflict(b, shift);
    return step > 0 ? step : streams_conflict(b->busy, shift);
}

void place_close(struct block *b, int64_t shift)
{
    const struct interval *hulls = b->busy->hulls;
    for (size_t n = b->group_first; n < b->code.instructions; n++)
        commit_instruction(b, &b->code.instruction[n], shift);
    for (int p = 0; p < PLANES; p++)
        if (hulls[p].from <= hulls[p].to)
            hold(&b->busy->lane[PROGRAM_QUEUES + p],
                 (struct interval){hulls[p].from + shift, hulls[p].to + shift});
    commit_streams(b->busy, shift);
    b->group_first = b->code.instructions;
}

int64_t place_group(struct block *b, int64_t earliest)
{
    int64_t shift = earliest;
    place_open(b);
    for (int64_t step = 1; step > 0; shift += step)
        step = place_step(b, shift);
    place_close(b, shift);
    return shift;
}
