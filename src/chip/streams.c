/* SPDX-License-Identifier: BSD-3-Clause */
/* Matches what is sampled with what is driven, train by train. */
#include "chip/streams.h"

#include <stdio.h>

#include "base/memory.h"
#include "chip/comb.h"
#include "chip/executor.h"

enum { LANE_LIMIT = 8 };

void streams_create(struct chip *chip)
{
    struct streams *s = &chip->streams;
    s->per_direction = chip->machine->streams_per_direction;
    s->lanes = 2 * s->per_direction + chip->machine->vxm_alus;
    s->lane = base_alloc((size_t)s->lanes, sizeof *s->lane);
    for (int32_t n = 0; n < s->lanes; n++)
        s->lane[n].limit = LANE_LIMIT;
}

void streams_release(struct streams *streams)
{
    for (int32_t n = 0; n < streams->lanes; n++) {
        trains_release(&streams->lane[n].driven);
        trains_release(&streams->lane[n].sampled);
    }
    base_free(streams->lane);
    base_free(streams->near);
    *streams = (struct streams){0};
}

static bool is_westward(const struct chip *chip, int32_t lane)
{
    return lane >= chip->streams.per_direction && lane < 2 * chip->streams.per_direction;
}

static bool is_alu(const struct chip *chip, int32_t lane)
{
    return lane >= 2 * chip->streams.per_direction;
}

/* Cycle in which a phase passes position x. */
static int64_t cycle_at(const struct chip *chip, int32_t lane, int64_t phase, int32_t x)
{
    if (is_alu(chip, lane))
        return phase;
    return is_westward(chip, lane) ? phase - x : phase + x;
}

static int64_t phase_at(const struct chip *chip, int32_t lane, int64_t cycle, int32_t x)
{
    if (is_alu(chip, lane))
        return cycle;
    return is_westward(chip, lane) ? cycle + x : cycle - x;
}

static int32_t lowest(uint64_t mask)
{
    int32_t k = 0;
    while (!(mask & 1)) {
        mask >>= 1;
        k++;
    }
    return k;
}

/* Of member k of a piece. */
static void identity_text(const struct train *t, int32_t k, char *text)
{
    if (t->tensor < 0)
        snprintf(text, CHIP_TEXT_BYTES, "result %d", t->index);
    else
        executor_identity_text(t->of->program, t->tensor, t->sub,
                               t->index + (int64_t)k * t->stride[0], text);
}

/* What was found where `expected` was looked for; says so where it is of another step. */
static void found_text(const struct train *expected, const struct train *found, int32_t k,
                       char *text)
{
    char name[CHIP_TEXT_BYTES];
    identity_text(found, k, found->of == expected->of ? text : name);
    if (found->of != expected->of)
        snprintf(text, CHIP_TEXT_BYTES, "%.44s of step %d", name, found->of->number);
}

static int64_t act_cycle(const struct chip *chip, int32_t lane, const struct train *t, int32_t k)
{
    return cycle_at(chip, lane, train_phase(t, k), t->x);
}

static void report_nothing(struct chip *chip, int32_t lane, const struct train *sampled,
                           uint64_t rest)
{
    int32_t k = lowest(rest);
    struct chip_violation *v =
        executor_report(chip, sampled->of, CHIP_RULE_SAMPLE, sampled->instruction,
                        act_cycle(chip, lane, sampled, k));
    identity_text(sampled, k, v->expected);
    snprintf(v->found, sizeof v->found, "nothing on %s %d", is_alu(chip, lane) ? "ALU" : "stream",
             is_westward(chip, lane) || is_alu(chip, lane) ? lane % chip->streams.per_direction
                                                           : lane);
}

static void report_other(struct chip *chip, int32_t lane, const struct train *sampled, int32_t i,
                         const struct train *driven, int32_t j, bool collision)
{
    enum chip_rule rule = collision ? CHIP_RULE_STREAM : CHIP_RULE_SAMPLE;
    struct chip_violation *v = executor_report(chip, sampled->of, rule, sampled->instruction,
                                               act_cycle(chip, lane, sampled, i));
    identity_text(sampled, i, v->expected);
    found_text(sampled, driven, j, v->found);
}

/* Whether a driven train is upstream of a sample and their phases overlap. */
static bool is_near(const struct train *driven, const struct train *sampled, bool westward)
{
    return !train_is_apart(driven, sampled) &&
           (westward ? driven->x >= sampled->x : driven->x <= sampled->x);
}

