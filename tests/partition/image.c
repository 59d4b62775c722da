/* SPDX-License-Identifier: BSD-3-Clause */
/* What is loaded into a group of chips is the model: every weight as often as it belongs there. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "partition/shape.h"
#include "rack.h"

enum { MOST_GROUP = 8, PER = 16, NO_LAYER = -1 };

/* Everything that was put into one chip, tensor by tensor: lanes[subs][count][lanes]. */
struct loaded {
    const struct program *program;
    float **lanes;
    uint8_t **times;
    int64_t outside; /* puts beyond a tensor */
};

/* All chips of a group: as they are, and with int8 weights. */
struct group {
    struct rack rack;
    struct model_weights *weights;
    struct shape shape;
    int32_t chips;
    struct loaded exact[MOST_GROUP], bytes[MOST_GROUP];
};

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

static const struct part matrices[] = {
    {"qkv.w", 3, {MODEL_WEIGHT_Q, MODEL_WEIGHT_K, MODEL_WEIGHT_V}},
    {"o.w", 1, {MODEL_WEIGHT_O}},
    {"gateup.w", 2, {MODEL_WEIGHT_GATE, MODEL_WEIGHT_UP}},
    {"down.w", 1, {MODEL_WEIGHT_DOWN}},
    {"head.w", 1, {MODEL_WEIGHT_HEAD}}};
static const struct part others[] = {{"embedding.q", 1, {MODEL_WEIGHT_EMBEDDING}},
                                     {"attn.norm.g", 1, {MODEL_WEIGHT_ATTENTION_NORM}},
                                     {"mlp.norm.g", 1, {MODEL_WEIGHT_MLP_NORM}},
                                     {"head.norm.g", 1, {MODEL_WEIGHT_FINAL_NORM}}};
enum { MATRICES = sizeof matrices / sizeof matrices[0], OTHERS = sizeof others / sizeof others[0] };

static int32_t lanes_per_vector(void)
{
    return rack_chip()->lanes;
}

static size_t place_of(const struct program_tensor *t, int32_t sub, int32_t index)
{
    return (size_t)sub * (size_t)t->count + (size_t)index;
}

/* Lanes of a vector in what was loaded. */
static float *at(const struct loaded *l, int32_t tensor, int32_t sub, int32_t index)
{
    return l->lanes[tensor] +
           place_of(&l->program->tensor[tensor], sub, index) * (size_t)lanes_per_vector();
}

static void put(void *context, int32_t tensor, int32_t sub, int32_t index, const float *lanes)
{
    struct loaded *l = context;
    const struct program_tensor *t = &l->program->tensor[tensor];
    bool inside = tensor >= 0 && t->slice >= 0 && index >= 0 && index < t->valid && sub >= 0 &&
                  sub + program_dtype_planes(t->dtype) <= t->subs;
    l->outside += !inside;
    if (!inside)
        return;
    l->times[tensor][place_of(t, sub, index)]++;
    memcpy(at(l, tensor, sub, index), lanes, (size_t)lanes_per_vector() * sizeof *lanes);
}

static void load(struct group *g, struct loaded *l, int32_t rank, bool int8)
{
    const struct program *p = &g->rack.program[rank][PARTITION_DECODE];
    struct image_input input = {.chip = &g->rack.machine,
                                .model = &g->rack.model,
                                .bucket = &g->rack.bucket,
                                .weights = g->weights,
                                .group = g->chips,
                                .rank = rank,
                                .int8 = int8};
    *l = (struct loaded){.program = p,
                         .lanes = base_alloc(p->tensors, sizeof *l->lanes),
                         .times = base_alloc(p->tensors, sizeof *l->times)};
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        size_t vectors = t->slice < 0 ? 0 : (size_t)t->subs * (size_t)t->count;
        l->lanes[n] = base_alloc(vectors * (size_t)lanes_per_vector(), sizeof(float));
        l->times[n] = base_alloc(vectors, 1);
    }
    CU_ASSERT_TRUE(image_write(&input, p, put, l, &g->rack.report));
    CU_ASSERT_EQUAL(g->rack.report.count, 0);
    CU_ASSERT_EQUAL(l->outside, 0);
}

