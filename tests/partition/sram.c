/* SPDX-License-Identifier: BSD-3-Clause */
/* Every byte has one place: tensors that live at the same time do not overlap, weights and cache
 * are there once and whole, and everything is inside its slice. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "partition/shape.h"
#include "rack.h"

static const struct rack_case shapes[] = {
    {.name = "tiny, 1 chip", .stages = 1, .group = 1, .prompt = 33},
    {.name = "tiny, 2 stages of 2", .stages = 2, .group = 2, .prompt = 33},
    {.name = "tiny, 3 stages of 1", .stages = 3, .group = 1, .chunk = 128, .prompt = 200},
    {.name = "tiny, small slices", .stages = 4, .group = 1, .vectors_per_slice = 2048},
    {.name = "qwen, 2 stages of 2", .model = &rack_qwen, .stages = 2, .group = 2, .prompt = 33},
    {.name = "wide, 1 stage of 4", .model = &rack_wide, .stages = 1, .group = 4, .prompt = 33},
    {.name = "tiny, a ladder of 3", .stages = 1, .group = 2, .rung = {64, 128}, .batch = 2},
    {.name = "odd, 1 stage of 2", .model = &rack_odd, .stages = 1, .group = 2, .max_sequence = 512},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* Rows [from, to) of a slice, in cycles [live_from, live_to); zero rows are alike. */
struct space {
    int32_t from, to;
    int64_t live_from, live_to;
    const struct program_tensor *tensor;
    bool zero;
};

struct spaces {
    struct space *at[PROGRAM_QUEUE_VXM];
    size_t count[PROGRAM_QUEUE_VXM], capacity[PROGRAM_QUEUE_VXM];
};

static void add_space(struct spaces *s, int32_t slice, struct space space)
{
    if (space.from >= space.to)
        return;
    s->at[slice] = base_grow(s->at[slice], &s->capacity[slice], s->count[slice] + 1, sizeof space);
    s->at[slice][s->count[slice]++] = space;
}

static bool is_placed(const struct program_tensor *t)
{
    return t->slice >= 0;
}

static bool is_persistent(const struct program_tensor *t)
{
    return is_placed(t) && t->live_from == INT64_MIN;
}

/* Its values, and the zero rows that pad it, which stay for ever. */
static void add_tensor(struct spaces *s, const struct program *p, const struct program_tensor *t)
{
    for (int32_t sub = 0; sub < t->subs; sub++) {
        int32_t row = program_tensor_address(p, t, sub), slice = p->slice[t->slice + sub];
        add_space(s, slice,
                  (struct space){row, row + t->valid, t->live_from, t->live_to, t, false});
        add_space(s, slice,
                  (struct space){row + t->valid, row + t->count, INT64_MIN, INT64_MAX, t, true});
    }
}

static bool overlap(const struct space *a, const struct space *b)
{
    return a->from < b->to && b->from < a->to && a->live_from < b->live_to &&
           b->live_from < a->live_to && !(a->zero && b->zero);
}

static int32_t count_overlaps(const struct spaces *s)
{
    int32_t overlaps = 0;
    for (int32_t slice = 0; slice < PROGRAM_QUEUE_VXM; slice++)
        for (size_t n = 0; n < s->count[slice]; n++)
            for (size_t k = n + 1; k < s->count[slice]; k++) {
                const struct space *a = &s->at[slice][n], *b = &s->at[slice][k];
                if (overlap(a, b) && overlaps++ < 4)
                    fprintf(stderr, "slice %d: %s.%d [%d, %d) and %s.%d [%d, %d)\n", slice,
                            a->tensor->name, a->tensor->layer, a->from, a->to, b->tensor->name,
                            b->tensor->layer, b->from, b->to);
            }
    return overlaps;
}

static bool is_inside(const struct rack *rack, const struct program *p)
{
    for (size_t n = 0; n < p->tensors; n++)
        for (int32_t sub = 0; is_placed(&p->tensor[n]) && sub < p->tensor[n].subs; sub++) {
            int32_t row = program_tensor_address(p, &p->tensor[n], sub);
            if (row < 0 || row + p->tensor[n].count > rack->machine.vectors_per_slice)
                return false;
        }
    return true;
}

static void release(struct spaces *s)
{
    for (int32_t slice = 0; slice < PROGRAM_QUEUE_VXM; slice++)
        base_free(s->at[slice]);
}