/* Trains that may have what is sampled, nearest first, into streams.near. */
static void gather(struct streams *s, const struct lane *lane, bool westward,
                   const struct train *sampled)
{
    const struct train *at = lane->driven.at;
    s->near = base_grow(s->near, &s->near_capacity, lane->driven.count, sizeof *s->near);
    s->near_count = 0;
    for (size_t n = 0; n < lane->driven.count; n++) {
        if (!is_near(&at[n], sampled, westward))
            continue;
        size_t k = s->near_count++;
        for (; k > 0 && (westward ? at[s->near[k - 1].train].x > at[n].x
                                  : at[s->near[k - 1].train].x < at[n].x);
             k--)
            s->near[k] = s->near[k - 1];
        s->near[k] = (struct near_piece){(uint32_t)n, 0};
    }
}

/* From the cycle in which a piece acts back to that in which its first member was issued. */
static int64_t issue_of(const struct chip *chip, int32_t lane, const struct train *piece)
{
    const struct program_instruction *i = &piece->of->program->instruction[piece->instruction];
    return act_cycle(chip, lane, piece, 0) - chip->timing[i->opcode].delay;
}

/* Whether piece `a` is issued after piece `b`. */
static bool is_later(const struct chip *chip, int32_t lane, const struct train *a,
                     const struct train *b)
{
    int64_t first = issue_of(chip, lane, a), other = issue_of(chip, lane, b);
    if (first != other)
        return first > other;
    return a->of == b->of ? a->instruction > b->instruction : a->of->number > b->of->number;
}

/* Whether one of the gathered trains carries all of a sample, and none nearer has any of it. */
static bool take_whole(struct chip *chip, int32_t lane, const struct train *sampled)
{
    struct streams *s = &chip->streams;
    const int32_t *wanted = sampled->phases.count;
    struct grid_meeting m;
    for (size_t c = 0; c < s->near_count; c++) {
        struct train *d = &s->lane[lane].driven.at[s->near[c].train];
        if (!grid_meet(&sampled->phases, &d->phases, &m))
            return false;
        if (m.count[0] == 0)
            continue;
        if (m.count[0] != wanted[0] || m.count[1] != wanted[1] ||
            !train_carries_grid(sampled, d, &m))
            return false;
        train_sample_meeting(d, &m);
        return true;
    }
    return false;
}

static struct train *train_near(struct chip *chip, int32_t lane, size_t c)
{
    return &chip->streams.lane[lane].driven.at[chip->streams.near[c].train];
}

/* Whether piece `b` is what a sample meets before piece `a`: it is nearer, or of one place and
 * issued first, which only matters where they collide. */
static bool is_before(const struct chip *chip, int32_t lane, const struct train *a,
                      const struct train *b)
{
    if (a->x != b->x)
        return is_westward(chip, lane) ? b->x < a->x : b->x > a->x;
    return is_later(chip, lane, a, b);
}

/* Puts piece q of driven train n to its place in streams.near. */
static void put_near(struct chip *chip, int32_t lane, size_t n, int32_t q)
{
    struct streams *s = &chip->streams;
    struct train rooms[2];
    const struct train *new = train_piece(&s->lane[lane].driven.at[n], q, &rooms[0]);
    s->near = base_grow(s->near, &s->near_capacity, s->near_count + 1, sizeof *s->near);
    size_t k = s->near_count++;
    for (; k > 0; k--) {
        struct train *d = train_near(chip, lane, k - 1);
        if (!is_before(chip, lane, train_piece(d, s->near[k - 1].piece, &rooms[1]), new))
            break;
        s->near[k] = s->near[k - 1];
    }
    s->near[k] = (struct near_piece){(uint32_t)n, q};
}

/* Pieces that may have what a piece samples, nearest first, into streams.near. */
static void gather_pieces(struct chip *chip, int32_t lane, const struct train *sampled)
{
    const struct trains *driven = &chip->streams.lane[lane].driven;
    bool westward = is_westward(chip, lane);
    chip->streams.near_count = 0;
    for (size_t n = 0; n < driven->count; n++) {
        if (!is_near(&driven->at[n], sampled, westward))
            continue;
        struct train_range range =
            train_pieces_between(&driven->at[n], sampled->phases.start, sampled->last);
        for (int32_t q = range.from; q < range.to; q++)
            put_near(chip, lane, n, q);
    }
}