static void unload(struct loaded *l)
{
    for (size_t n = 0; n < l->program->tensors; n++) {
        base_free(l->lanes[n]);
        base_free(l->times[n]);
    }
    base_free(l->lanes);
    base_free(l->times);
}

static void open_group(struct group *g, int32_t chips)
{
    struct model model = rack_shipped_model("sums");
    char *folder = test_source_path("configs/models/sums"), why[160];
    g->chips = chips;
    rack_compile(&g->rack, &(struct rack_case){.model = &model,
                                               .stages = 1,
                                               .group = chips,
                                               .chips_per_node = MOST_GROUP,
                                               .max_sequence = 64});
    CU_ASSERT_PTR_NOT_NULL_FATAL(g->rack.plan);
    g->weights = model_weights_open(folder, &g->rack.model, &g->rack.report);
    CU_ASSERT_PTR_NOT_NULL_FATAL(g->weights);
    CU_ASSERT_TRUE_FATAL(shape_derive(&g->shape, &g->rack.machine, &g->rack.model, &g->rack.bucket,
                                      chips, 1, g->rack.bucket.max_sequence, why));
    for (int32_t rank = 0; rank < chips; rank++) {
        load(g, &g->exact[rank], rank, false);
        load(g, &g->bytes[rank], rank, true);
    }
    free(folder);
}

static void close_group(struct group *g)
{
    for (int32_t rank = 0; rank < g->chips; rank++) {
        unload(&g->exact[rank]);
        unload(&g->bytes[rank]);
    }
    model_weights_close(g->weights);
    rack_release(&g->rack);
}

