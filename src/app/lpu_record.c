/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of the plan and of every program, chip by chip: the order of ranks, and of any number. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/lpu.h"
#include "app/lpu_slots.h"
#include "base/memory.h"
#include "parallel/copies.h"

enum { VIOLATION_LINES = 5 };

/* Rows of own chips for one table, as they grow. */
struct rows {
    char *row;
    size_t count, capacity, bytes;
};

static void *rows_add(struct rows *rows)
{
    rows->row = base_grow(rows->row, &rows->capacity, rows->count + 1, rows->bytes);
    void *row = rows->row + rows->bytes * rows->count++;
    memset(row, 0, rows->bytes);
    return row;
}

static void copy_name(char *to, const char *from)
{
    snprintf(to, RECORD_NAME_BYTES, "%.*s", RECORD_NAME_BYTES - 1, from);
}

/* The compiler counts the head as one layer more. */
static int32_t layer_of(const struct app_run *run, int32_t layer)
{
    return layer >= run->model.layers ? -1 : layer;
}

static struct record_plan_stage stage_row(const struct app_lpu *lpu, int32_t number)
{
    const struct partition_stage *stage = &lpu->stage[number];
    int32_t chips = lpu->outline.group;
    return (struct record_plan_stage){.stage = number,
                                      .first_chip = stage->first_chip,
                                      .chips = chips,
                                      .layers = stage->layers,
                                      .weight_bytes =
                                          (stage->weight_bytes + stage->embedding_bytes) * chips,
                                      .kv_bytes = stage->kv_bytes * chips};
}

static void write_stages(struct app_run *run)
{
    size_t count = parallel_is_first() ? (size_t)run->lpu->outline.stages : 0;
    struct record_plan_stage *row = base_alloc(count, sizeof *row);
    for (size_t i = 0; i < count; i++)
        row[i] = stage_row(run->lpu, (int32_t)i);
    record_append(run->file, record_layout(RECORD_PLAN_STAGES), row, count);
    base_free(row);
}

static struct record_plan_candidate candidate_row(const struct app_lpu *lpu,
                                                  const struct partition_candidate *c)
{
    const struct app_lpu_outline *o = &lpu->outline;
    bool chosen = c->stages == o->stages && c->group == o->group;
    struct record_plan_candidate row = {.stages = c->stages,
                                        .group = c->group,
                                        .fits = c->fits,
                                        .chosen = chosen,
                                        .o_by_columns = chosen && o->columns.o,
                                        .down_by_columns = chosen && o->columns.down,
                                        .decode_cycles = c->decode_cycles,
                                        .missing_bytes = c->missing_bytes};
    snprintf(row.reason, sizeof row.reason, "%s", c->fits ? "" : c->why_not);
    return row;
}

static void write_candidates(struct app_run *run)
{
    size_t count = parallel_is_first() ? run->lpu->candidates : 0;
    const struct partition_candidate *c = run->lpu->candidate;
    struct record_plan_candidate *row = base_alloc(count, sizeof *row);
    for (size_t i = 0; i < count; i++)
        row[i] = candidate_row(run->lpu, &c[i]);
    record_append(run->file, record_layout(RECORD_PLAN_CANDIDATES), row, count);
    base_free(row);
}

/* What stands in the way of a shorter interval is known of the largest bucket. */
static void describe_obstacle(const struct app_run *run, struct record_plan_seats *row)
{
    const struct interval_found *f = &run->lpu->sharing.interval;
    row->busiest_cycles = f->busiest_cycles;
    row->chip = f->chip;
    row->first_layer = layer_of(run, f->first.layer);
    row->second_layer = layer_of(run, f->second.layer);
    copy_name(row->resource, f->thing);
    copy_name(row->first, f->first.name);
    copy_name(row->second, f->second.name);
}

static struct record_plan_seats seats_row(const struct app_run *run, enum partition_phase kind)
{
    const struct app_lpu_sharing *o = &run->lpu->sharing;
    struct record_plan_seats row = {.bucket = run->lpu->outline.positions[kind],
                                    .latency_cycles = run->lpu->outline.length_cycles[kind],
                                    .interval_cycles = o->interval.cycles[kind],
                                    .mixed_cycles = o->interval.mixed_cycles,
                                    .seats = o->seats.placed,
                                    .seats_by_time = o->seats.by_time,
                                    .seats_by_sram = o->seats.by_sram,
                                    .batch = run->scenario.bucket.batch,
                                    .token_cycles = app_lpu_token_cycles(run, kind),
                                    .prefill_interval_cycles =
                                        o->interval.cycles[PARTITION_PREFILL],
                                    .prefill_starts = o->interval.prefill_starts[kind]};
    describe_obstacle(run, &row);
    return row;
}

/* A row for each bucket where several sequences may share the pipeline. */
static void write_seats(struct app_run *run)
{
    bool wanted = parallel_is_first() && run->lpu->sharing.interval.mixed_cycles > 0;
    int32_t buckets = run->scenario.bucket.rungs + 1;
    struct record_plan_seats row[BUCKET_RUNGS + 1];
    for (int32_t n = 0; wanted && n < buckets; n++)
        row[n] = seats_row(run, app_lpu_bucket(run, n));
    record_append(run->file, record_layout(RECORD_PLAN_SEATS), row, wanted ? (size_t)buckets : 0);
}