/* Whether a piece farther upstream than near[c] carries what member i expects; marks it sampled. */
static bool take_farther(struct chip *chip, int32_t lane, const struct train *sampled, int32_t i,
                         size_t c)
{
    struct comb one = {train_phase(sampled, i), 1, 1};
    for (c++; c < chip->streams.near_count; c++) {
        struct train *d = train_near(chip, lane, c), room;
        int32_t q = chip->streams.near[c].piece;
        const struct train *piece = train_piece(d, q, &room);
        struct comb_meeting m = comb_meet(one, train_comb(piece));
        if (m.count && train_carries(sampled, i, piece, m.b)) {
            train_sample(d, q, UINT64_C(1) << m.b);
            return true;
        }
    }
    return false;
}

/* Takes those members of a meeting with near[c] that are still wanted one by one; the first wrong
 * one is reported. Returns what is wanted from then on. */
static uint64_t take_members(struct chip *chip, int32_t lane, const struct train *sampled, size_t c,
                             struct comb_meeting m, uint64_t wanted)
{
    struct train *d = train_near(chip, lane, c), room;
    int32_t q = chip->streams.near[c].piece;
    const struct train *piece = train_piece(d, q, &room);
    bool told = false;
    for (int32_t k = 0; k < m.count; k++) {
        int32_t i = m.a + k * m.a_step, j = m.b + k * m.b_step;
        if (!(wanted >> i & 1))
            continue;
        wanted &= ~(UINT64_C(1) << i);
        train_sample(d, q, UINT64_C(1) << j);
        if (train_carries(sampled, i, piece, j))
            continue;
        bool collision = take_farther(chip, lane, sampled, i, c);
        if (!told)
            report_other(chip, lane, sampled, i, piece, j, collision);
        told = true;
    }
    return wanted;
}

/* What of a sampled piece near[c] leaves wanted. */
static uint64_t take_piece(struct chip *chip, int32_t lane, const struct train *sampled, size_t c,
                           uint64_t wanted)
{
    struct train *d = train_near(chip, lane, c), room;
    int32_t q = chip->streams.near[c].piece;
    const struct train *piece = train_piece(d, q, &room);
    struct comb_meeting m = comb_meet(train_comb(sampled), train_comb(piece));
    uint64_t met = m.count ? train_members(m.a, m.a_step, m.count) : 0;
    if (!(met & wanted))
        return wanted;
    if ((met & ~wanted) || !train_carries_comb(sampled, piece, m))
        return take_members(chip, lane, sampled, c, m, wanted);
    train_sample(d, q, train_members(m.b, m.b_step, m.count));
    return wanted & ~met;
}

static void resolve(struct chip *chip, int32_t lane, const struct train *sampled)
{
    struct streams *s = &chip->streams;
    gather(s, &s->lane[lane], is_westward(chip, lane), sampled);
    if (take_whole(chip, lane, sampled))
        return;
    for (int32_t p = 0; p < train_pieces(sampled); p++) {
        struct train room;
        const struct train *piece = train_piece(sampled, p, &room);
        uint64_t wanted = train_members(0, 1, piece->phases.count[0]);
        gather_pieces(chip, lane, piece);
        for (size_t c = 0; c < s->near_count && wanted; c++)
            wanted = take_piece(chip, lane, piece, c, wanted);
        if (wanted)
            report_nothing(chip, lane, piece, wanted);
    }
}

static void retire_piece(struct chip *chip, int32_t lane, const struct train *driven, int32_t q)
{
    struct train room;
    const struct train *piece = train_piece(driven, q, &room);
    uint64_t missed = train_members(0, 1, piece->phases.count[0]) & ~train_sampled(driven, q);
    if (!missed)
        return;
    int32_t k = lowest(missed);
    struct chip_violation *v = executor_report(
        chip, driven->of, CHIP_RULE_SAMPLE, driven->instruction, act_cycle(chip, lane, piece, k));
    snprintf(v->expected, sizeof v->expected, "a consumer");
    char text[CHIP_TEXT_BYTES];
    identity_text(piece, k, text);
    snprintf(v->found, sizeof v->found, "%.40s is never sampled", text);
}

static void retire(struct chip *chip, int32_t lane, struct train *driven)
{
    for (int32_t q = 0; !driven->whole && !driven->optional && q < train_pieces(driven); q++)
        retire_piece(chip, lane, driven, q);
    if (driven->word)
        base_free(driven->word);
}

/* Resolves samples before `horizon`, a phase that nothing later can reach, and retires trains that
 * no sample can reach any more. */
