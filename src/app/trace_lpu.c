/* SPDX-License-Identifier: BSD-3-Clause */
/* The LPU rack in a trace: any moment of any step is the step's start and an offset of its program.
 *
 * A unit of a chip is a process of the viewer, a queue of instructions one of its threads. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/trace.h"
#include "base/memory.h"
#include "base/program.h"

/* Processes: steps of the rack, then for each chip its ops, units and links. */
enum { STEPS = 1, CHIPS = 1000, OF_CHIP = 16 };
enum unit { OPS, MEM_WEST, MEM_EAST, VXM, MXM, SXM, C2C, OTHER, LINKS };

struct step {
    struct record_lpu_step row;
    int64_t start_ps;
};

struct walk {
    struct app_trace_job *job;
    struct lpu_chip chip; /* its clock */
    int64_t zero_ps;      /* of the rack's cycle 0 in the run */
    int64_t shift_ps;     /* of the trace's 0 in the run */
    int32_t bucket;       /* of the decode programs in the file; 0: unknown */
    int32_t first_decode; /* step; -1: none */
    struct step *step;    /* that are shown */
    size_t steps, step_capacity;
    struct record_lpu_op *op; /* by phase, chip and number */
    size_t ops;
    struct record_lpu_queue *queue;
    size_t queues;
};

static int64_t moment_ps(const struct walk *w, int64_t cycle)
{
    return w->zero_ps + machine_cycles_to_ps(&w->chip, cycle);
}

static bool first_decode_wants(void *context, const void *row)
{
    struct walk *w = context;
    const struct record_lpu_step *s = row;
    if (s->phase == RECORD_DECODE && (w->first_decode < 0 || s->step < w->first_decode))
        w->first_decode = s->step;
    return false;
}

static bool step_wants(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_lpu_step *s = row;
    const struct app_trace_question *asked = w->job->asked;
    int64_t end_ps = moment_ps(w, s->end_cycle);
    if (end_ps > w->job->end_ps)
        w->job->end_ps = end_ps;
    if (!asked->windowed)
        return w->first_decode >= 0 && s->step == w->first_decode + asked->step;
    return app_trace_in_window(asked, moment_ps(w, s->start_cycle), end_ps);
}

static void step_take(void *context, const void *row)
{
    struct walk *w = context;
    w->step = base_grow(w->step, &w->step_capacity, w->steps + 1, sizeof *w->step);
    memcpy(&w->step[w->steps].row, row, sizeof w->step->row);
    w->step[w->steps].start_ps = moment_ps(w, w->step[w->steps].row.start_cycle);
    w->steps++;
}

static void step_show(struct walk *w, const struct record_lpu_step *s)
{
    struct app_trace_place place = {
        .process = STEPS, .process_name = "LPU rack", .thread_name = "steps"};
    char *name =
        base_format("%s step %" PRId32, s->phase == RECORD_DECODE ? "decode" : "prefill", s->step);
    app_trace_slice(w->job->trace, &place, name, "step", moment_ps(w, s->start_cycle) - w->shift_ps,
                    moment_ps(w, s->end_cycle) - w->shift_ps,
                    "\"step\":%" PRId32 ",\"sequence\":%" PRId32 ",\"position\":%" PRId32
                    ",\"bucket\":%" PRId32 ",\"start_cycle\":%" PRId64 ",\"cycles\":%" PRId64
                    ",\"executed\":%s",
                    s->step, s->sequence, s->position, s->bucket, s->start_cycle,
                    s->end_cycle - s->start_cycle, s->executed ? "true" : "false");
    base_free(name);
}

/* The steps that are shown, and where the trace begins. */
static void steps_find(struct walk *w)
{
    static const char *const keys[] = {"step", "phase", "start_cycle", "end_cycle", NULL};
    struct app_scan scan = {RECORD_LPU_STEPS, keys, first_decode_wants, step_take, w};
    if (!w->job->asked->windowed)
        app_trace_scan(w->job, &scan);
    scan.wants = step_wants;
    app_trace_scan(w->job, &scan);
    if (w->steps == 0)
        return;
    w->job->from_ps[RECORD_LPU] =
        w->job->asked->windowed ? w->job->asked->from_ps : w->step[0].start_ps;
    w->shift_ps = w->job->asked->windowed ? 0 : w->step[0].start_ps;
    for (size_t i = 0; i < w->steps; i++)
        step_show(w, &w->step[i].row);
}