static struct record_plan_distance
distance_row(const struct app_lpu *lpu, enum partition_phase first, enum partition_phase second)
{
    return (struct record_plan_distance){.first_phase = (uint8_t)app_lpu_record_phase(first),
                                         .first_bucket = lpu->outline.positions[first],
                                         .second_phase = (uint8_t)app_lpu_record_phase(second),
                                         .second_bucket = lpu->outline.positions[second],
                                         .least_cycles =
                                             distances_next(lpu->distances, first, second, 1)};
}

static void write_distances(struct app_run *run)
{
    const struct app_lpu *lpu = run->lpu;
    struct record_plan_distance row[PARTITION_PHASES * PARTITION_PHASES];
    size_t rows = 0;
    for (enum partition_phase a = 0; lpu->distances && a < PARTITION_PHASES; a++)
        for (enum partition_phase b = 0; b < PARTITION_PHASES; b++)
            if (app_lpu_has_phase(lpu, a) && app_lpu_has_phase(lpu, b))
                row[rows++] = distance_row(lpu, a, b);
    record_append(run->file, record_layout(RECORD_PLAN_DISTANCES), row,
                  parallel_is_first() ? rows : 0);
}

static void write_queues(struct app_run *run)
{
    struct record_lpu_queue row[PROGRAM_QUEUES] = {{0}};
    for (int32_t queue = 0; queue < PROGRAM_QUEUES; queue++) {
        row[queue].queue = queue;
        row[queue].position = program_queue_position(&run->scenario.lpu_chip, queue);
        program_queue_name(queue, row[queue].name);
    }
    record_append(run->file, record_layout(RECORD_LPU_QUEUES), row,
                  parallel_is_first() ? PROGRAM_QUEUES : 0);
}

/* The functions below add the rows of one chip's program to a table. */
typedef void add_rows(struct rows *rows, const struct app_run *run, const struct app_lpu_chip *own,
                      enum partition_phase phase);

static void add_tensors(struct rows *rows, const struct app_run *run,
                        const struct app_lpu_chip *own, enum partition_phase phase)
{
    const struct program *p = &own->program[phase];
    for (size_t i = 0; i < p->tensors; i++) {
        const struct program_tensor *t = &p->tensor[i];
        struct record_plan_tensor *row = rows_add(rows);
        row->phase = (uint8_t)app_lpu_record_phase(phase);
        row->chip = own->id;
        row->tensor = (int32_t)i;
        row->layer = layer_of(run, t->layer);
        copy_name(row->name, t->name);
        row->kind = t->kind;
        row->dtype = t->dtype;
        row->first_slice = t->slice < 0 ? -1 : p->slice[t->slice];
        row->slices = t->slice < 0 ? 0 : t->subs;
        row->address = t->slice < 0 ? 0 : program_tensor_address(p, t, 0);
        row->vectors = t->count;
        row->live_from_cycle = t->live_from;
        row->live_to_cycle = t->live_to;
    }
}

static void add_places(struct rows *rows, const struct app_run *run, const struct app_lpu_chip *own,
                       enum partition_phase phase)
{
    const struct program *p = &own->program[phase];
    (void)run;
    for (size_t i = 0; i < p->tensors; i++)
        for (int32_t sub = 0; p->tensor[i].slice >= 0 && sub < p->tensor[i].subs; sub++) {
            struct record_plan_place *row = rows_add(rows);
            row->phase = (uint8_t)app_lpu_record_phase(phase);
            row->chip = own->id;
            row->tensor = (int32_t)i;
            row->sub = sub;
            row->slice = p->slice[p->tensor[i].slice + sub];
            row->row = program_tensor_address(p, &p->tensor[i], sub);
        }
}

static void add_ops(struct rows *rows, const struct app_run *run, const struct app_lpu_chip *own,
                    enum partition_phase phase)
{
    const struct program *p = &own->program[phase];
    for (size_t i = 0; i < p->ops; i++) {
        struct record_lpu_op *row = rows_add(rows);
        row->phase = (uint8_t)app_lpu_record_phase(phase);
        row->chip = own->id;
        row->op = (int32_t)i;
        row->layer = layer_of(run, p->op[i].layer);
        copy_name(row->name, p->op[i].name);
        row->start_cycle = p->op[i].start_cycle;
        row->end_cycle = p->op[i].end_cycle;
    }
}

