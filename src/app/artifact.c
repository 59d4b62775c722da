/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads artifacts: nothing is believed that is not checked. */
#include "app/artifact.h"

#include <string.h>

#include "app/artifact_tables.h"
#include "base/memory.h"
#include "config/config.h"
#include "parallel/copies.h"

void app_artifact_close(struct app_artifact *a)
{
    if (!a)
        return;
    record_programs_close(a->programs);
    record_artifact_close(a->file);
    base_free(a->stage);
    base_free(a->candidate);
    base_free(a->bound);
    distances_release(a->distances);
    for (size_t i = 0; i < a->kept_count; i++)
        base_free(a->kept[i]);
    base_free(a->kept);
    config_scenario_release(&a->scenario);
    base_free(a);
}

/* The only row of a table into `row`; false and a fault where there is another number of them. */
static bool read_row(const struct app_artifact *a, enum app_artifact_table table, void *row,
                     struct base_report *report)
{
    const struct record_schema *schema = app_artifact_schema(table);
    size_t count;
    void *rows = record_artifact_rows(a->file, schema, &count, report);
    if (rows && count == 1)
        memcpy(row, rows, schema->row_bytes);
    else if (rows)
        base_report_add(report, record_artifact_path(a->file), 0, "table %s has %zu rows, not one",
                        schema->group, count);
    base_free(rows);
    return rows && count == 1;
}

/* Whether what is true or false in rows is 0 or 1, and whether texts end. */
static bool rows_are_sound(enum app_artifact_table table, const void *rows, size_t count)
{
    const struct record_schema *schema = app_artifact_schema(table);
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < schema->columns; i++) {
            const struct record_column *column = &schema->column[i];
            const unsigned char *field =
                (const unsigned char *)rows + n * schema->row_bytes + column->offset;
            if ((column->type == RECORD_U8 && *field > 1) ||
                (column->type == RECORD_TEXT && !memchr(field, '\0', column->bytes)))
                return false;
        }
    return true;
}

/* The next line of the configuration, its escapes undone, or NULL. */
static char *next_line(const char **text)
{
    const char *from = *text;
    size_t length = strcspn(from, "\n"), end = 0;
    if (!*from)
        return NULL;
    char *line = base_alloc(length + 1, 1);
    for (size_t i = 0; i < length; i++) {
        bool escape = from[i] == '\\' && i + 1 < length;
        i += escape;
        line[end++] = escape && from[i] == 'n' ? '\n' : from[i];
    }
    *text = from + length + (from[length] == '\n');
    return line;
}

static bool read_configuration(struct app_artifact *a, struct base_report *report)
{
    const char *path = record_artifact_path(a->file);
    char *text = record_artifact_text(a->file, "/configuration", report), *line;
    size_t capacity = 0;
    if (!text)
        return false;
    const char *rest = text;
    while ((line = next_line(&rest))) {
        a->kept = base_grow(a->kept, &capacity, a->kept_count + 1, sizeof *a->kept);
        a->kept[a->kept_count++] = line;
    }
    base_free(text);
    return config_scenario_restore(path, (const char *const *)a->kept, a->kept_count, NULL, 0,
                                   &a->scenario, report);
}

/* The model's shapes, then its layers. */
static bool read_model(struct app_artifact *a, struct base_report *report)
{
    size_t count;
    struct app_artifact_layer *layer =
        record_artifact_rows(a->file, app_artifact_schema(APP_ARTIFACT_LAYERS), &count, report);
    bool read = layer && read_row(a, APP_ARTIFACT_MODEL, &a->model, report);
    bool sound = read && rows_are_sound(APP_ARTIFACT_MODEL, &a->model, 1) &&
                 rows_are_sound(APP_ARTIFACT_LAYERS, layer, count) && model_is_valid(&a->model) &&
                 (int64_t)count == a->model.layers;
    for (size_t n = 0; sound && n < count; n++)
        a->model.full_layer[n / 64] |= (uint64_t)layer[n].full << (n % 64);
    if (read && !sound)
        base_report_add(report, record_artifact_path(a->file), 0, "its model is none");
    base_free(layer);
    return sound;
}

