/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes a model.safetensors of random F32 weights. */
#include "little_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/weight_names.h"
#include "test.h"

enum { SEED = 7 };

struct writer {
    FILE *data;
    char *header;
    long end;
    uint64_t entity;
};

static void put_entry(struct writer *w, const char *name, struct model_weight_shape s, bool vector)
{
    long bytes = (long)(s.rows * s.columns) * (long)sizeof(float);
    char *shape = vector ? base_format("%lld", (long long)s.columns)
                         : base_format("%lld, %lld", (long long)s.rows, (long long)s.columns);
    char *header = base_format(
        "%s%s\"%s\": {\"dtype\": \"F32\", \"shape\": [%s], \"data_offsets\": [%ld, %ld]}",
        w->header, *w->header ? ", " : "", name, shape, w->end, w->end + bytes);
    base_free(w->header);
    base_free(shape);
    w->header = header;
    w->end += bytes;
}

static void put_numbers(struct writer *w, int64_t count, double mean, double scale)
{
    for (int64_t n = 0; n < count; n++) {
        double random = base_random_normal(SEED, BASE_RANDOM_TOKEN, w->entity, (uint64_t)n);
        float value = (float)(mean + scale * random);
        CU_ASSERT_EQUAL_FATAL(fwrite(&value, sizeof value, 1, w->data), 1);
    }
    w->entity++;
}

/* The matrices of a qwen3_moe's experts are apart. */
static void put_experts(struct writer *w, const struct model *model, enum model_weight what,
                        int32_t layer)
{
    static const char *const part[] = {"gate", "up", "down"};
    struct model_weight_shape s = model_weight_shape(model, what);
    s.rows /= model->experts;
    for (int32_t e = 0; e < model->experts; e++) {
        char *name = base_format("model.layers.%d.mlp.experts.%d.%s_proj.weight", layer, e,
                                 part[what - MODEL_WEIGHT_EXPERT_GATE]);
        put_entry(w, name, s, false);
        base_free(name);
        put_numbers(w, s.rows * s.columns, 0.0, 2.0 / sqrt((double)s.columns));
    }
}

static bool is_norm(enum model_weight what)
{
    return what == MODEL_WEIGHT_ATTENTION_NORM || what == MODEL_WEIGHT_MLP_NORM ||
           what == MODEL_WEIGHT_FINAL_NORM || what == MODEL_WEIGHT_Q_NORM ||
           what == MODEL_WEIGHT_K_NORM;
}

/* Gains of a norm are about 1, rows of a matrix about as long as 1. */
static void put_weight(struct writer *w, const struct model *model, enum model_weight what,
                       int32_t layer)
{
    struct model_weight_shape s = model_weight_shape(model, what);
    bool norm = is_norm(what);
    bool vector = norm || (what >= MODEL_WEIGHT_Q_BIAS && what <= MODEL_WEIGHT_V_BIAS);
    double scale = vector ? 0.3 : 2.0 / sqrt((double)s.columns);
    if (!s.rows)
        return;
    if (what >= MODEL_WEIGHT_EXPERT_GATE && what <= MODEL_WEIGHT_EXPERT_DOWN) {
        put_experts(w, model, what, layer);
        return;
    }
    char *name = weight_names[what].is_layered
                     ? base_format("model.layers.%d.%s", layer, weight_names[what].name)
                     : base_strdup(weight_names[what].name);
    put_entry(w, name, s, vector);
    base_free(name);
    put_numbers(w, s.rows * s.columns, norm ? 1.0 : 0.0, scale);
}

static void put_all(struct writer *w, const struct model *model)
{
    for (enum model_weight what = 0; what < MODEL_WEIGHTS; what++)
        for (int32_t layer = 0; layer < (weight_names[what].is_layered ? model->layers : 1);
             layer++)
            if (what != MODEL_WEIGHT_HEAD || !model->tied_embeddings)
                put_weight(w, model, what, layer);
}

/* Length of the header, header, data. */
static void assemble(struct writer *w, const char *path)
{
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size_t length = (strlen(w->header) + 2 + 7) / 8 * 8;
    char *text = base_format("{%s}%*s", w->header, (int)(length - strlen(w->header) - 2), "");
    uint64_t size = length;
    fwrite(&size, sizeof size, 1, file);
    fwrite(text, 1, length, file);
    rewind(w->data);
    for (int c = getc(w->data); c != EOF; c = getc(w->data))
        putc(c, file);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
    base_free(text);
}

char *little_model_write(const struct model *model)
{
    const char *build = getenv("LPUSIM_BUILD_DIR");
    char *folder = base_format("%s/little_model.XXXXXX", build ? build : ".");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    struct writer w = {.data = tmpfile(), .header = base_strdup("")};
    CU_ASSERT_PTR_NOT_NULL_FATAL(w.data);
    put_all(&w, model);
    char *path = base_format("%s/model.safetensors", folder);
    assemble(&w, path);
    base_free(path);
    base_free(w.header);
    fclose(w.data);
    return folder;
}

void little_model_remove(char *folder)
{
    char *path = base_format("%s/model.safetensors", folder);
    CU_ASSERT_EQUAL(remove(path), 0);
    CU_ASSERT_EQUAL(rmdir(folder), 0);
    base_free(path);
    base_free(folder);
}