static void settle(struct chip *chip, int32_t lane, int64_t horizon)
{
    struct lane *of = &chip->streams.lane[lane];
    int64_t earliest = horizon;
    size_t kept = 0;
    for (size_t n = 0; n < of->sampled.count; n++) {
        struct train *t = &of->sampled.at[n];
        if (t->last < horizon) {
            resolve(chip, lane, t);
            continue;
        }
        earliest = t->phases.start < earliest ? t->phases.start : earliest;
        of->sampled.at[kept++] = *t;
    }
    of->sampled.count = kept;
    kept = 0;
    for (size_t n = 0; n < of->driven.count; n++) {
        struct train *t = &of->driven.at[n];
        if (t->last < earliest)
            retire(chip, lane, t);
        else
            of->driven.at[kept++] = *t;
    }
    of->driven.count = kept;
    of->limit = LANE_LIMIT + 2 * (of->driven.count + of->sampled.count);
}

/* The least phase that instructions issued from `now` on can drive or sample. */
static int64_t horizon_of(const struct chip *chip, int32_t lane, int64_t now)
{
    if (is_alu(chip, lane) || is_westward(chip, lane))
        return now;
    return now - (2 * chip->machine->mem_slices_per_hemisphere + 4);
}

void streams_settle(struct chip *chip, int64_t now)
{
    for (int32_t lane = 0; lane < chip->streams.lanes; lane++)
        settle(chip, lane, horizon_of(chip, lane, now));
}

static void report_neighbour(struct chip *chip, int32_t lane, const struct train *later, int32_t i,
                             const struct train *earlier, int32_t j)
{
    struct chip_violation *v = executor_report(chip, later->of, CHIP_RULE_STREAM,
                                               later->instruction, act_cycle(chip, lane, later, i));
    identity_text(later, i, v->expected);
    found_text(later, earlier, j, v->found);
}

/* Reports where pieces of two trains of one position share phases: the later one of the earlier. */
static void collide(struct chip *chip, int32_t lane, const struct train *new,
                    const struct train *old)
{
    struct train rooms[2];
    for (int32_t p = 0; p < train_pieces(new); p++) {
        const struct train *a = train_piece(new, p, &rooms[0]);
        struct train_range range = train_pieces_between(old, a->phases.start, a->last);
        for (int32_t q = range.from; q < range.to; q++) {
            const struct train *b = train_piece(old, q, &rooms[1]);
            struct comb_meeting m = comb_meet(train_comb(a), train_comb(b));
            if (m.count && is_later(chip, lane, b, a))
                report_neighbour(chip, lane, b, m.b, a, m.a);
            else if (m.count)
                report_neighbour(chip, lane, a, m.a, b, m.b);
        }
    }
}

/* Two trains of one position that share a phase collide whoever samples them. */
static void check_neighbours(struct chip *chip, int32_t lane, const struct train *t)
{
    const struct trains *driven = &chip->streams.lane[lane].driven;
    for (size_t n = 0; n < driven->count; n++) {
        const struct train *d = &driven->at[n];
        struct grid_meeting m;
        if (d->x != t->x || train_is_apart(d, t))
            continue;
        if (!grid_meet(&t->phases, &d->phases, &m) || m.count[0] > 0)
            collide(chip, lane, t, d);
    }
}

/* Members of an instruction from (from[0], from[1]) on. */
struct members {
    int32_t from[2], count[2];
};

/* Along a level of a train, which is one of its instruction, or nothing. */
static void set_level(struct train *t, int level, int32_t count, int32_t step)
{
    t->phases.count[level] = count;
    t->phases.step[level] = count > 1 ? step : 1;
}

/* A train of members of the instruction of `run`, acting at issue + `delay` on `lane`. */
static struct train train_of(const struct chip *chip, const struct run *run, int32_t delay,
                             int32_t lane, const struct members *m)
{
    const struct program_instruction *i = run->instruction;
    const int32_t *from = m->from, *count = m->count, *interval = i->interval;
    struct train t = {
        .tensor = -1, .of = run->of, .instruction = run->number, .x = chip->position[i->queue]};
    int64_t first =
        run->cycle + delay + (int64_t)from[0] * interval[0] + (int64_t)from[1] * interval[1];
    t.phases.start = phase_at(chip, lane, first, t.x);
    t.last = t.phases.start + (int64_t)(count[0] - 1) * interval[0] +
             (int64_t)(count[1] - 1) * interval[1];
    set_level(&t, 0, count[run->level], interval[run->level]);
    set_level(&t, 1, run->level == 0 ? count[1] : 1, interval[1]);
    return t;
}