/* Whether every stage has chips and blocks, behind those of the stage before. */
static bool stages_are_sound(const struct app_artifact *a, size_t stages)
{
    const struct app_lpu_outline *o = &a->outline;
    int64_t blocks = 0, layers = 0;
    bool sound = o->stages >= 1 && stages == (size_t)o->stages && o->group >= 1 &&
                 o->chips == (int64_t)o->stages * o->group;
    for (size_t n = 0; sound && n < stages; n++) {
        const struct partition_stage *s = &a->stage[n];
        sound = s->first_chip == (int64_t)n * o->group && s->first_block == blocks &&
                s->blocks >= 1 && s->layers >= 0;
        blocks += s->blocks;
        layers += s->layers;
    }
    return sound && layers == a->model.layers;
}

int32_t app_artifact_chips(const struct app_artifact *a)
{
    const struct lpu_rack *rack = &a->scenario.lpu_rack;
    return (rack->racks > 1 ? rack->racks : 1) * rack->nodes * rack->chips_per_node;
}

static bool plan_is_sound(const struct app_artifact *a, size_t stages)
{
    const struct app_lpu_outline *o = &a->outline;
    const struct scenario *s = &a->scenario;
    return rows_are_sound(APP_ARTIFACT_CANDIDATES, a->candidate, a->candidates) &&
           s->mode != SCENARIO_GPU && stages_are_sound(a, stages) && o->prefill_rows >= 1 &&
           o->prefill_rows <= s->bucket.prefill_chunk && o->length_cycles[0] > 0 &&
           o->length_cycles[1] > 0 && o->chips <= app_artifact_chips(a);
}

/* Whether seats are those of the configuration, and intervals those of the kinds of steps. */
static bool sharing_is_sound(const struct app_artifact *a)
{
    const struct partition_seats *seats = &a->sharing.seats;
    const struct interval_found *f = &a->sharing.interval;
    int32_t asked = a->scenario.lpu_seats, most = PROGRAM_CACHES / a->scenario.bucket.batch;
    bool sound = rows_are_sound(APP_ARTIFACT_SHARING, &a->sharing, 1) && seats->placed >= 1 &&
                 seats->placed <= most && (asked == 0 || seats->placed == asked) &&
                 (f->mixed_cycles > 0) == (asked != 1) && f->mixed_cycles >= 0;
    int64_t longest = 0;
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        int64_t length = a->outline.length_cycles[phase], cycles = f->cycles[phase];
        sound = sound && cycles >= 0 && (cycles > 0) == (asked != 1 && length > 0) &&
                cycles / 2 <= length;
        longest = length > longest ? length : longest;
    }
    return sound && f->mixed_cycles / 2 <= longest;
}

/* Whether ranges are in order, and no longer than two steps can meet. */
static bool ranges_are_sound(const struct app_artifact *a, const struct distances_range *range,
                             size_t count)
{
    bool sound = distances_are_valid(range, count) && (count > 0) == (a->scenario.lpu_seats != 1);
    for (size_t n = 0; sound && n < count; n++)
        sound = range[n].from <= a->outline.length_cycles[range[n].first] &&
                range[n].to <= 2 * a->outline.length_cycles[range[n].first];
    return sound;
}

static bool read_sharing(struct app_artifact *a, struct base_report *report)
{
    size_t count;
    if (!read_row(a, APP_ARTIFACT_SHARING, &a->sharing, report))
        return false;
    struct distances_range *range =
        record_artifact_rows(a->file, app_artifact_schema(APP_ARTIFACT_DISTANCES), &count, report);
    if (!range)
        return false;
    bool sound = sharing_is_sound(a) && ranges_are_sound(a, range, count);
    if (sound && count > 0)
        a->distances = distances_create(range, count);
    if (!sound)
        base_report_add(report, record_artifact_path(a->file), 0,
                        "its seats, intervals and distances do not agree with each other");
    base_free(range);
    return sound;
}

