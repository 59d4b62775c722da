/* SPDX-License-Identifier: BSD-3-Clause */
/* What is loaded into a group of chips is the model: every weight as often as it belongs there. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "loaded.h"

enum { NO_LAYER = -1 };

/* Numbers in no order. */
struct bag {
    float *value;
    size_t count, capacity;
};

/* Tensors of one name, and the weights that they hold together. */
struct part {
    const char *prefix;
    int32_t weights;
    enum model_weight weight[3];
};

static const struct part parts[] = {{"qkv.w", 3, {MODEL_WEIGHT_Q, MODEL_WEIGHT_K, MODEL_WEIGHT_V}},
                                    {"o.w", 1, {MODEL_WEIGHT_O}},
                                    {"gateup.w", 2, {MODEL_WEIGHT_GATE, MODEL_WEIGHT_UP}},
                                    {"down.w", 1, {MODEL_WEIGHT_DOWN}},
                                    {"head.w", 1, {MODEL_WEIGHT_HEAD}},
                                    {"embedding.q", 1, {MODEL_WEIGHT_EMBEDDING}},
                                    {"attn.norm.g", 1, {MODEL_WEIGHT_ATTENTION_NORM}},
                                    {"mlp.norm.g", 1, {MODEL_WEIGHT_MLP_NORM}},
                                    {"head.norm.g", 1, {MODEL_WEIGHT_FINAL_NORM}}};

/* Whether a tensor of weights has columns that exist: only those have a scale. */
static bool has_columns(const struct loaded *l, int32_t tensor)
{
    int32_t scales = loaded_scales(l->program, tensor);
    for (int32_t k = 0; k < l->program->tensor[scales].count * loaded_lanes(); k++)
        if (l->lanes[scales][k] != 0)
            return true;
    return false;
}

/* Persistent, and not there for its zeros alone. */
static bool must_be_filled(const struct program_tensor *t)
{
    bool kind = t->kind == PROGRAM_TENSOR_WEIGHT || t->kind == PROGRAM_TENSOR_CONSTANT ||
                t->kind == PROGRAM_TENSOR_EMBEDDING;
    return kind && t->slice >= 0 && t->valid > 0 && !loaded_begins_with(t->name, "zeros") &&
           !loaded_begins_with(t->name, "dump");
}

static void check_filled(const struct loaded_group *g)
{
    for (int32_t rank = 0; rank < 2 * g->chips; rank++) {
        const struct loaded *l = rank % 2 ? &g->bytes[rank / 2] : &g->exact[rank / 2];
        for (size_t n = 0; n < l->program->tensors; n++) {
            const struct program_tensor *t = &l->program->tensor[n];
            int64_t sum = 0;
            int most = 0;
            for (size_t k = 0; t->slice >= 0 && k < loaded_place(t, t->subs, 0); k++) {
                sum += l->times[n][k];
                most = l->times[n][k] > most ? l->times[n][k] : most;
            }
            CU_ASSERT_TRUE(most <= 1);
            CU_ASSERT_EQUAL(sum > 0, must_be_filled(t) && (t->kind != PROGRAM_TENSOR_WEIGHT ||
                                                           has_columns(l, (int32_t)n)));
            if (t->kind == PROGRAM_TENSOR_CONSTANT && must_be_filled(t))
                CU_ASSERT_EQUAL(sum, (int64_t)t->valid * t->subs / program_dtype_planes(t->dtype));
        }
    }
}

static void every_persistent_tensor_is_filled_once_and_inside_its_count(void)
{
    loaded_for_all_groups(check_filled);
}

