/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of serving points: a closed loop of `concurrency` clients; times in milliseconds. */
#include <stdio.h>
#include <string.h>

#include "serving_point.h"

/* Two benchmarks fill such tables. One is of a configurator (ai-dynamo/aiconfigurator), which sends
 * requests that are all alike and sets the budget of a step to the batch, the prompt and so much
 * (generator/backends/trtllm.py); the other states attention_dp_size, leaves the engine's budget
 * and draws lengths evenly from 80 % of the nominal ones up to these. */
enum { BEYOND_PROMPT = 1500 };
static const double SHORTEST = 0.8;

/* Requests of a client, one after the other (the configurator's eval/benchmarks: request-count). */
enum { ROUNDS = 10 };

static const char *gpu(const struct row *row)
{
    const char *system = row_text(row, "system");
    return strstr(row->table->path, "__") || !*system ? row->table->gpu : system;
}

static bool is_drawn(const struct row *row)
{
    return *row_text(row, "attention_dp_size") != '\0';
}

/* What the benchmark sends, and how it sets the engine. */
static struct serving_point read_point(const struct row *row)
{
    struct serving_point point = {
        .engine = engine_kind_of(row_text(row, "backend"), row_text(row, "backend_version")),
        .model = row_text(row, "model_path"),
        .number = row_text(row, "gemm_quant_mode"),
        .tensor = (int32_t)row_whole(row, "tp_size", 1),
        .clients = row_whole(row, "concurrency", 0),
        .prompt = row_whole(row, "isl", 1),
        .output = row_whole(row, "osl", 1),
        .rounds = ROUNDS,
        .shortest = is_drawn(row) ? SHORTEST : 1,
    };
    if (point.engine && !is_drawn(row) && !point.engine->prompts_first)
        point.budget = point.clients + point.prompt + BEYOND_PROMPT;
    if (point.engine)
        point.slots = engine_kind_slots(point.engine, point.number, point.clients);
    return point;
}

const char *serving_row_point(const struct row *row, struct serving_point *point)
{
    *point = read_point(row);
    if (!point->engine)
        return "no model of the engine";
    if (point->clients < 1)
        return "no concurrency is stated";
    if (row_whole(row, "pp_size", 1) > 1 || row_whole(row, "attention_dp_size", 1) > 1)
        return "requests split over stages or groups";
    return NULL;
}

static const char *predict(const struct row *row, struct points *points)
{
    struct serving_point point;
    struct serve_clients_times times;
    const char *why = serving_row_point(row, &point);
    why = why ? why : serving_point_predict(row, &point, &times);
    if (why)
        return why;
    char group[160];
    const char *slash = strrchr(point.model, '/'), *model = slash ? slash + 1 : point.model;
    snprintf(group, sizeof group, "tpot, %s, %s%s%s, tp%d", point.engine->name, model,
             *point.number ? " " : "", point.number, (int)point.tensor);
    points_add(points, group, row_real(row, "silicon_tpot_ms", 0) / 1e3, times.tpot_ps / 1e12);
    memcpy(group, "ttft", 4);
    points_add(points, group, row_real(row, "silicon_ttft_ms", 0) / 1e3, times.ttft_ps / 1e12);
    return NULL;
}

/* Of the engine with several models in the table, one model alone is for the fit: the others test
 * whether its parameters hold elsewhere. */
static bool is_for_fit(const struct row *row)
{
    bool is_other = strcmp(row_text(row, "backend"), "trtllm") == 0 &&
                    strstr(row_text(row, "model_path"), "Llama-3.1-8B") == NULL;
    return !is_other && row_is_in_half(&kind_serving, row);
}

const struct kind kind_serving = {
    .name = "serving",
    .needs = (const char *const[]){"backend", "model_path", "isl", "osl", "concurrency", "tp_size",
                                   "silicon_ttft_ms", "silicon_tpot_ms", NULL},
    .without = (const char *const[]){NULL},
    .measured = (const char *const[]){"silicon_ttft_ms", "silicon_tpot_ms", NULL},
    .gpu = gpu,
    .is_for_fit = is_for_fit,
    .predict = predict,
};