static bool read_plan(struct app_artifact *a, struct base_report *report)
{
    size_t stages = 0;
    if (!read_configuration(a, report) || !read_model(a, report) ||
        !read_row(a, APP_ARTIFACT_OUTLINE, &a->outline, report))
        return false;
    a->stage =
        record_artifact_rows(a->file, app_artifact_schema(APP_ARTIFACT_STAGES), &stages, report);
    a->candidate = record_artifact_rows(a->file, app_artifact_schema(APP_ARTIFACT_CANDIDATES),
                                        &a->candidates, report);
    a->bound =
        record_artifact_rows(a->file, app_artifact_schema(APP_ARTIFACT_BOUNDS), &a->bounds, report);
    if (!a->stage || !a->candidate || !a->bound)
        return false;
    if (plan_is_sound(a, stages))
        return read_sharing(a, report);
    base_report_add(report, record_artifact_path(a->file), 0,
                    "its plan, model and configuration do not agree with each other");
    return false;
}

struct app_artifact *app_artifact_read(const char *path, const char *bytes, size_t count,
                                       struct base_report *report)
{
    struct record_artifact *file = record_artifact_open(path, bytes, count, report);
    if (!file)
        return NULL;
    struct app_artifact *a = base_alloc(1, sizeof *a);
    a->file = file;
    a->bytes = count;
    if (read_plan(a, report))
        a->programs = record_programs_open(file, report);
    if (a->programs)
        return a;
    app_artifact_close(a);
    return NULL;
}

/* Whether keys and values of a program have a cache for each sequence of each seat. */
static bool has_caches(const struct app_artifact *a, const struct program *p)
{
    int32_t caches = a->sharing.seats.placed * a->scenario.bucket.batch;
    for (size_t n = 0; n < p->tensors; n++)
        if (p->tensor[n].kind == PROGRAM_TENSOR_KV && p->tensor[n].caches != caches)
            return false;
    return true;
}

/* Whether a program is one of this plan. */
static bool is_of_plan(const struct app_artifact *a, const struct program *p,
                       enum partition_phase phase, struct base_report *report)
{
    int32_t rows = phase == PARTITION_PREFILL ? a->outline.prefill_rows : a->scenario.bucket.batch;
    bool there = a->outline.length_cycles[phase] > 0;
    bool fits = (there ? p->rows == rows : p->instructions == 0) &&
                p->length_cycles == a->outline.length_cycles[phase] &&
                p->expert_slots <= rows * a->model.experts_per_token &&
                p->experts <= a->model.experts && has_caches(a, p);
    if (!fits)
        base_report_add(
            report, record_artifact_path(a->file), 0,
            "the program of chip %d is of another plan: rows, caches, experts or length differ",
            p->chip);
    return fits;
}

bool app_artifact_programs(const struct app_artifact *a, int32_t chip,
                           struct program program[PARTITION_PHASES], struct base_report *report)
{
    size_t before = report->count;
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        struct program *p = &program[phase];
        if (record_programs_take(a->programs, (uint8_t)phase, chip, p, report) &&
            is_of_plan(a, p, (enum partition_phase)phase, report))
            program_is_valid(&a->scenario.lpu_chip, p, report);
    }
    return report->count == before;
}

struct record_lpu_slot *app_artifact_slots(const struct app_artifact *a, size_t *count,
                                           struct base_report *report)
{
    return record_artifact_rows(a->file, app_artifact_schema(APP_ARTIFACT_TIMETABLE), count,
                                report);
}

void app_artifact_outline(const struct app_artifact *a, struct app_lpu *lpu)
{
    lpu->outline = a->outline;
    lpu->sharing = a->sharing;
    lpu->distances = a->distances;
    lpu->stage = a->stage;
    lpu->candidate = a->candidate;
    lpu->candidates = a->candidates;
}

enum base_status app_artifact_take(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    for (int64_t i = 0; i < lpu->block.count; i++)
        app_artifact_programs(run->artifact, (int32_t)(lpu->block.first + i), lpu->own[i].program,
                              &run->report);
    record_programs_close(run->artifact->programs); /* each rank has its chips' own now */
    run->artifact->programs = NULL;
    return parallel_agree_report(&run->report, BASE_IO);
}
