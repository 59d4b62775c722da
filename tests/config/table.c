/* SPDX-License-Identifier: BSD-3-Clause */
/* The option table is sound: its texts parse, its keys are unique, every field of a machine has a
 * row. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "config/option.h"

#define OPTIONS(o) (const struct option *o = option_table; o < option_table + option_count; o++)

static void every_default_is_within_its_bounds(void)
{
    for
        OPTIONS(o)
        {
            struct scenario scenario = {0};
            char *error = NULL;
            if (!o->default_text)
                continue;
            CU_ASSERT_TRUE(option_store(o, o->default_text, &scenario, &error));
            if (error)
                fprintf(stderr, "%s: %s\n", o->key, error);
            base_free(error);
        }
}

static void every_bound_is_itself_accepted(void)
{
    for
        OPTIONS(o)
    for (int side = 0; side < 2; side++) {
        const char *bound = side ? o->max : o->min;
        struct scenario scenario = {0};
        char *error = NULL;
        if (!bound)
            continue;
        CU_ASSERT_TRUE(option_store(o, bound, &scenario, &error));
        if (error)
            fprintf(stderr, "%s: %s\n", o->key, error);
        base_free(error);
    }
}

static void keys_are_unique_and_in_a_section(void)
{
    for
        OPTIONS(o)
        {
            CU_ASSERT_PTR_EQUAL(option_find(o->key), o);
            const struct option_section *section = option_section_of(o->key);
            CU_ASSERT_PTR_NOT_NULL_FATAL(section);
            CU_ASSERT_EQUAL(*section->prefix == '\0', strchr(o->key, '.') == NULL);
            CU_ASSERT_FALSE(option_is_group(o->key));
            CU_ASSERT_TRUE(strlen(o->help) > 0);
        }
    CU_ASSERT_PTR_NULL(option_section_of("warps.many"));
}

static void every_choice_has_names_that_print_back(void)
{
    for
        OPTIONS(o)
        {
            CU_ASSERT_EQUAL(o->type == OPTION_CHOICE, o->choice != NULL);
            for (size_t i = 0; o->choice && o->choice[i]; i++) {
                struct scenario scenario = {0};
                char *error = NULL;
                CU_ASSERT_TRUE(option_store(o, o->choice[i], &scenario, &error));
                CU_ASSERT_EQUAL(*(const unsigned *)option_field(o, &scenario), i);
                char *text = option_text(o, &scenario), *range = option_range(o);
                CU_ASSERT_STRING_EQUAL(text, o->choice[i]);
                CU_ASSERT_PTR_NOT_NULL(strstr(range, o->choice[i]));
                base_free(text);
                base_free(range);
                base_free(error);
            }
        }
}

static void a_bool_is_true_false_on_or_off(void)
{
    static const char *const words[] = {"true", "on", "false", "off", "yes", "1", "ON", ""};
    const struct option *quiet = option_find("run.quiet");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct scenario scenario = {.quiet = i == 2 || i == 3};
        char *error = NULL;
        CU_ASSERT_EQUAL(option_store(quiet, words[i], &scenario, &error), i < 4);
        CU_ASSERT_EQUAL(scenario.quiet, i < 2);
        if (i >= 4)
            CU_ASSERT_PTR_NOT_NULL(strstr(error, ": write true, false, on or off"));
        base_free(error);
    }
}

/* Keys of one group stand together: the echo opens each group once. */
static void sections_stand_together(void)
{
    const struct option_section *section = NULL;
    size_t changes = 0;
    for
        OPTIONS(o)
        {
            changes += option_section_of(o->key) != section;
            section = option_section_of(o->key);
        }
    CU_ASSERT_EQUAL(changes, option_section_count);
}

/* Every byte of the structs that no row covers is padding, so every gap is less than an int64_t. */
static void every_field_has_exactly_one_row(void)
{
    static unsigned char rows[sizeof(struct scenario)];
    memset(rows, 0, sizeof rows);
    for
        OPTIONS(o)
    for (size_t i = 0; i < o->bytes; i++)
        rows[o->offset + i]++;
    size_t gap = 0;
    for (size_t i = 0; i < offsetof(struct scenario, sources); i++) {
        CU_ASSERT_TRUE(rows[i] <= 1);
        gap = rows[i] ? 0 : gap + 1;
        CU_ASSERT_TRUE(gap < sizeof(int64_t));
        if (gap == sizeof(int64_t))
            fprintf(stderr, "no row for the field at byte %zu\n", i + 1 - gap);
    }
}

static void nearest_is(const char *key, const char *expected)
{
    CU_ASSERT_STRING_EQUAL(option_nearest(key)->key, expected);
}

static void the_nearest_key_is_the_one_meant(void)
{
    nearest_is("lpu.rack.node", "lpu.rack.nodes");
    nearest_is("lpu.rack.cables", "lpu.rack.cables_per_node_pair");
    nearest_is("gpuu.chip.sms", "gpu.chip.sms");
    nearest_is("tensor_paralel", "gpu.tensor_parallel");
    nearest_is("bucket.prefil_chunk", "bucket.prefill_chunk");
    nearest_is("nodes", "lpu.rack.nodes");
    nearest_is("value", "values");
    nearest_is("run.values", "values");
    nearest_is("lpu.numeric", "lpu.numerics");
    nearest_is("prefill", "lpu.prefill");
    nearest_is("", option_nearest("")->key);
}

static void a_text_that_is_too_long_is_refused(void)
{
    struct scenario scenario = {0};
    char *error = NULL, text[2 * MACHINE_NAME_BYTES];
    memset(text, 'x', sizeof text);
    const struct option *name = option_find("lpu.chip.name");
    text[MACHINE_NAME_BYTES] = '\0';
    CU_ASSERT_FALSE(option_store(name, text, &scenario, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "at most 63 bytes"));
    base_free(error);
    text[MACHINE_NAME_BYTES - 1] = '\0';
    CU_ASSERT_TRUE(option_store(name, text, &scenario, &error));
}

TEST_MAIN("option table", TEST(every_default_is_within_its_bounds),
          TEST(every_bound_is_itself_accepted), TEST(keys_are_unique_and_in_a_section),
          TEST(every_choice_has_names_that_print_back), TEST(a_bool_is_true_false_on_or_off),
          TEST(sections_stand_together), TEST(every_field_has_exactly_one_row),
          TEST(the_nearest_key_is_the_one_meant), TEST(a_text_that_is_too_long_is_refused))
