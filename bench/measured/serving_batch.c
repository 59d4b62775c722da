/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of batches that begin together: time of the prompts, and of each token behind; times in
 * milliseconds. */
#include <stdio.h>
#include <string.h>

#include "serving_point.h"

/* "a100-80gb" is described by a100_sxm, unless the file's name says what it is. */
static const char *gpu(const struct row *row)
{
    static const struct {
        const char *hardware, *gpu;
    } names[] = {{"a100-80gb", "a100_sxm"}, {"h100-80gb", "h100_sxm"}, {"h200", "h200_sxm"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strstr(row->table->path, "__") &&
            strncmp(row_text(row, "hardware"), names[i].hardware, strlen(names[i].hardware)) == 0)
            return names[i].gpu;
    return row->table->gpu;
}

const char *serving_batch_row_point(const struct row *row, struct serving_point *point)
{
    *point = (struct serving_point){
        .engine = engine_kind_of("splitwise", ""),
        .model = row_text(row, "model"),
        .number = "",
        .tensor = (int32_t)row_whole(row, "tensor_parallel", 1),
        .clients = row_whole(row, "batch_size", 1),
        .prompt = row_whole(row, "prompt_size", 1),
        .output = row_whole(row, "token_size", 1),
        .rounds = 1,
        .shortest = 1,
        .budget = row_whole(row, "batch_size", 1) * row_whole(row, "prompt_size", 1),
        .slots = row_whole(row, "batch_size", 1),
    };
    return NULL;
}

static const char *predict(const struct row *row, struct points *points)
{
    struct serving_point point;
    struct serve_clients_times times;
    const char *why = serving_batch_row_point(row, &point);
    why = why ? why : serving_point_predict(row, &point, &times);
    if (why)
        return why;
    char group[96];
    snprintf(group, sizeof group, "tpot, %s, tp%d", point.model, (int)point.tensor);
    points_add(points, group, row_real(row, "token_time", 0) / 1e3, times.tpot_ps / 1e12);
    memcpy(group, "ttft", 4);
    points_add(points, group, row_real(row, "prompt_time", 0) / 1e3,
               (double)times.last_first_ps / 1e12);
    return NULL;
}

const struct kind kind_serving_batch = {
    .name = "serving batch",
    .needs = (const char *const[]){"model", "hardware", "prompt_size", "batch_size", "token_size",
                                   "prompt_time", "token_time", "tensor_parallel", NULL},
    .without = (const char *const[]){NULL},
    .measured = (const char *const[]){"prompt_time", "token_time", "e2e_time", "peak_power",
                                      "average_power", NULL},
    .gpu = gpu,
    .predict = predict,
};
