/* SPDX-License-Identifier: BSD-3-Clause */
/* The file around the phases: opened before any work, with provenance; closed when all is told. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/summary.h"
#include "base/memory.h"
#include "base/version.h"
#include "config/config.h"
#include "model/graph.h"
#include "parallel/parallel.h"
#include "record/layout.h"
#include "record/run.h"

/* The effective configuration as text; free with free. */
static char *configuration_text(const struct scenario *scenario)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        parallel_abort(BASE_FAILURE, "no memory for the text of the configuration");
    config_scenario_print(scenario, stream);
    fclose(stream);
    return text;
}

struct option_visit {
    record_option_visitor *visitor;
    void *context;
};

static void visit_value(void *context, const struct config_value *value)
{
    struct option_visit *visit = context;
    visit->visitor(visit->context, value->key, value->text);
}

static void visit_options(void *scenario, record_option_visitor *visitor, void *context)
{
    struct option_visit visit = {visitor, context};
    config_scenario_for_each(scenario, visit_value, &visit);
}

static void begin_run(struct app_run *run)
{
    char *text = configuration_text(&run->scenario);
    struct record_run provenance = {.program_version = base_version(),
                                    .source_state = base_version_source(),
                                    .command_line = run->command->line,
                                    .configuration = text,
                                    .seed = (uint64_t)run->scenario.seed,
                                    .visit_options = visit_options,
                                    .options = &run->scenario};
    record_run_begin(run->file, &provenance);
    free(text);
}

static struct record_model_op op_row(const struct model_graph *graph, size_t op)
{
    const struct model_op *from = &graph->op[op];
    struct record_model_op row = {.phase = graph->prefill ? RECORD_PREFILL : RECORD_DECODE,
                                  .op = (int32_t)op,
                                  .layer = from->layer,
                                  .rows = from->rows,
                                  .k = from->k,
                                  .n = from->n,
                                  .kv_positions = from->kv_positions,
                                  .weight_elements = from->weight_elements,
                                  .expected_elements = from->expected_elements,
                                  .multiply_adds = from->multiply_adds};
    snprintf(row.name, sizeof row.name, "%s", model_op_name(from));
    return row;
}

static void write_graph(struct record_file *file, struct model_graph graph)
{
    size_t count = parallel_is_first() ? graph.count : 0;
    struct record_model_op *row = base_alloc(count, sizeof *row);
    for (size_t i = 0; i < count; i++)
        row[i] = op_row(&graph, i);
    record_append(file, record_layout(RECORD_MODEL_OPS), row, count);
    base_free(row);
    model_graph_release(&graph);
}

static void write_model(struct app_run *run)
{
    const struct bucket *bucket = &run->scenario.bucket;
    const struct model *model = &run->model;
    record_set_text(run->file, "/model", "name", model->name);
    record_set_text(run->file, "/model", "architecture", model->architecture);
    record_set_i64(run->file, "/model", "parameters", model_parameter_count(model));
    record_set_i64(run->file, "/model", "active_parameters", model_active_parameter_count(model));
    write_graph(run->file,
                model_graph_build(model, bucket->prefill_chunk, bucket->max_sequence, true, 0));
    write_graph(run->file, model_graph_build(model, bucket->batch, bucket->max_sequence, false,
                                             bucket->batch));
}

void app_progress(struct app_run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(run->progress, sizeof run->progress, format, args);
    va_end(args);
}

/* Whether the summary will have a file to go to; what is there already stays. */
static void try_json(struct app_run *run)
{
    const char *path = run->scenario.json_path;
    if (!path[0] || !strcmp(path, "-"))
        return;
    FILE *stream = fopen(path, "a");
    if (!stream || fclose(stream) != 0)
        base_report_add(&run->report, path, 0, "cannot be written: %s", strerror(errno));
}

/* What goes wrong with the file from here on is said once, where it is closed. */
enum base_status app_record_begin(struct app_run *run)
{
    app_progress(run, "nothing simulated yet");
    if (run->command->kind == APP_COMMAND_EXPLAIN)
        return BASE_OK;
    if (parallel_is_first())
        try_json(run);
    enum base_status status = parallel_agree_report(&run->report, BASE_IO);
    if (status != BASE_OK)
        return status;
    if (!run->scenario.output_path[0])
        return BASE_OK;
    run->file = record_open(run->scenario.output_path, &run->report);
    if (!run->file)
        return parallel_agree_report(&run->report, BASE_IO);
    begin_run(run);
    write_model(run);
    return record_flush(run->file, run->progress);
}

/* Closes the file once; the first rank says what was wrong with it. */
static enum base_status close_file(struct app_run *run, bool complete)
{
    struct record_file *file = run->file;
    run->file = NULL;
    record_run_end(file);
    enum base_status status = record_close(file, complete, run->progress);
    if (status != BASE_OK)
        parallel_agree_report(&run->report, status);
    return status;
}

enum base_status app_record_end(struct app_run *run)
{
    app_progress(run, "done");
    if (!run->file)
        return BASE_OK;
    app_summary_keep(run);
    return close_file(run, true);
}

void app_record_abandon(struct app_run *run)
{
    if (run->file)
        close_file(run, false);
}
