/* SPDX-License-Identifier: BSD-3-Clause */
/* The echo of a scenario reads back to the same scenario; each value knows where it came from. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/option.h"
#include "sample.h"

static char *echo_of(const struct scenario *scenario)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    config_scenario_print(scenario, stream);
    fclose(stream);
    return text;
}

static bool same(const struct scenario *a, const struct scenario *b)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        bool text = o->type == OPTION_TEXT || o->type == OPTION_PATH;
        const void *x = option_field(o, a), *y = option_field(o, b);
        if (text ? strcmp(x, y) != 0 : memcmp(x, y, o->bytes) != 0)
            return false;
    }
    return true;
}

static void reads_back(struct sample *sample)
{
    char *text = echo_of(&sample->scenario);
    struct sample again = sample_read(sample_file("echo.cfg", text), NULL);
    CU_ASSERT_TRUE(sample->accepted);
    CU_ASSERT_TRUE(again.accepted);
    CU_ASSERT_TRUE(same(&sample->scenario, &again.scenario));
    if (!again.accepted)
        fprintf(stderr, "%s\n", again.faults);
    sample_release(&again);
    sample_release(sample);
    free(text);
}

static void the_echo_reads_back_to_the_same_scenario(void)
{
    struct sample plain = sample_small(NULL, NULL, NULL);
    reads_back(&plain);
    struct sample odd = sample_small("run.seed=9223372036854775807", "gpu.neighbour_load=0.1234567",
                                     "run.output=a \"quoted\\ name\".h5");
    reads_back(&odd);
    struct sample counted = sample_small("values=on", "lpu.numerics=int8", "lpu.prefill=off");
    reads_back(&counted);
    struct sample awkward = sample_small("lpu.chip.pcie_latency=10.000001 us",
                                         "gpu.chip.hbm_rate=3.3333333333 TB/s", NULL);
    reads_back(&awkward);
}

static void a_key_without_a_group_stands_outside_of_all_groups(void)
{
    struct sample sample = sample_small("values=on", NULL, NULL);
    char *text = echo_of(&sample.scenario);
    CU_ASSERT_TRUE(strncmp(text, "values = true; # --set\n", 23) == 0);
    free(text);
    sample_release(&sample);
}

static void a_side_that_is_left_out_stays_out_of_the_echo(void)
{
    const char *path = sample_file("lpu_only.cfg", "run = { mode = \"gpu\"; };\n"
                                                   "model = { path = \"lpu_only.cfg\"; };\n");
    struct sample sample = sample_read(path, NULL);
    CU_ASSERT_FALSE(sample_says(&sample, "gpu.chip is missing") &&
                    strstr(sample.faults, "lpu.chip") != NULL);
    char *text = echo_of(&sample.scenario);
    CU_ASSERT_PTR_NULL(strstr(text, "mxm_rows"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "mode = \"gpu\""));
    free(text);
    sample_release(&sample);
}

struct search {
    const char *key;
    int found;
    char text[64], unit[16], source[256];
    int64_t integer;
    double real;
};

static void search_visit(void *context, const struct config_value *value)
{
    struct search *search = context;
    if (strcmp(value->key, search->key) != 0)
        return;
    search->found++;
    snprintf(search->text, sizeof search->text, "%s", value->text);
    snprintf(search->unit, sizeof search->unit, "%s", value->unit);
    snprintf(search->source, sizeof search->source, "%s", value->source);
    search->integer = value->integer;
    search->real = value->real;
}

static struct search value_of(const struct scenario *scenario, const char *key)
{
    struct search search = {.key = key};
    config_scenario_for_each(scenario, search_visit, &search);
    CU_ASSERT_EQUAL(search.found, 1);
    return search;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void every_value_names_its_source(void)
{
    struct sample sample = sample_small("lpu.chip.clock=1 GHz", NULL, NULL);
    CU_ASSERT_STRING_EQUAL(value_of(&sample.scenario, "lpu.chip.clock").source, "--set");
    CU_ASSERT_STRING_EQUAL(value_of(&sample.scenario, "run.seed").source, "default");
    struct search batch = value_of(&sample.scenario, "bucket.max_sequence");
    CU_ASSERT_TRUE(ends_with(batch.source, "configs/small.cfg:6"));
    struct search lanes = value_of(&sample.scenario, "lpu.chip.lanes");
    CU_ASSERT_TRUE(ends_with(lanes.source, "configs/chips/lpu-v1.cfg:10"));
    sample_release(&sample);
}

static void values_come_with_numbers_and_units(void)
{
    struct sample sample = sample_small(NULL, NULL, NULL);
    struct search clock = value_of(&sample.scenario, "lpu.chip.clock");
    CU_ASSERT_STRING_EQUAL(clock.text, "900 MHz");
    CU_ASSERT_STRING_EQUAL(clock.unit, "Hz");
    CU_ASSERT_EQUAL(clock.integer, 900000000);
    struct search power = value_of(&sample.scenario, "lpu.chip.power_max");
    CU_ASSERT_STRING_EQUAL(power.text, "300 W");
    CU_ASSERT_DOUBLE_EQUAL(power.real, 300.0, 0.0);
    CU_ASSERT_STRING_EQUAL(value_of(&sample.scenario, "lpu.chip.name").unit, "");
    CU_ASSERT_STRING_EQUAL(value_of(&sample.scenario, "bucket.batch").unit, "1");
    sample_release(&sample);
}

static void a_scenario_made_by_hand_can_be_printed(void)
{
    struct scenario scenario = {.seed = 5};
    struct search seed = value_of(&scenario, "run.seed");
    CU_ASSERT_STRING_EQUAL(seed.text, "5");
    CU_ASSERT_STRING_EQUAL(seed.source, "");
}

TEST_MAIN("echo", TEST(the_echo_reads_back_to_the_same_scenario),
          TEST(a_key_without_a_group_stands_outside_of_all_groups),
          TEST(a_side_that_is_left_out_stays_out_of_the_echo), TEST(every_value_names_its_source),
          TEST(values_come_with_numbers_and_units), TEST(a_scenario_made_by_hand_can_be_printed))