static void add(struct bag *bag, float value)
{
    if (value == 0)
        return; /* as padding is */
    bag->value = base_grow(bag->value, &bag->capacity, bag->count + 1, sizeof *bag->value);
    bag->value[bag->count++] = value;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* Whether both hold the same numbers equally often; empties them. */
static bool are_equal(struct bag *a, struct bag *b)
{
    bool equal = a->count == b->count && a->count > 0;
    if (equal) {
        qsort(a->value, a->count, sizeof *a->value, compare);
        qsort(b->value, b->count, sizeof *b->value, compare);
        equal = memcmp(a->value, b->value, a->count * sizeof *a->value) == 0;
    }
    a->count = b->count = 0;
    return equal;
}

static void add_loaded(struct bag *bag, const struct loaded *l, const char *prefix, int32_t layer)
{
    for (size_t n = 0; n < l->program->tensors; n++) {
        const struct program_tensor *t = &l->program->tensor[n];
        if (!loaded_begins_with(t->name, prefix) || (layer != NO_LAYER && t->layer != layer))
            continue;
        size_t count = loaded_place(t, t->subs, 0) * (size_t)loaded_lanes();
        for (size_t k = 0; k < count; k++)
            add(bag, l->lanes[n][k]);
    }
}

/* How many chips of the group hold a weight. */
static int32_t copies_of(const struct loaded_group *g, enum model_weight what)
{
    int32_t kv_heads = (int32_t)g->rack.model.kv_heads;
    if (what == MODEL_WEIGHT_K || what == MODEL_WEIGHT_V)
        return g->chips > kv_heads ? g->chips / kv_heads : 1;
    bool norm = what == MODEL_WEIGHT_ATTENTION_NORM || what == MODEL_WEIGHT_MLP_NORM ||
                what == MODEL_WEIGHT_FINAL_NORM;
    return norm ? g->chips : 1;
}

static void add_weight(struct bag *bag, const struct loaded_group *g, enum model_weight what,
                       int32_t layer)
{
    const struct model *m = &g->rack.model;
    struct model_weight_shape s = model_weight_shape(m, what);
    float *row = base_alloc((size_t)s.columns, sizeof *row);
    double factor = what == MODEL_WEIGHT_Q ? 1 / sqrt((double)m->head_dim) : 1;
    for (int64_t r = 0; r < s.rows; r++) {
        model_weights_row(g->weights, what, layer == NO_LAYER ? 0 : layer, r, row);
        for (int64_t k = 0; k < s.columns * copies_of(g, what); k++)
            add(bag, (float)((double)row[k % s.columns] * factor));
    }
    base_free(row);
}

static void check_part(const struct loaded_group *g, const struct part *part)
{
    bool layered =
        part->weight[0] >= MODEL_WEIGHT_ATTENTION_NORM && part->weight[0] <= MODEL_WEIGHT_DOWN;
    struct bag have = {0}, want = {0};
    for (int32_t n = 0; n < (layered ? g->rack.model.layers : 1); n++) {
        int32_t layer = layered ? n : NO_LAYER;
        for (int32_t rank = 0; rank < g->chips; rank++)
            add_loaded(&have, &g->exact[rank], part->prefix, layer);
        for (int32_t k = 0; k < part->weights; k++)
            add_weight(&want, g, part->weight[k], layer);
        CU_ASSERT_TRUE(are_equal(&have, &want));
    }
    base_free(have.value);
    base_free(want.value);
}

static void check_weights(const struct loaded_group *g)
{
    for (size_t n = 0; n < sizeof parts / sizeof parts[0]; n++)
        check_part(g, &parts[n]);
}

static void every_weight_is_there_as_often_as_it_belongs(void)
{
    loaded_for_all_groups(check_weights);
}

static void a_tensor_that_nobody_knows_is_reported_by_name(void)
{
    static struct loaded_group g;
    loaded_open(&g, 1);
    struct program *p = &g.rack.program[0][PARTITION_DECODE];
    struct image_input input = {.chip = &g.rack.machine,
                                .model = &g.rack.model,
                                .bucket = &g.rack.bucket,
                                .weights = g.weights,
                                .group = 1};
    for (size_t n = 0; n < p->tensors; n++)
        if (loaded_begins_with(p->tensor[n].name, "mask."))
            memcpy(p->tensor[n].name, "task", 4);
    CU_ASSERT_FALSE(image_write(&input, p, loaded_put, &g.exact[0], &g.rack.report));
    CU_ASSERT_TRUE_FATAL(g.rack.report.count > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(g.rack.report.message[0], "task."));
    loaded_close(&g);
}

TEST_MAIN("image", TEST(every_persistent_tensor_is_filled_once_and_inside_its_count),
          TEST(every_weight_is_there_as_often_as_it_belongs),
          TEST(a_tensor_that_nobody_knows_is_reported_by_name))