static const struct program_tensor *find(const struct program *p, const struct program_tensor *like)
{
    for (size_t n = 0; n < p->tensors; n++)
        if (is_persistent(&p->tensor[n]) && p->tensor[n].layer == like->layer &&
            strcmp(p->tensor[n].name, like->name) == 0)
            return &p->tensor[n];
    return NULL;
}

/* What only the other phase keeps must be safe from the activations of this one. */
static void add_kept_by_other(struct spaces *s, const struct program *p,
                              const struct program *other)
{
    for (size_t n = 0; n < other->tensors; n++)
        if (is_persistent(&other->tensor[n]) && !find(p, &other->tensor[n]))
            add_tensor(s, other, &other->tensor[n]);
}

static int32_t overlaps_of(const struct program *p, const struct program *other)
{
    struct spaces s = {0};
    for (size_t n = 0; n < p->tensors; n++)
        if (is_placed(&p->tensor[n]))
            add_tensor(&s, p, &p->tensor[n]);
    add_kept_by_other(&s, p, other);
    int32_t overlaps = count_overlaps(&s);
    release(&s);
    return overlaps;
}

static void for_each_rack(void (*check)(const struct rack *rack))
{
    for (int n = 0; n < SHAPES; n++) {
        struct rack rack;
        rack_compile(&rack, &shapes[n]);
        if (!rack.plan)
            base_report_print(&rack.report, stderr);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
        check(&rack);
        rack_release(&rack);
    }
}

static void check_overlaps(const struct rack *rack)
{
    for (int32_t c = 0; c < plan_chips(rack->plan); c++)
        for (int phase = 0; phase < PARTITION_RUNG; phase++) {
            CU_ASSERT_TRUE(is_inside(rack, &rack->program[c][phase]));
            CU_ASSERT_EQUAL(overlaps_of(&rack->program[c][phase], &rack->program[c][1 - phase]), 0);
        }
}

static void what_lives_at_the_same_time_has_rows_of_its_own(void)
{
    for_each_rack(check_overlaps);
}

static bool is_placed_alike(const struct program *p, const struct program_tensor *a,
                            const struct program *q, const struct program_tensor *b)
{
    if (a->subs != b->subs || a->count != b->count || a->valid != b->valid || a->kind != b->kind)
        return false;
    for (int32_t sub = 0; sub < a->subs; sub++)
        if (p->slice[a->slice + sub] != q->slice[b->slice + sub] ||
            program_tensor_address(p, a, sub) != program_tensor_address(q, b, sub))
            return false;
    return true;
}

static void check_phase(const struct program *decode, const struct program *other)
{
    for (size_t n = 0; n < other->tensors; n++) {
        const struct program_tensor *t = &other->tensor[n];
        const struct program_tensor *same = is_persistent(t) ? find(decode, t) : NULL;
        if (same)
            CU_ASSERT_TRUE(is_placed_alike(other, t, decode, same));
        if (t->kind == PROGRAM_TENSOR_WEIGHT || t->kind == PROGRAM_TENSOR_KV)
            CU_ASSERT_PTR_NOT_NULL(same);
    }
}

static void check_phases(const struct rack *rack)
{
    for (int32_t c = 0; c < plan_chips(rack->plan); c++)
        for (int phase = PARTITION_PREFILL; phase < PARTITION_PHASES; phase++)
            check_phase(&rack->program[c][PARTITION_DECODE], &rack->program[c][phase]);
}

static void all_phases_find_weights_and_cache_in_one_place(void)
{
    for_each_rack(check_phases);
}

/* Vectors of the tensors of a layer whose names begin so; every name may be there once. */
static int64_t vectors_of(const struct program *p, enum program_tensor_kind kind, int32_t layer,
                          const char *prefix)
{
    int64_t vectors = 0;
    for (size_t n = 0; n < p->tensors; n++) {
        const struct program_tensor *t = &p->tensor[n];
        if (t->kind != kind || t->layer != layer || strncmp(t->name, prefix, strlen(prefix)) != 0)
            continue;
        CU_ASSERT_PTR_EQUAL(find(p, t), t);
        vectors += (int64_t)t->subs * t->valid;
    }
    return vectors;
}

/* A matrix has a vector for each contraction tile and column. */
static int64_t matrix_vectors(struct linear_shape s)
{
    return (int64_t)s.k_tiles * s.n_tiles * s.columns;
}

static const char *const matrices[] = {"qkv.w", "o.w", "gateup.w", "down.w"};
enum { MATRICES = sizeof matrices / sizeof matrices[0] };

