/* SPDX-License-Identifier: BSD-3-Clause */
/* Draws weights and puts them into a safetensors file that is gone once it is mapped. */
#include "small_model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "sample.h"
#include "weight_names.h"

enum { SEED = 1 };

static int64_t elements_of(const struct small_model *small, enum model_weight what)
{
    struct model_weight_shape shape = model_weight_shape(&small->model, what);
    return shape.rows * shape.columns;
}

/* Normal; rows of a matrix have a length of about 1. */
static float *drawn(const struct small_model *small, enum model_weight what, int64_t layer)
{
    struct model_weight_shape shape = model_weight_shape(&small->model, what);
    double gain = shape.rows > 1 ? 1 / sqrt((double)shape.columns) : 1;
    float *weight = base_alloc((size_t)(shape.rows * shape.columns), sizeof *weight);
    for (int64_t i = 0; i < shape.rows * shape.columns; i++)
        weight[i] = (float)(gain * base_random_normal(SEED, BASE_RANDOM_TOKEN,
                                                      (uint64_t)(layer * MODEL_WEIGHTS + what),
                                                      (uint64_t)i));
    return weight;
}

struct small_model small_model_create(const char *family, const char *extra)
{
    struct small_model small = {0};
    if (!sample_read(family, extra, &small.model, NULL) ||
        small.model.layers > SMALL_MODEL_MOST_LAYERS)
        abort();
    for (int64_t layer = 0; layer < small.model.layers; layer++)
        for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++)
            if (elements_of(&small, what) > 0 && (layer == 0 || weight_names[what].is_layered))
                small.weight[layer][what] = drawn(&small, what, layer);
    return small;
}

void small_model_release(struct small_model *small)
{
    for (int layer = 0; layer < SMALL_MODEL_MOST_LAYERS; layer++)
        for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++)
            base_free(small->weight[layer][what]);
}

void small_model_zero(struct small_model *small, enum model_weight what, int64_t layer)
{
    if (small->weight[layer][what])
        memset(small->weight[layer][what], 0, (size_t)elements_of(small, what) * sizeof(float));
}

/* The header's entry of a weight whose data begin at `begin`; free with base_free. */
static char *entry_of(const struct small_model *small, enum model_weight what, int64_t layer,
                      int64_t begin)
{
    struct model_weight_shape shape = model_weight_shape(&small->model, what);
    int64_t end = begin + shape.rows * shape.columns * (int64_t)sizeof(float);
    char *prefix = weight_names[what].is_layered ? base_format("model.layers.%" PRId64 ".", layer)
                                                 : base_strdup("");
    char *rows = shape.rows > 1 ? base_format("%" PRId64 ", ", shape.rows) : base_strdup("");
    char *entry = base_format("\"%s%s\": {\"dtype\": \"F32\", \"shape\": [%s%" PRId64
                              "], \"data_offsets\": [%" PRId64 ", %" PRId64 "]}",
                              prefix, weight_names[what].name, rows, shape.columns, begin, end);
    base_free(prefix);
    base_free(rows);
    return entry;
}

/* The JSON header of all weights, in the order of write_file; free with base_free. */
static char *header_of(const struct small_model *small)
{
    char *header = base_strdup("{");
    int64_t begin = 0;
    for (int layer = 0; layer < SMALL_MODEL_MOST_LAYERS; layer++)
        for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++) {
            if (!small->weight[layer][what])
                continue;
            char *entry = entry_of(small, what, layer, begin);
            char *longer = base_format("%s%s%s", header, begin ? ", " : "", entry);
            base_free(entry);
            base_free(header);
            header = longer;
            begin += elements_of(small, what) * (int64_t)sizeof(float);
        }
    char *whole = base_format("%s}", header);
    base_free(header);
    return whole;
}

static void write_file(const struct small_model *small, const char *file)
{
    char *header = header_of(small);
    uint64_t bytes = strlen(header);
    FILE *stream = fopen(file, "wb");
    if (!stream)
        abort();
    fwrite(&bytes, sizeof bytes, 1, stream);
    fwrite(header, 1, bytes, stream);
    for (int layer = 0; layer < SMALL_MODEL_MOST_LAYERS; layer++)
        for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++)
            if (small->weight[layer][what])
                fwrite(small->weight[layer][what], sizeof(float), (size_t)elements_of(small, what),
                       stream);
    if (ferror(stream) || fclose(stream) != 0)
        abort();
    base_free(header);
}

struct model_weights *small_model_open(const struct small_model *small)
{
    char folder[] = "/tmp/lpusim-small-XXXXXX";
    if (!mkdtemp(folder))
        abort();
    char *file = base_format("%s/model.safetensors", folder);
    struct base_report report = {0};
    write_file(small, file);
    struct model_weights *weights = model_weights_open(folder, &small->model, &report);
    base_report_print(&report, stderr);
    base_report_release(&report);
    unlink(file);
    rmdir(folder);
    base_free(file);
    if (!weights)
        abort();
    return weights;
}