/* A file of many requests has a program but no steps: one as it was compiled. */
static void steps_imagine(struct walk *w)
{
    struct record_lpu_step step = {.phase = RECORD_DECODE, .bucket = w->bucket};
    bool has_steps = w->job->scanned[RECORD_LPU_STEPS].rows > 0;
    bool has_program = w->job->scanned[RECORD_LPU_OPS].rows > 0;
    if (has_steps || !has_program || w->job->asked->windowed || w->job->asked->step > 0)
        return;
    w->zero_ps = 0;
    w->job->from_ps[RECORD_LPU] = 0;
    step_take(w, &step);
}

/* Whether the file has the program of a step: of decode steps there is that of the whole bucket. */
static bool has_program(const struct walk *w, const struct record_lpu_step *step)
{
    return step->phase == RECORD_PREFILL || w->bucket == 0 || step->bucket == w->bucket;
}

/* Shows one thing of a program in every step of its kind that it touches the window of. */
typedef void show_at(struct walk *w, const struct record_lpu_step *step, const void *row,
                     int64_t start_ps, int64_t end_ps);

static bool touches(const struct walk *w, const struct record_lpu_step *step, uint8_t phase,
                    int64_t start_cycle, int64_t end_cycle)
{
    return step->phase == phase && has_program(w, step) &&
           (!w->job->asked->windowed ||
            app_trace_in_window(w->job->asked, moment_ps(w, step->start_cycle + start_cycle),
                                moment_ps(w, step->start_cycle + end_cycle)));
}

static bool any_touches(const struct walk *w, uint8_t phase, int64_t start_cycle, int64_t end_cycle)
{
    for (size_t i = 0; i < w->steps; i++)
        if (touches(w, &w->step[i].row, phase, start_cycle, end_cycle))
            return true;
    return false;
}

static void show_in_steps(struct walk *w, uint8_t phase, int64_t start_cycle, int64_t end_cycle,
                          show_at *show, const void *row)
{
    for (size_t i = 0; i < w->steps; i++) {
        const struct record_lpu_step *step = &w->step[i].row;
        if (touches(w, step, phase, start_cycle, end_cycle))
            show(w, step, row, moment_ps(w, step->start_cycle + start_cycle) - w->shift_ps,
                 moment_ps(w, step->start_cycle + end_cycle) - w->shift_ps);
    }
}

static struct app_trace_place chip_place(int32_t chip, enum unit unit, const char *name)
{
    struct app_trace_place place = {.process = CHIPS + OF_CHIP * chip + (int32_t)unit};
    snprintf(place.process_name, sizeof place.process_name, "LPU chip %" PRId32 " %s", chip, name);
    return place;
}

static bool op_wants(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_lpu_op *op = row;
    return app_trace_lists(&w->job->asked->chips, op->chip) &&
           any_touches(w, op->phase, op->start_cycle, op->end_cycle);
}

static void op_show(struct walk *w, const struct record_lpu_step *step, const void *row,
                    int64_t start_ps, int64_t end_ps)
{
    const struct record_lpu_op *op = row;
    struct app_trace_place place = chip_place(op->chip, OPS, "ops");
    char *name = base_format("%.*s", RECORD_NAME_BYTES, op->name);
    snprintf(place.thread_name, sizeof place.thread_name, "ops");
    app_trace_slice(w->job->trace, &place, name, "op", start_ps, end_ps,
                    "\"layer\":%" PRId32 ",\"step\":%" PRId32 ",\"start_cycle\":%" PRId64
                    ",\"cycles\":%" PRId64,
                    op->layer, step->step, op->start_cycle, op->end_cycle - op->start_cycle);
    base_free(name);
}

static void op_take(void *context, const void *row)
{
    const struct record_lpu_op *op = row;
    show_in_steps(context, op->phase, op->start_cycle, op->end_cycle, op_show, row);
}

/* Cycles that the instruction keeps its queue. */
static int64_t busy_cycles(const struct record_lpu_instruction *i)
{
    return (int64_t)(i->count_outer - 1) * i->interval_outer +
           (int64_t)(i->count_inner - 1) * i->interval_inner + 1;
}

static bool instruction_wants(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_lpu_instruction *i = row;
    return app_trace_lists(&w->job->asked->chips, i->chip) &&
           any_touches(w, i->phase, i->issue_cycle, i->issue_cycle + busy_cycles(i));
}