static void name_train(struct train *t, const struct run *run, const struct program_operand *o,
                       const struct members *m)
{
    bool zero = run->of->program->tensor[o->tensor].kind == PROGRAM_TENSOR_ZERO;
    t->tensor = zero ? 0 : o->tensor;
    t->index = (int32_t)(o->index + (int64_t)m->from[0] * o->stride[0] +
                         (int64_t)m->from[1] * o->stride[1]);
    t->stride[0] = o->stride[run->level];
    t->stride[1] = o->stride[1];
    t->sub = o->sub;
}

static void put(struct chip *chip, int32_t lane, const struct train *t, bool drives, int64_t now)
{
    struct lane *of = &chip->streams.lane[lane];
    if (of->driven.count + of->sampled.count >= of->limit)
        settle(chip, lane, horizon_of(chip, lane, now));
    if (drives)
        check_neighbours(chip, lane, t);
    trains_append(drives ? &of->driven : &of->sampled, t);
}

static struct members all_members(const struct program_instruction *i)
{
    return (struct members){{0, 0}, {i->count[0], i->count[1]}};
}

static void sample(struct chip *chip, const struct run *run, const struct program_operand *o)
{
    struct members all = all_members(run->instruction);
    int32_t skew = chip->timing[run->instruction->opcode].skew;
    if (o->kind == PROGRAM_ALU) {
        int32_t lane = 2 * chip->streams.per_direction + o->stream;
        struct train t = train_of(chip, run, skew, lane, &all);
        t.index = o->mark;
        put(chip, lane, &t, false, run->cycle);
    }
    if (o->kind != PROGRAM_STREAM)
        return;
    int32_t lane = o->direction * chip->streams.per_direction + o->stream;
    struct train t = train_of(chip, run, skew, lane, &all);
    name_train(&t, run, o, &all);
    for (int32_t s = 0; s < o->streams; s++, t.sub++)
        put(chip, lane + s, &t, false, run->cycle);
}

/* Members of an instruction that have results; false: none has. */
static bool list_results(const struct program_instruction *i, struct members *m)
{
    bool last_inner = i->opcode == PROGRAM_VXM && i->flags & PROGRAM_REDUCE;
    bool last_outer = i->opcode == PROGRAM_MXM_COMPUTE && !(i->flags & PROGRAM_EVERY);
    *m = all_members(i);
    if (last_inner) {
        m->from[0] = i->count[0] - 1;
        m->count[0] = 1;
    }
    if (last_outer) {
        m->from[1] = i->count[1] - 1;
        m->count[1] = 1;
    }
    return !last_outer || i->flags & PROGRAM_LAST;
}

static void drive(struct chip *chip, const struct run *run, const struct program_operand *o,
                  const struct members *m)
{
    int32_t delay = chip->timing[run->instruction->opcode].delay;
    if (o->kind != PROGRAM_STREAM)
        return;
    int32_t lane = o->direction * chip->streams.per_direction + o->stream;
    struct train t = train_of(chip, run, delay, lane, m);
    name_train(&t, run, o, m);
    for (int32_t s = 0; s < o->streams; s++, t.sub++)
        put(chip, lane + s, &t, true, run->cycle);
    run->of->statistics.vectors += (int64_t)o->streams * m->count[0] * m->count[1];
}

/* The result of an ALU, for other ALUs; it must be used where no stream takes it. */
static void drive_alu(struct chip *chip, const struct run *run, const struct members *m)
{
    int32_t lane = 2 * chip->streams.per_direction + run->instruction->queue - PROGRAM_QUEUE_VXM;
    struct train t = train_of(chip, run, chip->timing[PROGRAM_VXM].delay, lane, m);
    t.index = run->instruction->mark;
    t.optional = run->instruction->outputs > 0;
    put(chip, lane, &t, true, run->cycle);
}

void streams_execute(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    struct members results;
    for (int32_t k = 0; k < i->inputs; k++)
        sample(chip, run, executor_input(run, k));
    if (!list_results(i, &results))
        return;
    for (int32_t k = 0; k < i->outputs; k++)
        drive(chip, run, executor_output(run, k), &results);
    if (i->opcode == PROGRAM_VXM)
        drive_alu(chip, run, &results);
}
