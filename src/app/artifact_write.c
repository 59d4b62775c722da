/* SPDX-License-Identifier: BSD-3-Clause */
/* compile: the first rank puts plan, programs and timetable, chip by chip, into one file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/artifact.h"
#include "app/artifact_tables.h"
#include "app/lpu_slots.h"
#include "app/reference.h"
#include "app/text.h"
#include "base/memory.h"
#include "base/version.h"
#include "config/config.h"

struct values {
    char **value;
    size_t count, capacity;
};

/* Values of one run alone do not make another schedule. */
static bool is_of_one_run(const char *key)
{
    return !strcmp(key, "run.output") || !strcmp(key, "run.json") || !strcmp(key, "run.quiet") ||
           !strncmp(key, "serve.", 6);
}

static void add_value(void *context, const struct config_value *value)
{
    struct values *values = context;
    if (is_of_one_run(value->key))
        return;
    values->value =
        base_grow(values->value, &values->capacity, values->count + 1, sizeof *values->value);
    values->value[values->count++] = base_format("%s=\"%s\"", value->key, value->text);
}

char **app_artifact_values(const struct scenario *scenario, size_t *count)
{
    struct values values = {0};
    config_scenario_for_each(scenario, add_value, &values);
    *count = values.count;
    return values.value;
}

/* One value a line; a line's own ends are written as \n, its backslashes twice. */
static char *lines_of(char *const *value, size_t count)
{
    size_t bytes = 1, end = 0;
    for (size_t i = 0; i < count; i++)
        bytes += 2 * strlen(value[i]) + 1;
    char *text = base_alloc(bytes, 1);
    for (size_t i = 0; i < count; i++) {
        for (const char *p = value[i]; *p; p++) {
            if (*p == '\n' || *p == '\\')
                text[end++] = '\\';
            text[end++] = *p == '\n' ? 'n' : *p;
        }
        text[end++] = '\n';
    }
    return text;
}

/* Where weights matter the model goes by its folder, else by its name: the same bytes wherever that
 * folder is. */
static void add_configuration(struct record_artifact_writer *file, const struct app_run *run)
{
    size_t count;
    struct scenario named = run->scenario;
    if (!named.values)
        snprintf(named.model_path, sizeof named.model_path, "%s", run->model.name);
    char **value = app_artifact_values(&named, &count);
    char *text = lines_of(value, count);
    record_artifact_add_text(file, "/configuration", text);
    base_free(text);
    for (size_t i = 0; i < count; i++)
        base_free(value[i]);
    base_free(value);
}

static void add_layers(struct record_artifact_writer *file, const struct model *model)
{
    size_t count = (size_t)model->layers;
    struct app_artifact_layer *layer = base_alloc(count, sizeof *layer);
    for (size_t n = 0; n < count; n++)
        layer[n].full = model->full_layer[n / 64] >> (n % 64) & 1;
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_LAYERS), layer, count);
    base_free(layer);
}

/* How seats share the pipeline; of one seat there are no distances. */
static void add_sharing(struct record_artifact_writer *file, const struct app_lpu *lpu)
{
    size_t count = 0;
    const struct distances_range *range =
        lpu->distances ? distances_ranges(lpu->distances, &count) : NULL;
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_SHARING), &lpu->sharing, 1);
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_DISTANCES), range, count);
}

static void add_plan(struct record_artifact_writer *file, const struct app_run *run)
{
    const struct app_lpu *lpu = run->lpu;
    record_artifact_add_text(file, "/program", "lpusim-mp");
    record_artifact_add_text(file, "/version", base_version());
    add_configuration(file, run);
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_MODEL), &run->model, 1);
    add_layers(file, &run->model);
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_OUTLINE), &lpu->outline, 1);
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_STAGES), lpu->stage,
                        (size_t)lpu->outline.stages);
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_CANDIDATES), lpu->candidate,
                        lpu->candidates);
    add_sharing(file, lpu);
    size_t bounds;
    struct record_plan_bound *bound = app_lpu_bounds(lpu->plan, &bounds);
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_BOUNDS), bound, bounds);
    base_free(bound);
}

/* Programs of all chips under way into a file. */
struct writing {
    struct app_run *run;
    struct record_programs_writer *programs;
    struct app_lpu_slots slots;
    int64_t instructions;
};

static void add_program(struct writing *w, int32_t chip, enum partition_phase phase)
{
    const struct lpu_chip *machine = &w->run->scenario.lpu_chip;
    struct program program;
    plan_program(w->run->lpu->plan, phase, chip, &program);
    if (program_is_valid(machine, &program, &w->run->report)) {
        record_programs_add(w->programs, (uint8_t)phase, &program);
        app_lpu_slots_add(&w->slots, machine, &w->run->lpu->topology, &w->run->lpu->outline, phase,
                          &program);
        w->instructions += (int64_t)program.instructions;
    }
    program_release(&program);
}

/* Chips have much the same faults: those of the first that has any are enough. */
static void add_programs(struct writing *w, struct record_artifact_writer *file)
{
    w->programs = record_programs_begin();
    for (int32_t chip = 0;
         chip < w->run->lpu->topology.chips && base_report_is_clean(&w->run->report); chip++)
        for (int phase = 0; phase < PARTITION_PHASES; phase++)
            add_program(w, chip, (enum partition_phase)phase);
    record_programs_end(w->programs, file);
    record_artifact_add(file, app_artifact_schema(APP_ARTIFACT_TIMETABLE), w->slots.slot,
                        w->slots.count);
    app_lpu_slots_release(&w->slots);
}

static void say_written(const struct writing *w, size_t bytes)
{
    const char *path = w->run->command->artifact;
    if (!w->run->scenario.quiet)
        printf("%s: %s instructions of %" PRId32
               " chips in %s bytes, %.1f an instruction; compiled "
               "in %.1f s\n",
               path, app_text_count(w->instructions).text, w->run->lpu->topology.chips,
               app_text_count((int64_t)bytes).text,
               w->instructions ? (double)bytes / (double)w->instructions : 0.0,
               w->run->lpu->compile_seconds);
}

/* First rank. */
static enum base_status write_file(struct app_run *run)
{
    struct record_artifact_writer *file = record_artifact_create();
    struct writing writing = {.run = run};
    size_t bytes;
    add_plan(file, run);
    add_programs(&writing, file);
    char *whole = record_artifact_seal(file, &bytes);
    enum base_status status = base_report_is_clean(&run->report) ? BASE_IO : BASE_CONTRACT;
    if (status == BASE_IO && app_reference_write(run->command, whole, bytes, &run->report))
        say_written(&writing, bytes);
    base_free(whole);
    return status;
}

enum base_status app_artifact_write(struct app_run *run)
{
    enum base_status status = parallel_is_first() ? write_file(run) : BASE_OK;
    return parallel_agree_report(&run->report, status);
}
