/* SPDX-License-Identifier: BSD-3-Clause */
/* Int8 weights have the least fp16 scale that holds them, and are rounded to nearest. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "loaded.h"

/* Streams into a weight buffer: columns of a load cycle. */
enum { PER = 16 };

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
    int32_t scales = loaded_scales(exact->program, at_.tensor);
    float step = loaded_at(bytes, scales, 0, at_.u)[at_.c],
          one = loaded_at(exact, scales, 0, at_.u)[at_.c];
    float most = 0;
    bool near = true;
    for (int32_t k = 0; k < at_.contraction; k++) {
        int32_t index = (at_.u * at_.contraction + k) * at_.load + at_.c / PER;
        const float *w = loaded_at(exact, at_.tensor, at_.c % PER, index);
        const float *q = loaded_at(bytes, at_.tensor, at_.c % PER, index);
        for (int32_t l = 0; l < loaded_lanes(); l++) {
            most = fmaxf(most, fabsf(w[l]));
            near = near && q[l] == rintf(q[l]) && fabsf(q[l]) <= 127 &&
                   fabs((double)q[l] * (double)step - (double)w[l]) <= 0.5001 * (double)step;
        }
    }
    return near && (most > 0 ? one == 1 && is_least_step(step, most) : one == 0 && step == 0);
}

static int64_t wrong_columns(const struct loaded_group *g, int32_t rank, const char *prefix,
                             struct linear_shape s)
{
    const struct program *p = g->exact[rank].program;
    int64_t wrong = 0;
    for (size_t tensor = 0; tensor < p->tensors; tensor++) {
        const struct program_tensor *t = &p->tensor[tensor];
        int32_t load = s.columns / PER;
        if (!loaded_begins_with(t->name, prefix))
            continue;
        for (int32_t k = 0; k < t->count / (load * s.k_tiles) * s.columns; k++)
            wrong += !is_rounded(
                &g->exact[rank], &g->bytes[rank],
                (struct column){(int32_t)tensor, s.k_tiles, load, k / s.columns, k % s.columns});
    }
    return wrong;
}

static void check_scales(const struct loaded_group *g)
{
    for (int32_t rank = 0; rank < g->chips; rank++) {
        CU_ASSERT_EQUAL(wrong_columns(g, rank, "qkv.w", g->shape.qkv), 0);
        CU_ASSERT_EQUAL(wrong_columns(g, rank, "o.w", g->shape.output), 0);
        CU_ASSERT_EQUAL(wrong_columns(g, rank, "gateup.w", g->shape.gate), 0);
        CU_ASSERT_EQUAL(wrong_columns(g, rank, "down.w", g->shape.down), 0);
        CU_ASSERT_EQUAL(wrong_columns(g, rank, "head.w", g->shape.head), 0);
    }
}

static void int8_weights_have_the_least_scale_and_are_rounded_to_nearest(void)
{
    loaded_for_all_groups(check_scales);
}

/* Greatest magnitude of each hidden element over all tokens; free with base_free. */
static float *embedding_extent(const struct loaded_group *g)
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
static int wrong_elements(const struct loaded_group *g, int32_t rank, const float *most)
{
    const struct loaded *exact = &g->exact[rank], *bytes = &g->bytes[rank];
    int wrong = 0;
    for (int32_t n = 0; n < (int32_t)exact->program->tensors; n++) {
        const struct program_tensor *t = &exact->program->tensor[n];
        if (strcmp(t->name, "embedding.q0") != 0)
            continue;
        const float *step = loaded_at(bytes, loaded_scales(exact->program, n), 0, 0);
        for (int32_t l = 0; l < g->rack.model.hidden; l++) {
            wrong += !is_least_step(step[l], most[l]);
            for (int32_t k = 0; k < t->subs * t->count; k++) {
                float q = loaded_at(bytes, n, k / t->count, k % t->count)[l];
                float w = loaded_at(exact, n, k / t->count, k % t->count)[l];
                wrong += q != rintf(q) ||
                         fabs((double)q * (double)step[l] - (double)w) > 0.5001 * (double)step[l];
            }
        }
    }
    return wrong;
}

/* Scales are the same on all chips. */
static void check_embedding(const struct loaded_group *g)
{
    float *most = embedding_extent(g);
    for (int32_t rank = 0; rank < g->chips; rank++)
        CU_ASSERT_EQUAL(wrong_elements(g, rank, most), 0);
    base_free(most);
}

static void embedding_scales_are_the_least_for_the_whole_vocabulary(void)
{
    loaded_for_all_groups(check_embedding);
}

TEST_MAIN("scales of an image", TEST(int8_weights_have_the_least_scale_and_are_rounded_to_nearest),
          TEST(embedding_scales_are_the_least_for_the_whole_vocabulary))
