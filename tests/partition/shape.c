/* SPDX-License-Identifier: BSD-3-Clause */
/* Tiles cover what they are cut from, and a split that is impossible says why. */
#include "partition/shape.h"

#include <stdio.h>
#include <string.h>

#include "rack.h"
#include "test.h"

enum { WHY_BYTES = 160, BLOCK = 16, GROUPS = 4, BUCKET = 2048, MODELS = 7 };

static const int32_t groups[GROUPS] = {1, 2, 4, 8};

static const struct model large = {.name = "Llama-2-70B sizes",
                                   .layers = 80,
                                   .hidden = 8192,
                                   .heads = 64,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .ffn = 28672,
                                   .vocabulary = 32000};

static struct model model_of(int n)
{
    static const char *const shipped[] = {"tiny", "TinyLlama-1.1B", "Llama-3-8B"};
    const struct model *const made[] = {&rack_qwen, &rack_wide, &rack_odd, &large};
    return n < 3 ? rack_shipped_model(shipped[n]) : *made[n - 3];
}

/* The shapes of every model and group that can be split so; calls `check` for each. */
static void for_each_shape(int32_t rows, int32_t positions, void (*check)(const struct shape *s))
{
    const struct bucket bucket = {.max_sequence = BUCKET, .batch = 1, .prefill_chunk = 128};
    int checked = 0;
    for (int n = 0; n < MODELS; n++) {
        struct model model = model_of(n);
        for (int g = 0; g < GROUPS; g++) {
            struct shape s;
            char why[WHY_BYTES] = "";
            if (!shape_derive(&s, rack_chip(), &model, &bucket, groups[g], 1, rows, positions,
                              why)) {
                CU_ASSERT_NOT_EQUAL(strlen(why), 0);
                continue;
            }
            check(&s);
            checked++;
        }
    }
    CU_ASSERT_TRUE(checked >= 2 * MODELS);
}

static void check_tiles(struct linear_shape t, int64_t n, int32_t step)
{
    const int32_t lanes = rack_chip()->lanes;
    CU_ASSERT_TRUE((int64_t)t.n_tiles * t.columns >= n);
    CU_ASSERT_TRUE((int64_t)(t.n_tiles - step) * lanes < n);
    CU_ASSERT_TRUE((int64_t)t.n_tiles * (t.columns - BLOCK) < n);
    CU_ASSERT_TRUE(t.columns > 0 && t.columns <= lanes);
    CU_ASSERT_EQUAL(t.columns % BLOCK, 0);
    CU_ASSERT_EQUAL(t.n_tiles % step, 0);
    CU_ASSERT_TRUE(t.k_tiles > 0);
}

static void check_linears(const struct shape *s)
{
    const struct model *m = s->model;
    check_tiles(s->gate, m->ffn / s->group, 1);
    check_tiles(s->output, m->hidden, 1);
    check_tiles(s->down, m->hidden, 1);
    check_tiles(s->head, s->vocabulary, SHAPE_QUADS);
    CU_ASSERT_EQUAL(s->qkv.n_tiles, s->heads + 2 * s->kv_heads);
    CU_ASSERT_TRUE(s->qkv.columns >= m->head_dim && s->qkv.columns < m->head_dim + BLOCK);
    CU_ASSERT_EQUAL(s->qkv.columns % BLOCK, 0);
}

static void tiles_are_equal_few_and_cover_all_columns(void)
{
    for_each_shape(1, BUCKET, check_linears);
}

/* What one product writes is what the next contracts. */
static void check_chain(const struct shape *s)
{
    CU_ASSERT_TRUE((int64_t)s->hidden_tiles * s->hidden_columns >= s->model->hidden);
    CU_ASSERT_EQUAL(s->output.n_tiles, s->hidden_tiles);
    CU_ASSERT_EQUAL(s->output.columns, s->hidden_columns);
    CU_ASSERT_EQUAL(s->down.n_tiles, s->hidden_tiles);
    CU_ASSERT_EQUAL(s->down.columns, s->hidden_columns);
    CU_ASSERT_EQUAL(s->qkv.k_tiles, s->hidden_tiles);
    CU_ASSERT_EQUAL(s->gate.k_tiles, s->hidden_tiles);
    CU_ASSERT_EQUAL(s->head.k_tiles, s->hidden_tiles);
    CU_ASSERT_EQUAL(s->down.k_tiles, s->gate.n_tiles);
    CU_ASSERT_EQUAL(s->output.k_tiles, s->kv_heads * s->tiles_per_kv);
}

static void products_hand_over_the_tiles_that_the_next_contracts(void)
{
    for_each_shape(1, BUCKET, check_chain);
}

static void check_heads(const struct shape *s)
{
    const struct model *m = s->model;
    CU_ASSERT_EQUAL(s->heads * s->group, m->heads);
    CU_ASSERT_EQUAL(s->heads, s->heads_per_kv * s->kv_heads);
    CU_ASSERT_EQUAL(s->heads_per_kv * s->kv_heads * s->group / m->kv_heads, m->heads / m->kv_heads);
    CU_ASSERT_TRUE((int64_t)s->kv_heads * s->group >= m->kv_heads);
    CU_ASSERT_TRUE(s->kv_heads == 1 || s->kv_heads * s->group == m->kv_heads);
    CU_ASSERT_EQUAL(s->heads_per_tile * s->tiles_per_kv, s->heads_per_kv);
    CU_ASSERT_TRUE(s->heads_per_tile * s->head_dim <= s->chip->lanes);
}