static void for_all_groups(void (*check)(const struct group *g))
{
    static struct group g;
    for (int32_t chips = 1; chips <= MOST_GROUP; chips *= 2) {
        open_group(&g, chips);
        check(&g);
        close_group(&g);
    }
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The tensor with the scales of a tensor of weights. */
static int32_t scales_of(const struct program *p, int32_t tensor)
{
    char name[24];
    memcpy(name, p->tensor[tensor].name, sizeof name);
    name[strlen(name) - 2] = 's';
    for (size_t n = 0; n < p->tensors; n++)
        if (p->tensor[n].layer == p->tensor[tensor].layer && strcmp(p->tensor[n].name, name) == 0)
            return (int32_t)n;
    CU_FAIL_FATAL("weights without scales");
    return -1;
}

/* Whether a tensor of weights has columns that exist: only those have a scale. */
static bool has_columns(const struct loaded *l, int32_t tensor)
{
    int32_t scales = scales_of(l->program, tensor);
    for (int32_t k = 0; k < l->program->tensor[scales].count * lanes_per_vector(); k++)
        if (l->lanes[scales][k] != 0)
            return true;
    return false;
}

/* Persistent, and not there for its zeros alone. */
static bool must_be_filled(const struct program_tensor *t)
{
    bool kind = t->kind == PROGRAM_TENSOR_WEIGHT || t->kind == PROGRAM_TENSOR_CONSTANT ||
                t->kind == PROGRAM_TENSOR_EMBEDDING;
    return kind && t->slice >= 0 && t->valid > 0 && !begins_with(t->name, "zeros") &&
           !begins_with(t->name, "dump");
}

static void check_filled(const struct group *g)
{
    for (int32_t rank = 0; rank < 2 * g->chips; rank++) {
        const struct loaded *l = rank % 2 ? &g->bytes[rank / 2] : &g->exact[rank / 2];
        for (size_t n = 0; n < l->program->tensors; n++) {
            const struct program_tensor *t = &l->program->tensor[n];
            int64_t sum = 0;
            int most = 0;
            for (size_t k = 0; t->slice >= 0 && k < place_of(t, t->subs, 0); k++) {
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
    for_all_groups(check_filled);
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
        if (!begins_with(t->name, prefix) || (layer != NO_LAYER && t->layer != layer))
            continue;
        size_t count = place_of(t, t->subs, 0) * (size_t)lanes_per_vector();
        for (size_t k = 0; k < count; k++)
            add(bag, l->lanes[n][k]);
    }
}

/* How many chips of the group hold a weight. */
static int32_t copies_of(const struct group *g, enum model_weight what)
{
    int32_t kv_heads = (int32_t)g->rack.model.kv_heads;
    if (what == MODEL_WEIGHT_K || what == MODEL_WEIGHT_V)
        return g->chips > kv_heads ? g->chips / kv_heads : 1;
    bool norm = what == MODEL_WEIGHT_ATTENTION_NORM || what == MODEL_WEIGHT_MLP_NORM ||
                what == MODEL_WEIGHT_FINAL_NORM;
    return norm ? g->chips : 1;
}

static void add_weight(struct bag *bag, const struct group *g, enum model_weight what,
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

static void check_part(const struct group *g, const struct part *part)
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

static void check_weights(const struct group *g)
{
    for (int n = 0; n < MATRICES; n++)
        check_part(g, &matrices[n]);
    for (int n = 0; n < OTHERS; n++)
        check_part(g, &others[n]);
}

static void every_weight_is_there_as_often_as_it_belongs(void)
{
    for_all_groups(check_weights);
}

static bool is_least_step(float step, float most)
{
    float below = base_half_to_float((uint16_t)(base_half_from_float(step) - 1));
    return base_half_to_float(base_half_from_float(step)) == step &&
           (double)most <= 127.0 * (double)step && (double)most > 127.0 * (double)below;
}

/* The vectors of output column c, place u of a tensor: `contraction` of them, `load` apart. */
struct column {
    int32_t tensor, contraction, load, u, c;
};

/* Whether whole numbers and their scale are within half a step of the weights, with the least
 * step, and whether the scale is 1 where weights are left as they are. */
static bool is_rounded(const struct loaded *exact, const struct loaded *bytes, struct column at_)
{
    int32_t scales = scales_of(exact->program, at_.tensor);
    float step = at(bytes, scales, 0, at_.u)[at_.c], one = at(exact, scales, 0, at_.u)[at_.c];
    float most = 0;
    bool near = true;
    for (int32_t k = 0; k < at_.contraction; k++) {
        int32_t index = (at_.u * at_.contraction + k) * at_.load + at_.c / PER;
        const float *w = at(exact, at_.tensor, at_.c % PER, index);
        const float *q = at(bytes, at_.tensor, at_.c % PER, index);
        for (int32_t l = 0; l < lanes_per_vector(); l++) {
            most = fmaxf(most, fabsf(w[l]));
            near = near && q[l] == rintf(q[l]) && fabsf(q[l]) <= 127 &&
                   fabs((double)q[l] * (double)step - (double)w[l]) <= 0.5001 * (double)step;
        }
    }
    return near && (most > 0 ? one == 1 && is_least_step(step, most) : one == 0 && step == 0);
}

static struct linear_shape shape_of(const struct shape *s, int n)
{
    const struct linear_shape shape[MATRICES] = {s->qkv, s->output, s->gate, s->down, s->head};
    return shape[n];
}

static int64_t wrong_columns(const struct group *g, int32_t rank, int n)
{
    const struct program *p = g->exact[rank].program;
    struct linear_shape s = shape_of(&g->shape, n);
    int64_t wrong = 0;
    for (size_t tensor = 0; tensor < p->tensors; tensor++) {
        const struct program_tensor *t = &p->tensor[tensor];
        int32_t load = s.columns / PER;
        if (!begins_with(t->name, matrices[n].prefix))
            continue;
        for (int32_t k = 0; k < t->count / (load * s.k_tiles) * s.columns; k++)
            wrong += !is_rounded(
                &g->exact[rank], &g->bytes[rank],
                (struct column){(int32_t)tensor, s.k_tiles, load, k / s.columns, k % s.columns});
    }
    return wrong;
}

static void check_scales(const struct group *g)
{
    for (int32_t rank = 0; rank < g->chips; rank++)
        for (int n = 0; n < MATRICES; n++)
            CU_ASSERT_EQUAL(wrong_columns(g, rank, n), 0);
}

static void int8_weights_have_the_least_scale_and_are_rounded_to_nearest(void)
{
    for_all_groups(check_scales);
}

/* Greatest magnitude of each hidden element over all tokens; free with base_free. */
static float *embedding_extent(const struct group *g)
{
    size_t hidden = (size_t)g->rack.model.hidden;
    float *row = base_alloc(hidden, sizeof *row), *most = base_alloc(hidden, sizeof *most);
    for (int64_t token = 0; token < g->rack.model.vocabulary; token++) {
        model_weights_row(g->weights, MODEL_WEIGHT_EMBEDDING, 0, token, row);
        for (size_t n = 0; n < hidden; n++)
            most[n] = fmaxf(most[n], fabsf(row[n]));
    }
    base_free(row);
    return most;
}

/* The model is so narrow that lane n of the first quad is hidden element n. */
static int wrong_elements(const struct group *g, int32_t rank, const float *most)
{
    const struct loaded *exact = &g->exact[rank], *bytes = &g->bytes[rank];
    int wrong = 0;
    for (int32_t n = 0; n < (int32_t)exact->program->tensors; n++) {
        const struct program_tensor *t = &exact->program->tensor[n];
        if (strcmp(t->name, "embedding.q0") != 0)
            continue;
        const float *step = at(bytes, scales_of(exact->program, n), 0, 0);
        for (int32_t l = 0; l < g->rack.model.hidden; l++) {
            wrong += !is_least_step(step[l], most[l]);
            for (int32_t k = 0; k < t->subs * t->count; k++) {
                float q = at(bytes, n, k / t->count, k % t->count)[l];
                float w = at(exact, n, k / t->count, k % t->count)[l];
                wrong += q != rintf(q) ||
                         fabs((double)q * (double)step[l] - (double)w) > 0.5001 * (double)step[l];
            }
        }
    }
    return wrong;
}

/* Scales are the same on all chips. */
static void check_embedding(const struct group *g)
{
    float *most = embedding_extent(g);
    for (int32_t rank = 0; rank < g->chips; rank++)
        CU_ASSERT_EQUAL(wrong_elements(g, rank, most), 0);
    base_free(most);
}

static void embedding_scales_are_the_least_for_the_whole_vocabulary(void)
{
    for_all_groups(check_embedding);
}

static void a_tensor_that_nobody_knows_is_reported_by_name(void)
{
    static struct group g;
    open_group(&g, 1);
    struct program *p = &g.rack.program[0][PARTITION_DECODE];
    struct image_input input = {.chip = &g.rack.machine,
                                .model = &g.rack.model,
                                .bucket = &g.rack.bucket,
                                .weights = g.weights,
                                .group = 1};
    for (size_t n = 0; n < p->tensors; n++)
        if (begins_with(p->tensor[n].name, "mask."))
            memcpy(p->tensor[n].name, "task", 4);
    CU_ASSERT_FALSE(image_write(&input, p, put, &g.exact[0], &g.rack.report));
    CU_ASSERT_TRUE_FATAL(g.rack.report.count > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(g.rack.report.message[0], "task."));
    close_group(&g);
}

TEST_MAIN("image", TEST(every_persistent_tensor_is_filled_once_and_inside_its_count),
          TEST(every_weight_is_there_as_often_as_it_belongs),
          TEST(int8_weights_have_the_least_scale_and_are_rounded_to_nearest),
          TEST(embedding_scales_are_the_least_for_the_whole_vocabulary),
          TEST(a_tensor_that_nobody_knows_is_reported_by_name))