/* The unit of a queue by its name, "MEM 17"; MEM slices count from west to east. */
static enum unit unit_of(const char *name)
{
    static const char *const word[] = {[VXM] = "VXM", [MXM] = "MXM", [SXM] = "SXM", [C2C] = "C2C"};
    if (strncmp(name, "MEM ", 4) == 0)
        return program_is_east(atoi(name + 4)) ? MEM_EAST : MEM_WEST;
    for (enum unit unit = VXM; unit <= C2C; unit++)
        if (strncmp(name, word[unit], 3) == 0)
            return unit;
    return OTHER;
}

static struct app_trace_place queue_place(const struct walk *w,
                                          const struct record_lpu_instruction *i)
{
    static const char *const units[] = {"ops", "MEM west", "MEM east", "VXM",  "MXM",
                                        "SXM", "C2C",      "other",    "links"};
    char name[RECORD_NAME_BYTES + 1] = "?";
    if (i->queue >= 0 && (size_t)i->queue < w->queues)
        snprintf(name, sizeof name, "%.*s", RECORD_NAME_BYTES, w->queue[i->queue].name);
    enum unit unit = unit_of(name);
    struct app_trace_place place = chip_place(i->chip, unit, units[unit]);
    place.thread = i->queue;
    snprintf(place.thread_name, sizeof place.thread_name, "%s", name);
    return place;
}