static void every_head_has_one_chip_and_its_kv_head_beside_it(void)
{
    for_each_shape(1, BUCKET, check_heads);
}

static void check_vocabulary(const struct shape *s)
{
    CU_ASSERT_TRUE((int64_t)s->vocabulary * s->group >= s->model->vocabulary);
    CU_ASSERT_TRUE((int64_t)s->vocabulary * (s->group - 1) < s->model->vocabulary);
}

static void every_token_has_a_chip(void)
{
    for_each_shape(1, BUCKET, check_vocabulary);
}

static void check_short_attention(const struct shape *s)
{
    int32_t pair = 2 * s->kv_tile_positions;
    CU_ASSERT_TRUE(s->attend_tiles * pair >= 33);
    CU_ASSERT_TRUE((s->attend_tiles - 1) * pair < 33);
    for (int32_t positions = 1; positions <= BUCKET; positions += 31) {
        int32_t extent = shape_attend_extent(s, positions);
        CU_ASSERT_TRUE(extent >= positions && extent < positions + pair && extent <= BUCKET);
        CU_ASSERT_EQUAL(extent % pair, 0);
    }
}

static void prefill_attends_to_whole_pairs_of_tiles(void)
{
    for_each_shape(32, 33, check_short_attention);
}

/* Exactly the multiples of 64 have an even number of tiles of whole 32s. */
static void kv_tiles_are_even_and_exact_for_every_bucket(void)
{
    const struct model model = model_of(0);
    const struct lpu_chip *chip = rack_chip();
    for (int32_t positions = 1; positions <= BUCKET; positions++) {
        const struct bucket bucket = {.max_sequence = positions, .batch = 1, .prefill_chunk = 32};
        struct shape s;
        char why[WHY_BYTES];
        bool derived = shape_derive_decode(&s, chip, &model, &bucket, 1, why);
        CU_ASSERT_EQUAL(derived, positions % 64 == 0);
        if (!derived)
            continue;
        CU_ASSERT_EQUAL(s.kv_tiles % 2, 0);
        CU_ASSERT_EQUAL(s.kv_tiles * s.kv_tile_positions, positions);
        CU_ASSERT_EQUAL(s.kv_tile_positions % 32, 0);
        CU_ASSERT_TRUE(s.kv_tile_positions <= chip->lanes);
        CU_ASSERT_TRUE(s.kv_tile_positions / 2 <= chip->mxm_fp16_rows);
        CU_ASSERT_EQUAL(2 * s.attend_tiles, s.kv_tiles);
    }
}

/* A decodable model with one thing that does not fit. */
static const struct refusal {
    int64_t heads, kv_heads, head_dim, ffn;
    int32_t positions, group, rows;
    const char *why;
} refusals[] = {
    {6, 6, 64, 1024, 256, 4, 1, "6 attention heads do not divide by a tensor group of 4"},
    {12, 3, 64, 1024, 256, 2, 1,
     "3 KV heads neither divide nor are divided by a tensor group of 2"},
    {8, 4, 64, 1023, 256, 2, 1, "the FFN of 1023 does not divide by a tensor group of 2"},
    {8, 4, 160, 1024, 256, 1, 1,
     "a head of 160 needs more than the 160 rows of an fp16 pass, less one"},
    {8, 4, 64, 1024, 300, 1, 1, "a bucket of 300 positions is no multiple of 64"},
    {16, 16, 64, 1024, 256, 2, 1, "8 KV heads on one chip; the compiler places up to 4"},
    {8, 4, 64, 1024, 256, 4, 24,
     "a prefill chunk of 24 rows is no multiple of 16 that divides a bucket of 256 positions"},
    {8, 4, 64, 1024, 256, 4, 96,
     "a prefill chunk of 96 rows is no multiple of 16 that divides a bucket of 256 positions"},
    {8, 4, 64, 1024, 256, 4, 30,
     "a prefill chunk of 30 rows does not divide by a tensor group of 4"},
};

static void a_refused_split_says_why(void)
{
    for (size_t n = 0; n < sizeof refusals / sizeof refusals[0]; n++) {
        const struct refusal *r = &refusals[n];
        const struct bucket bucket = {
            .max_sequence = r->positions, .batch = 1, .prefill_chunk = 32};
        struct model model = model_of(0);
        struct shape s;
        char why[WHY_BYTES] = "";
        model.heads = r->heads;
        model.kv_heads = r->kv_heads;
        model.head_dim = r->head_dim;
        model.ffn = r->ffn;
        CU_ASSERT_FALSE(shape_derive(&s, rack_chip(), &model, &bucket, r->group, 1, r->rows,
                                     r->positions, why));
        CU_ASSERT_STRING_EQUAL(why, r->why);
    }
}

TEST_MAIN("shapes", TEST(tiles_are_equal_few_and_cover_all_columns),
          TEST(products_hand_over_the_tiles_that_the_next_contracts),
          TEST(every_head_has_one_chip_and_its_kv_head_beside_it), TEST(every_token_has_a_chip),
          TEST(prefill_attends_to_whole_pairs_of_tiles),
          TEST(kv_tiles_are_even_and_exact_for_every_bucket), TEST(a_refused_split_says_why))