/* Chips that hold all of a matrix's share; -1 where one holds a part. */
static int32_t holders(const struct rack *rack, int32_t layer, const char *matrix, int64_t vectors)
{
    int32_t chips = 0;
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        int64_t held =
            vectors_of(&rack->program[c][PARTITION_DECODE], PROGRAM_TENSOR_WEIGHT, layer, matrix);
        if (held && held != vectors)
            return -1;
        chips += held > 0;
    }
    return chips;
}

static struct shape shape_of(const struct rack *rack)
{
    struct shape s;
    char why[160];
    CU_ASSERT_TRUE_FATAL(shape_derive_decode(&s, &rack->machine, &rack->model, &rack->bucket,
                                             plan_group(rack->plan), why));
    return s;
}

static void check_weights(const struct rack *rack)
{
    struct shape s = shape_of(rack);
    struct linear_shape both = s.gate;
    both.n_tiles *= 2;
    const int64_t vectors[MATRICES] = {matrix_vectors(s.qkv), matrix_vectors(s.output),
                                       matrix_vectors(both), matrix_vectors(s.down)};
    for (int32_t layer = 0; layer < rack->model.layers; layer++)
        for (int m = 0; m < MATRICES; m++)
            CU_ASSERT_EQUAL(holders(rack, layer, matrices[m], vectors[m]), s.group);
    CU_ASSERT_EQUAL(holders(rack, (int32_t)rack->model.layers, "head.w", matrix_vectors(s.head)),
                    s.group);
}

static void every_weight_is_on_the_chips_of_its_stage_once(void)
{
    for_each_rack(check_weights);
}

/* Keys and values, two bytes, for each position and KV head of the chip. */
static void check_cache(const struct rack *rack)
{
    struct shape s = shape_of(rack);
    int64_t each = (int64_t)rack->bucket.batch * rack->bucket.max_sequence * s.kv_heads * 2;
    for (int32_t layer = 0; layer < rack->model.layers; layer++) {
        int32_t chips = 0;
        for (int32_t c = 0; c < rack->topology.chips; c++) {
            const struct program *p = &rack->program[c][PARTITION_DECODE];
            int64_t keys = vectors_of(p, PROGRAM_TENSOR_KV, layer, "k.h");
            CU_ASSERT_TRUE(keys == 0 || keys == each);
            CU_ASSERT_EQUAL(vectors_of(p, PROGRAM_TENSOR_KV, layer, "v.h"), keys);
            chips += keys > 0;
        }
        CU_ASSERT_EQUAL(chips, s.group);
    }
}

static void the_cache_has_a_row_for_every_position_of_every_head(void)
{
    for_each_rack(check_cache);
}

/* How many slices of both hemispheres hold a row, and whether they hold no two rows in one place.
 */
static bool is_owned_once(int32_t tile, int32_t positions)
{
    bool *taken = base_alloc((size_t)positions * 32, 1);
    bool once = true;
    for (int32_t row = 0; row < positions; row++) {
        int32_t owners = 0;
        for (int32_t at = 0; at < 32; at++) {
            int32_t local = program_kv_owner(tile, at / 16, at % 16, row);
            if (local < 0)
                continue;
            owners++;
            once = once && local < positions / 2 && !taken[local * 32 + at];
            taken[local * 32 + at] = true;
        }
        once = once && owners == 1;
    }
    base_free(taken);
    return once;
}

static void check_owners(const struct rack *rack)
{
    for (int32_t c = 0; c < plan_chips(rack->plan); c++)
        CU_ASSERT_TRUE(
            is_owned_once(rack->program[c][0].kv_tile_positions, rack->bucket.max_sequence));
}

static void every_cache_row_has_one_owner(void)
{
    for_each_rack(check_owners);
}

static void check_tokens(const struct rack *rack)
{
    int32_t wrong = 0;
    for (int32_t token = 0; token < rack->model.vocabulary; token++) {
        int32_t owners = 0;
        for (int32_t c = 0; c < rack->topology.chips; c++)
            for (int32_t g = 0; g < rack->program[c][0].embedding_groups; g++)
                owners += program_token_owner(&rack->program[c][0], g, token) >= 0;
        wrong += owners != 1;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void every_token_has_one_row_of_the_embedding(void)
{
    for_each_rack(check_tokens);
}

TEST_MAIN("SRAM", TEST(what_lives_at_the_same_time_has_rows_of_its_own),
          TEST(all_phases_find_weights_and_cache_in_one_place),
          TEST(every_weight_is_on_the_chips_of_its_stage_once),
          TEST(the_cache_has_a_row_for_every_position_of_every_head),
          TEST(every_cache_row_has_one_owner), TEST(every_token_has_one_row_of_the_embedding))
