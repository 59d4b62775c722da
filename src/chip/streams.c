/* SPDX-License-Identifier: BSD-3-Clause */
/* Matches what is sampled with what is driven, train by train. */
#include "chip/streams.h"

#include <stdio.h>

#include "base/memory.h"
#include "chip/comb.h"
#include "chip/executor.h"

enum { LANE_LIMIT = 24 };

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
        base_free(streams->lane[n].driven.at);
        base_free(streams->lane[n].sampled.at);
    }
    base_free(streams->lane);
    base_free(streams->near);
    *streams = (struct streams){0};
}

static void append(struct trains *trains, const struct train *train)
{
    trains->at = base_grow(trains->at, &trains->capacity, trains->count + 1, sizeof *trains->at);
    trains->at[trains->count++] = *train;
}

static struct comb comb_of(const struct train *t)
{
    return (struct comb){t->first, t->step, t->count};
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

static int64_t phase_of(const struct train *t, int32_t k)
{
    return t->first + (int64_t)k * t->step;
}

static uint64_t members(int32_t first, int32_t step, int32_t count)
{
    if (step == 1)
        return (count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1) << first;
    uint64_t mask = 0;
    for (int32_t k = 0; k < count; k++)
        mask |= UINT64_C(1) << (first + k * step);
    return mask;
}

static uint64_t all_of(const struct train *t)
{
    return members(0, 1, t->count);
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

/* Whether member j of a driven train is what member i of a sampled one expects. */
static bool carries(const struct train *sampled, int32_t i, const struct train *driven, int32_t j)
{
    const struct program *p = sampled->of->program;
    if (sampled->tensor < 0 || driven->tensor < 0)
        return sampled->index == driven->index && sampled->of == driven->of;
    int64_t want = sampled->index + (int64_t)i * sampled->stride;
    if (driven->tensor == 0)
        return sampled->tensor == 0 || want >= p->tensor[sampled->tensor].valid;
    return sampled->of == driven->of && sampled->tensor == driven->tensor &&
           sampled->sub == driven->sub && want == driven->index + (int64_t)j * driven->stride;
}

/* Indices are linear in the member, so what holds at both ends of a meeting holds throughout. */
static bool carries_all(const struct train *sampled, const struct train *driven,
                        struct comb_meeting m)
{
    int32_t last = m.count - 1;
    return carries(sampled, m.a, driven, m.b) &&
           carries(sampled, m.a + last * m.a_step, driven, m.b + last * m.b_step);
}

static void identity_text(const struct train *t, int32_t k, char *text)
{
    if (t->tensor < 0)
        snprintf(text, CHIP_TEXT_BYTES, "result %d", t->index);
    else
        executor_identity_text(t->of->program, t->tensor, t->sub, t->index + (int64_t)k * t->stride,
                               text);
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

static int64_t sample_cycle(const struct chip *chip, int32_t lane, const struct train *t, int32_t k)
{
    return cycle_at(chip, lane, phase_of(t, k), t->x);
}

static void report_nothing(struct chip *chip, int32_t lane, const struct train *sampled,
                           uint64_t rest)
{
    int32_t k = lowest(rest);
    struct chip_violation *v =
        executor_report(chip, sampled->of, CHIP_RULE_SAMPLE, sampled->instruction,
                        sample_cycle(chip, lane, sampled, k));
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
                                               sample_cycle(chip, lane, sampled, i));
    identity_text(sampled, i, v->expected);
    found_text(sampled, driven, j, v->found);
}

/* Trains upstream of a sample whose phases overlap its own, nearest first, into streams.near. */
static void gather(struct streams *s, const struct lane *lane, bool westward,
                   const struct train *sampled)
{
    const struct train *at = lane->driven.at;
    s->near = base_grow(s->near, &s->near_capacity, lane->driven.count, sizeof *s->near);
    s->near_count = 0;
    for (size_t n = 0; n < lane->driven.count; n++) {
        const struct train *d = &at[n];
        if (d->last < sampled->first || d->first > sampled->last ||
            (westward ? d->x < sampled->x : d->x > sampled->x))
            continue;
        size_t k = s->near_count++;
        for (; k > 0 && (westward ? at[s->near[k - 1]].x > d->x : at[s->near[k - 1]].x < d->x); k--)
            s->near[k] = s->near[k - 1];
        s->near[k] = (uint32_t)n;
    }
}

/* Whether a train farther upstream than near[c] carries what member i expects; marks it sampled. */
static bool take_farther(struct chip *chip, struct lane *lane, const struct train *sampled,
                         int32_t i, size_t c)
{
    struct comb one = {phase_of(sampled, i), 1, 1};
    for (c++; c < chip->streams.near_count; c++) {
        struct train *d = &lane->driven.at[chip->streams.near[c]];
        struct comb_meeting m = comb_meet(one, comb_of(d));
        if (m.count && carries(sampled, i, d, m.b)) {
            d->sampled |= UINT64_C(1) << m.b;
            return true;
        }
    }
    return false;
}

/* Takes those members of a meeting that are still wanted one by one; the first wrong one is
 * reported. Returns what is wanted from then on. */
static uint64_t take_members(struct chip *chip, int32_t lane, const struct train *sampled, size_t c,
                             struct comb_meeting m, uint64_t wanted)
{
    struct lane *of = &chip->streams.lane[lane];
    struct train *d = &of->driven.at[chip->streams.near[c]];
    bool told = false;
    for (int32_t k = 0; k < m.count; k++) {
        int32_t i = m.a + k * m.a_step, j = m.b + k * m.b_step;
        if (!(wanted >> i & 1))
            continue;
        wanted &= ~(UINT64_C(1) << i);
        d->sampled |= UINT64_C(1) << j;
        if (carries(sampled, i, d, j))
            continue;
        bool collision = take_farther(chip, of, sampled, i, c);
        if (!told)
            report_other(chip, lane, sampled, i, d, j, collision);
        told = true;
    }
    return wanted;
}

static void resolve(struct chip *chip, int32_t lane, const struct train *sampled)
{
    struct lane *of = &chip->streams.lane[lane];
    uint64_t wanted = all_of(sampled);
    gather(&chip->streams, of, is_westward(chip, lane), sampled);
    for (size_t c = 0; c < chip->streams.near_count && wanted; c++) {
        struct train *d = &of->driven.at[chip->streams.near[c]];
        struct comb_meeting m = comb_meet(comb_of(sampled), comb_of(d));
        if (!m.count)
            continue;
        uint64_t met = members(m.a, m.a_step, m.count);
        if ((met & ~wanted) == 0 && carries_all(sampled, d, m)) {
            wanted &= ~met;
            d->sampled |= members(m.b, m.b_step, m.count);
        } else if (met & wanted) {
            wanted = take_members(chip, lane, sampled, c, m, wanted);
        }
    }
    if (wanted)
        report_nothing(chip, lane, sampled, wanted);
}

static void retire(struct chip *chip, int32_t lane, const struct train *driven)
{
    uint64_t missed = all_of(driven) & ~driven->sampled;
    if (!missed || driven->optional)
        return;
    int32_t k = lowest(missed);
    struct chip_violation *v =
        executor_report(chip, driven->of, CHIP_RULE_SAMPLE, driven->instruction,
                        sample_cycle(chip, lane, driven, k));
    snprintf(v->expected, sizeof v->expected, "a consumer");
    char text[CHIP_TEXT_BYTES];
    identity_text(driven, k, text);
    snprintf(v->found, sizeof v->found, "%.40s is never sampled", text);
}

/* Resolves samples before `horizon`, a phase that nothing later can reach, and retires trains that
 * no sample can reach any more. */
static void settle(struct chip *chip, int32_t lane, int64_t horizon)
{
    struct lane *of = &chip->streams.lane[lane];
    int64_t earliest = horizon;
    size_t kept = 0;
    for (size_t n = 0; n < of->sampled.count; n++) {
        struct train t = of->sampled.at[n];
        if (t.last < horizon) {
            resolve(chip, lane, &t);
        } else {
            earliest = t.first < earliest ? t.first : earliest;
            of->sampled.at[kept++] = t;
        }
    }
    of->sampled.count = kept;
    kept = 0;
    for (size_t n = 0; n < of->driven.count; n++) {
        struct train t = of->driven.at[n];
        if (t.last < earliest)
            retire(chip, lane, &t);
        else
            of->driven.at[kept++] = t;
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

/* Two trains of one position that share a phase collide whoever samples them. */
static void check_neighbours(struct chip *chip, int32_t lane, const struct train *t)
{
    const struct trains *driven = &chip->streams.lane[lane].driven;
    for (size_t n = 0; n < driven->count; n++) {
        const struct train *d = &driven->at[n];
        if (d->x != t->x || d->last < t->first || d->first > t->last)
            continue;
        struct comb_meeting m = comb_meet(comb_of(t), comb_of(d));
        if (!m.count)
            continue;
        struct chip_violation *v = executor_report(chip, t->of, CHIP_RULE_STREAM, t->instruction,
                                                   sample_cycle(chip, lane, t, m.a));
        identity_text(t, m.a, v->expected);
        found_text(t, d, m.b, v->found);
    }
}

/* A train of the run's members from `k` on, `count` of them, acting at issue + `delay` on `lane`.
 */
static struct train train_of(const struct chip *chip, const struct run *run, int32_t delay,
                             int32_t lane, int32_t k, int32_t count)
{
    int16_t x = chip->position[run->instruction->queue];
    int64_t cycle = run->cycle + (int64_t)k * run->step + delay;
    int64_t first = phase_at(chip, lane, cycle, x);
    return (struct train){.first = first,
                          .last = first + (int64_t)(count - 1) * run->step,
                          .step = run->step,
                          .count = count,
                          .tensor = -1,
                          .of = run->of,
                          .instruction = run->number,
                          .x = x};
}

static void name_train(struct train *t, const struct run *run, const struct program_operand *o,
                       int32_t k, int32_t s)
{
    bool zero = run->of->program->tensor[o->tensor].kind == PROGRAM_TENSOR_ZERO;
    t->tensor = zero ? 0 : o->tensor;
    t->index = (int32_t)run_value(run, o->index, o->stride, k);
    t->stride = o->stride[run->level];
    t->sub = (uint8_t)(o->sub + s);
}

static void put(struct chip *chip, int32_t lane, const struct train *t, bool drives, int64_t now)
{
    struct lane *of = &chip->streams.lane[lane];
    if (of->driven.count + of->sampled.count >= of->limit)
        settle(chip, lane, horizon_of(chip, lane, now));
    if (drives)
        check_neighbours(chip, lane, t);
    append(drives ? &of->driven : &of->sampled, t);
}

static void sample(struct chip *chip, const struct run *run, const struct program_operand *o)
{
    int32_t skew = chip->timing[run->instruction->opcode].skew;
    if (o->kind == PROGRAM_ALU) {
        int32_t lane = 2 * chip->streams.per_direction + o->stream;
        struct train t = train_of(chip, run, skew, lane, 0, run->count);
        t.index = o->mark;
        put(chip, lane, &t, false, run->cycle);
    }
    for (int32_t s = 0; o->kind == PROGRAM_STREAM && s < o->streams; s++) {
        int32_t lane = o->direction * chip->streams.per_direction + o->stream + s;
        struct train t = train_of(chip, run, skew, lane, 0, run->count);
        name_train(&t, run, o, 0, s);
        put(chip, lane, &t, false, run->cycle);
    }
}

/* Which members of a run have results: `*first`, and how many. */
static int32_t members_with_results(const struct run *run, int32_t *first)
{
    const struct program_instruction *i = run->instruction;
    bool last_inner = i->opcode == PROGRAM_VXM && i->flags & PROGRAM_REDUCE;
    bool last_outer = i->opcode == PROGRAM_MXM_COMPUTE && !(i->flags & PROGRAM_EVERY);
    *first = 0;
    if (last_outer && !(i->flags & PROGRAM_LAST))
        return 0;
    if ((last_inner && run->level == 0) || (last_outer && run->level == 1)) {
        *first = i->count[run->level] - 1 - run->first;
        return *first < run->count ? 1 : 0;
    }
    return last_outer && run->outer != i->count[1] - 1 ? 0 : run->count;
}

static void drive(struct chip *chip, const struct run *run, const struct program_operand *o)
{
    int32_t k, count = members_with_results(run, &k);
    int32_t delay = chip->timing[run->instruction->opcode].delay;
    for (int32_t s = 0; count && o->kind == PROGRAM_STREAM && s < o->streams; s++) {
        int32_t lane = o->direction * chip->streams.per_direction + o->stream + s;
        struct train t = train_of(chip, run, delay, lane, k, count);
        name_train(&t, run, o, k, s);
        put(chip, lane, &t, true, run->cycle);
        run->of->statistics.vectors += count;
    }
}

/* The result of an ALU, for other ALUs; it must be used where no stream takes it. */
static void drive_alu(struct chip *chip, const struct run *run)
{
    int32_t k, count = members_with_results(run, &k);
    int32_t lane = 2 * chip->streams.per_direction + run->instruction->queue - PROGRAM_QUEUE_VXM;
    if (!count)
        return;
    struct train t = train_of(chip, run, chip->timing[PROGRAM_VXM].delay, lane, k, count);
    t.index = run->instruction->mark;
    t.optional = run->instruction->outputs > 0;
    put(chip, lane, &t, true, run->cycle);
}

void streams_execute(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    for (int32_t k = 0; k < i->inputs; k++)
        sample(chip, run, executor_input(run, k));
    for (int32_t k = 0; k < i->outputs; k++)
        drive(chip, run, executor_output(run, k));
    if (i->opcode == PROGRAM_VXM)
        drive_alu(chip, run);
}