static void add_instructions(struct rows *rows, const struct app_run *run,
                             const struct app_lpu_chip *own, enum partition_phase phase)
{
    const struct program *p = &own->program[phase];
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        struct record_lpu_instruction *row = rows_add(rows);
        *row = (struct record_lpu_instruction){
            .phase = (uint8_t)app_lpu_record_phase(phase),
            .chip = own->id,
            .queue = i->queue,
            .opcode = i->opcode,
            .function = i->function,
            .issue_cycle = i->cycle,
            .count_inner = i->count[0],
            .interval_inner = i->interval[0],
            .count_outer = i->count[1],
            .interval_outer = i->interval[1],
            .address = i->address,
            .stride_inner = i->stride[0],
            .stride_outer = i->stride[1],
            .tensor = i->inputs + i->outputs > 0 ? p->operand[i->operand].tensor : -1,
            .op = i->op,
            .layer = layer_of(run, p->op[i->op].layer)};
    }
}

static void add_timetable(struct rows *rows, const struct app_run *run,
                          const struct app_lpu_chip *own, enum partition_phase phase)
{
    struct app_lpu_slots slots = {0};
    app_lpu_slots_add(&slots, &run->scenario.lpu_chip, &run->lpu->topology, &run->lpu->outline,
                      phase, &own->program[phase]);
    for (size_t n = 0; n < slots.count; n++)
        *(struct record_lpu_slot *)rows_add(rows) = slots.slot[n];
    app_lpu_slots_release(&slots);
}

/* Those of prefill and of the whole bucket; smaller buckets differ from it in attention alone. */
static void write_programs(struct app_run *run, enum record_table table, add_rows *add)
{
    for (int phase = 0; phase < PARTITION_RUNG; phase++) {
        struct rows rows = {.bytes = record_layout(table)->row_bytes};
        for (int64_t i = 0; i < run->lpu->block.count; i++)
            if (run->lpu->own[i].chip)
                add(&rows, run, &run->lpu->own[i], (enum partition_phase)phase);
        record_append(run->file, record_layout(table), rows.row, rows.count);
        base_free(rows.row);
    }
}

enum base_status app_lpu_record(struct app_run *run)
{
    record_set_i64(run->file, "/lpu", "clock_hz", run->scenario.lpu_chip.clock_hz);
    write_candidates(run);
    write_stages(run);
    app_lpu_record_bounds(run);
    write_seats(run);
    write_distances(run);
    write_queues(run);
    write_programs(run, RECORD_PLAN_TENSORS, add_tensors);
    write_programs(run, RECORD_PLAN_PLACES, add_places);
    write_programs(run, RECORD_LPU_OPS, add_ops);
    write_programs(run, RECORD_LPU_PROGRAM, add_instructions);
    write_programs(run, RECORD_LPU_TIMETABLE, add_timetable);
    app_progress(run, "LPU programs compiled");
    return record_flush(run->file, run->progress);
}

/* The op of a violation by its name and layer, in any program; -1: none. */
static int32_t op_of(const struct app_lpu_chip *own, const struct chip_violation *v)
{
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        for (size_t i = 0; i < own->program[phase].ops; i++) {
            const struct program_op *op = &own->program[phase].op[i];
            if (op->layer == v->layer && !strncmp(op->name, v->op, sizeof v->op))
                return (int32_t)i;
        }
    return -1;
}

static void add_violation(struct rows *rows, const struct app_run *run,
                          const struct app_lpu_chip *own, const struct chip_violation *v)
{
    struct record_lpu_violation *row = rows_add(rows);
    row->step = v->step;
    row->rule = (int32_t)v->rule;
    row->chip = v->chip;
    row->queue = v->queue;
    row->cycle = v->cycle;
    row->op = op_of(own, v);
    row->layer = layer_of(run, v->layer);
    snprintf(row->message, sizeof row->message, "expected %.50s, found %.50s", v->expected,
             v->found);
}

static char *join(char *text, char *more)
{
    char *both = base_format("%s%s\n", text, more);
    base_free(text);
    base_free(more);
    return both;
}

/* Cuts a text after a number of lines. */
static void keep_lines(char *text, int lines)
{
    for (char *p = text; *p; p++)
        if (*p == '\n' && --lines == 0)
            p[1] = 0;
}

void app_lpu_tell_violations(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    struct rows rows = {.bytes = sizeof(struct record_lpu_violation)};
    char *text = base_strdup("");
    for (int64_t i = 0; i < lpu->block.count; i++) {
        size_t kept = 0;
        int64_t total = 0;
        const struct chip_violation *v =
            lpu->own[i].chip ? chip_violations(lpu->own[i].chip, &kept, &total) : NULL;
        for (size_t k = 0; k < kept; k++) {
            add_violation(&rows, run, &lpu->own[i], &v[k]);
            if (k < VIOLATION_LINES)
                text = join(text, chip_violation_text(&v[k]));
        }
    }
    lpu->violations = parallel_concatenate(text);
    keep_lines(lpu->violations, VIOLATION_LINES);
    if (run->file)
        record_append(run->file, record_layout(RECORD_LPU_VIOLATIONS), rows.row, rows.count);
    if (parallel_is_first() && lpu->totals.violations > 0)
        fprintf(stderr, "lpusim-mp: the schedule broke promises:\n%s%s", lpu->violations,
                lpu->length_fault ? lpu->length_fault : "");
    base_free(rows.row);
    base_free(text);
}
