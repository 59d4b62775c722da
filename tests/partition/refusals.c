/* SPDX-License-Identifier: BSD-3-Clause */
/* What does not fit or is not known is refused, with what would do. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "rack.h"

/* All reasons in one text; free with base_free. NULL where the case is compiled. */
static char *refusal_of(const struct rack_case *c, enum base_status *status)
{
    struct rack rack;
    rack_compile(&rack, c);
    char *text = rack.plan ? NULL : base_report_text(&rack.report);
    *status = rack.status;
    if (!rack.plan)
        CU_ASSERT_EQUAL(rack.report.count, 1);
    rack_release(&rack);
    return text;
}

static struct model deep(const struct model *model, int64_t layers)
{
    struct model m = *model;
    m.layers = layers;
    snprintf(m.name, sizeof m.name, "deep");
    return m;
}

/* Racks that are too small for what they are given: by model, group, or slice. */
static const struct small_rack {
    const struct model *model;
    int64_t layers;
    int32_t group, vectors_per_slice;
} small_racks[] = {
    {&rack_wide, 96, 2, 0},   {&rack_qwen, 24, 1, 1024}, {&rack_odd, 200, 0, 0},
    {&rack_odd, 24, 4, 2048}, {&rack_qwen, 60, 0, 4096},
};

/* The number before `word`, at least 1; fails the test where it is not there. */
static long long number_before(const char *text, const char *word)
{
    const char *end = strstr(text, word);
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    const char *start = end;
    while (start > text && start[-1] >= '0' && start[-1] <= '9')
        start--;
    long long number = 0;
    CU_ASSERT_EQUAL_FATAL(sscanf(start, "%lld", &number), 1);
    return number;
}

/* A rack with exactly so many chips in use. */
static bool fits_into(const struct rack_case *small, int32_t chips)
{
    struct rack rack;
    struct rack_case c = *small;
    c.chips_used = chips;
    c.nodes = (chips + 3) / 4;
    rack_compile(&rack, &c);
    bool fits = rack.plan != NULL;
    CU_ASSERT_EQUAL(rack.status, fits ? BASE_OK : BASE_DOES_NOT_FIT);
    rack_release(&rack);
    return fits;
}

static void a_model_that_is_too_large_learns_how_many_chips_would_do(void)
{
    for (size_t n = 0; n < sizeof small_racks / sizeof small_racks[0]; n++) {
        const struct small_rack *r = &small_racks[n];
        struct model model = deep(r->model, r->layers);
        const struct rack_case c = {
            .model = &model, .group = r->group, .vectors_per_slice = r->vectors_per_slice};
        enum base_status status;
        char *text = refusal_of(&c, &status);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT_EQUAL(status, BASE_DOES_NOT_FIT);
        CU_ASSERT_PTR_EQUAL(strstr(text, "deep does not fit into 4 chips"), text);
        long long bytes = number_before(text, " bytes (");
        CU_ASSERT_TRUE(bytes > 0 && bytes % rack_chip()->lanes == 0);
        int32_t chips = (int32_t)number_before(text, " chips would do");
        CU_ASSERT_TRUE(chips > 4);
        CU_ASSERT_TRUE(fits_into(&c, chips));
        base_free(text);
    }
}

static void a_bucket_that_no_rack_holds_is_said_to_be_one(void)
{
    const struct rack_case c = {
        .group = 1, .vectors_per_slice = 256, .max_sequence = 8192, .batch = 2};
    enum base_status status;
    char *text = refusal_of(&c, &status);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(status, BASE_DOES_NOT_FIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "no number of such chips would do with this bucket"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "with bucket.batch = 2 caches of 8192 positions"));
    base_free(text);
}

static void seats_that_do_not_fit_are_counted_with_their_batches(void)
{
    const struct rack_case c = {
        .group = 2, .vectors_per_slice = 256, .max_sequence = 256, .batch = 2, .seats = 30};
    enum base_status status;
    char *text = refusal_of(&c, &status);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(status, BASE_DOES_NOT_FIT);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "with lpu.seats x bucket.batch = 60 caches of 256 positions"));
    base_free(text);
}

static void tiny_with(struct model *model, const char *name)
{
    *model = rack_shipped_model("tiny");
    snprintf(model->name, sizeof model->name, "%s", name);
}

static void check_refusal(const struct rack_case *c, const char *expected)
{
    enum base_status status;
    char *text = refusal_of(c, &status);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(status, BASE_USAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, expected));
    if (!strstr(text, expected))
        fprintf(stderr, "%s\n", text);
    base_free(text);
}

static void what_the_compiler_does_not_know_is_named(void)
{
    struct model mixed;
    tiny_with(&mixed, "mixed");
    mixed.experts = 2, mixed.experts_per_token = 2, mixed.expert_ffn = 64;
    check_refusal(&(struct rack_case){.batch = 33},
                  "bucket.batch = 33: the LPU compiler schedules up to 32 sequences a step");
    check_refusal(&(struct rack_case){.model = &mixed}, "mixed: 2 of 2 experts a token");
}

static void a_split_that_cannot_be_is_refused_with_its_reason(void)
{
    check_refusal(&(struct rack_case){.model = &rack_qwen, .group = 4, .stages = 1},
                  "1 stages x 4 chips: 14 attention heads do not divide by a tensor group of 4");
    check_refusal(&(struct rack_case){.group = 4, .stages = 4},
                  "no split of 4 chips matches lpu.pipeline_stages and lpu.tensor_group");
    check_refusal(&(struct rack_case){.model = &rack_mixture, .split_down = LPU_SPLIT_COLUMNS},
                  "lpu.split_down = columns: down of mixture is that of experts");
    check_refusal(&(struct rack_case){.group = 1, .max_sequence = 96},
                  "a bucket of 96 positions is no multiple of 64");
}

TEST_MAIN("refusals", TEST(a_model_that_is_too_large_learns_how_many_chips_would_do),
          TEST(a_bucket_that_no_rack_holds_is_said_to_be_one),
          TEST(seats_that_do_not_fit_are_counted_with_their_batches),
          TEST(what_the_compiler_does_not_know_is_named),
          TEST(a_split_that_cannot_be_is_refused_with_its_reason))