static int op_compare(const void *a, const void *b)
{
    const struct record_lpu_op *x = a, *y = b;
    if (x->phase != y->phase)
        return x->phase < y->phase ? -1 : 1;
    if (x->chip != y->chip)
        return x->chip < y->chip ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static char *op_name(const struct walk *w, const struct record_lpu_instruction *i)
{
    struct record_lpu_op key = {.phase = i->phase, .chip = i->chip, .op = i->op};
    const struct record_lpu_op *op =
        w->op ? bsearch(&key, w->op, w->ops, sizeof key, op_compare) : NULL;
    return op ? base_format("%.*s", RECORD_NAME_BYTES, op->name)
              : base_format("op %" PRId32, i->op);
}

static void instruction_show(struct walk *w, const struct record_lpu_step *step, const void *row,
                             int64_t start_ps, int64_t end_ps)
{
    const struct record_lpu_instruction *i = row;
    struct app_trace_place place = queue_place(w, i);
    char *name = op_name(w, i);
    app_trace_slice(w->job->trace, &place, name,
                    record_label(record_layout(RECORD_LPU_PROGRAM), "opcode", i->opcode), start_ps,
                    end_ps,
                    "\"layer\":%" PRId32 ",\"step\":%" PRId32 ",\"issue_cycle\":%" PRId64
                    ",\"cycles\":%" PRId64 ",\"repeats\":%" PRId64 ",\"address\":%" PRId32,
                    i->layer, step->step, i->issue_cycle, busy_cycles(i),
                    (int64_t)i->count_inner * i->count_outer, i->address);
    base_free(name);
}

static void instruction_take(void *context, const void *row)
{
    const struct record_lpu_instruction *i = row;
    show_in_steps(context, i->phase, i->issue_cycle, i->issue_cycle + busy_cycles(i),
                  instruction_show, row);
}

/* From the first vector on the wire to the last one off it. */
static int64_t slot_end_cycle(const struct record_lpu_slot *s, int64_t first_cycle)
{
    return first_cycle + (s->vectors - 1) * s->interval_cycles + 1;
}

static bool slot_wants(void *context, const void *row)
{
    const struct walk *w = context;
    const struct record_lpu_slot *s = row;
    const struct app_trace_list *chips = &w->job->asked->chips;
    return (app_trace_lists(chips, s->from_chip) || app_trace_lists(chips, s->to_chip)) &&
           any_touches(w, s->phase, s->departure_cycle, slot_end_cycle(s, s->arrival_cycle));
}

static struct app_trace_spot slot_end_show(struct walk *w, const struct record_lpu_step *step,
                                           const struct record_lpu_slot *s, bool leaves)
{
    int64_t first = leaves ? s->departure_cycle : s->arrival_cycle;
    struct app_trace_place place = chip_place(leaves ? s->from_chip : s->to_chip, LINKS, "links");
    place.thread = leaves ? s->link : 1000 + 16 * s->from_chip + s->link;
    snprintf(place.thread_name, sizeof place.thread_name, "%s chip %" PRId32 ", link %" PRId32,
             leaves ? "to" : "from", leaves ? s->to_chip : s->from_chip, s->link);
    return app_trace_slice(w->job->trace, &place, leaves ? "vectors leave" : "vectors arrive",
                           "link", moment_ps(w, step->start_cycle + first) - w->shift_ps,
                           moment_ps(w, step->start_cycle + slot_end_cycle(s, first)) - w->shift_ps,
                           "\"step\":%" PRId32 ",\"tensor\":%" PRId32 ",\"vectors\":%" PRId64
                           ",\"departure_cycle\":%" PRId64 ",\"arrival_cycle\":%" PRId64,
                           step->step, s->tensor, s->vectors, s->departure_cycle, s->arrival_cycle);
}

static void slot_show(struct walk *w, const struct record_lpu_step *step, const void *row,
                      int64_t start_ps, int64_t end_ps)
{
    (void)start_ps, (void)end_ps;
    struct app_trace_spot left = slot_end_show(w, step, row, true);
    struct app_trace_spot arrived = slot_end_show(w, step, row, false);
    app_trace_arrow(w->job->trace, &left, &arrived);
}

static void slot_take(void *context, const void *row)
{
    const struct record_lpu_slot *s = row;
    show_in_steps(context, s->phase, s->departure_cycle, slot_end_cycle(s, s->arrival_cycle),
                  slot_show, row);
}

static void program_show(struct walk *w)
{
    static const char *const op_keys[] = {"phase", "chip", "start_cycle", "end_cycle", NULL};
    static const char *const keys[] = {"phase",          "chip",        "issue_cycle",
                                       "count_inner",    "count_outer", "interval_inner",
                                       "interval_outer", NULL};
    static const char *const slot_keys[] = {
        "phase",         "from_chip", "to_chip",         "departure_cycle",
        "arrival_cycle", "vectors",   "interval_cycles", NULL};
    struct app_scan ops = {RECORD_LPU_OPS, op_keys, op_wants, op_take, w};
    struct app_scan program = {RECORD_LPU_PROGRAM, keys, instruction_wants, instruction_take, w};
    struct app_scan slots = {RECORD_LPU_TIMETABLE, slot_keys, slot_wants, slot_take, w};
    app_trace_scan(w->job, &ops);
    app_trace_scan(w->job, &slots);
    app_trace_scan(w->job, &program);
}

/* Start of the rack's first step on the clock that both machines share. */
static bool zero_wants(void *context, const void *row)
{
    struct walk *w = context;
    const struct record_compare_step *s = row;
    if (s->machine == RECORD_LPU && s->step == 0 && s->repeat == 0)
        w->zero_ps = s->start_ps;
    return false;
}

static void clock_read(struct walk *w)
{
    static const char *const keys[] = {"machine", "step", "repeat", "start_ps", NULL};
    struct app_scan scan = {RECORD_COMPARE_STEPS, keys, zero_wants, NULL, w};
    app_scan_table(w->job->reader, &scan, w->job->report);
    char *bucket = record_reader_text(w->job->reader, "/run/configuration", "bucket.max_sequence");
    w->bucket = bucket ? atoi(bucket) : 0;
    base_free(bucket);
}

static void others_count(struct walk *w)
{
    for (size_t i = 0; i < w->steps; i++)
        w->job->other_bucket += !has_program(w, &w->step[i].row);
}

static void walk_release(struct walk *w)
{
    base_free(w->step);
    base_free(w->op);
    base_free(w->queue);
}

void app_trace_lpu(struct app_trace_job *job)
{
    struct walk w = {.job = job, .first_decode = -1};
    if (!record_reader_i64(job->reader, "/lpu", "clock_hz", &w.chip.clock_hz) ||
        w.chip.clock_hz < 1000)
        return;
    clock_read(&w);
    w.op = app_scan_all(job->reader, RECORD_LPU_OPS, &w.ops);
    w.queue = app_scan_all(job->reader, RECORD_LPU_QUEUES, &w.queues);
    if (w.op)
        qsort(w.op, w.ops, sizeof *w.op, op_compare);
    job->scanned[RECORD_LPU_OPS].rows = (int64_t)w.ops;
    steps_find(&w);
    steps_imagine(&w);
    if (w.steps > 0)
        program_show(&w);
    others_count(&w);
    walk_release(&w);
}
