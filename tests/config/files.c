/* SPDX-License-Identifier: BSD-3-Clause */
/* Files refer to files relative to themselves, by @include, by name and as a base to change. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sample.h"

static void an_include_is_relative_to_its_file(void)
{
    sample_file("deep/more.cfg", "workload = { prompt_tokens = 7; decode_tokens = 3; };");
    sample_file("deep/first.cfg", "# a comment\n@include \"more.cfg\"\nrun = { seed = 77; };\n");
    struct sample sample = sample_read(
        sample_file("top.cfg", "@include \"deep/first.cfg\"\nbucket = { batch = 2; };\nodd = 1;"),
        NULL);
    CU_ASSERT_EQUAL(sample.scenario.workload.prompt_tokens, 7);
    CU_ASSERT_EQUAL(sample.scenario.seed, 77);
    CU_ASSERT_EQUAL(sample.scenario.bucket.batch, 2);
    CU_ASSERT_TRUE(sample_says(&sample, "top.cfg:3: unknown key \"odd\""));
    sample_release(&sample);
}

static void a_fault_in_an_included_file_names_that_file(void)
{
    sample_file("deep/bad.cfg", "\n\nrun = { seed = -1; };");
    struct sample sample = sample_read(sample_file("top.cfg", "@include \"deep/bad.cfg\"\n"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "deep/bad.cfg:3: run.seed: -1 is out of range"));
    sample_release(&sample);
}

static void text_that_only_looks_like_an_include_is_left_alone(void)
{
    struct sample sample = sample_read(
        sample_file("text.cfg", "# @include \"gone.cfg\"\n/*\n@include \"gone.cfg\"\n*/\n"
                                "run = { output = \"\n@include 99999999999\"; };\n"),
        NULL);
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "gone.cfg"));
    CU_ASSERT_STRING_EQUAL(sample.scenario.output_path, "\n@include 99999999999");
    sample_release(&sample);
}

static void files_that_include_each_other_end(void)
{
    sample_file("a.cfg", "@include \"b.cfg\"\n");
    struct sample sample = sample_read(sample_file("b.cfg", "@include \"a.cfg\"\n"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "include each other without end"));
    CU_ASSERT_EQUAL(sample.report.count, 1);
    sample_release(&sample);
    sample = sample_read(sample_file("c.cfg", "file = \"c.cfg\";\n"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "refer to each other without end"));
    CU_ASSERT_EQUAL(sample.report.count, 1);
    sample_release(&sample);
}

static void a_missing_include_is_one_fault(void)
{
    struct sample sample = sample_read(sample_file("a.cfg", "\n@include \"gone.cfg\"\n"), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "a.cfg:2: cannot read"));
    CU_ASSERT_EQUAL(sample.report.count, 1);
    sample_release(&sample);
    sample = sample_read("/nowhere/at/all.cfg", NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "cannot read \"/nowhere/at/all.cfg\": No such file"));
    CU_ASSERT_EQUAL(sample.report.count, 1);
    sample_release(&sample);
}

static void a_group_may_start_from_a_file_and_change_it(void)
{
    sample_file("deep/rack.cfg", "nodes = 2; chips_per_node = 4;");
    struct sample sample = sample_read(
        sample_file("top.cfg",
                    "lpu = { rack = { chips_per_node = 2; file = \"deep/rack.cfg\"; }; };"),
        NULL);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.nodes, 2);
    CU_ASSERT_EQUAL(sample.scenario.lpu_rack.chips_per_node, 2);
    sample_release(&sample);
}

static void a_whole_scenario_may_start_from_another(void)
{
    char *small = test_source_path("configs/small.cfg");
    char *text = base_format("file = \"%s\"; bucket = { batch = 4; };", small);
    struct sample sample = sample_read(sample_file("derived.cfg", text), NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_EQUAL(sample.scenario.bucket.batch, 4);
    CU_ASSERT_EQUAL(sample.scenario.bucket.max_sequence, 256);
    sample_release(&sample);
    base_free(text);
    free(small);
}

static void a_key_without_a_group_is_read_wherever_it_stands(void)
{
    static const char *const texts[] = {"values = true;", "run = { seed = 2; };\nvalues = \"on\";",
                                        "@include \"on.cfg\"", "file = \"on.cfg\";"};
    sample_file("on.cfg", "values = true;");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sample sample = sample_read(sample_file("top.cfg", texts[i]), NULL);
        CU_ASSERT_TRUE(sample.scenario.values);
        CU_ASSERT_PTR_NULL(strstr(sample.faults, "values"));
        sample_release(&sample);
    }
    struct sample off = sample_read(
        sample_file("top.cfg", "file = \"on.cfg\"; values = \"off\"; lpu = { values = true; };"),
        NULL);
    CU_ASSERT_FALSE(off.scenario.values);
    CU_ASSERT_TRUE(sample_says(&off, "top.cfg:1: unknown key \"lpu.values\"; the nearest known one "
                                     "is \"values\""));
    sample_release(&off);
}

static void the_model_is_found_beside_the_file_or_through_the_environment(void)
{
    sample_file("deep/model.json", "{}");
    struct sample beside =
        sample_read(sample_file("deep/m.cfg", "model = { path = \"model.json\"; };"), NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(beside.scenario.model_path, "deep/model.json"));
    char *folder = base_strdup(beside.scenario.model_path);
    *strrchr(folder, '/') = '\0';
    setenv("LPUSIM_TEST_MODELS", folder, 1);
    struct sample through = sample_read(
        sample_file("n.cfg", "model = { path = \"${LPUSIM_TEST_MODELS}/model.json\"; };"), NULL);
    CU_ASSERT_STRING_EQUAL(through.scenario.model_path, beside.scenario.model_path);
    unsetenv("LPUSIM_TEST_MODELS");
    struct sample gone = sample_read(
        sample_file("n.cfg", "model = { path = \"$LPUSIM_TEST_MODELS/model.json\"; };"), NULL);
    CU_ASSERT_TRUE(sample_says(&gone, "the environment has no LPUSIM_TEST_MODELS"));
    base_free(folder);
    sample_release(&beside);
    sample_release(&through);
    sample_release(&gone);
}

static void a_trace_is_a_file_that_is_there_or_none(void)
{
    const char *trace = sample_file("deep/trace.csv", "");
    struct sample sample =
        sample_read(sample_file("deep/t.cfg", "serve = { trace = \"trace.csv\"; };"), NULL);
    CU_ASSERT_STRING_EQUAL(sample.scenario.serve.source.trace, trace);
    sample_release(&sample);
    sample = sample_small("serve.trace=", NULL, NULL);
    CU_ASSERT_TRUE(sample.accepted);
    CU_ASSERT_STRING_EQUAL(sample.scenario.serve.source.trace, "");
    sample_release(&sample);
    sample = sample_small("serve.trace=gone.csv", NULL, NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "--set: serve.trace: \"gone.csv\" is not there"));
    sample_release(&sample);
    sample = sample_small("model.path=", NULL, NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "--set: model.path: \"\" is not there"));
    sample_release(&sample);
}

TEST_MAIN("files", TEST(an_include_is_relative_to_its_file),
          TEST(a_fault_in_an_included_file_names_that_file),
          TEST(text_that_only_looks_like_an_include_is_left_alone),
          TEST(files_that_include_each_other_end), TEST(a_missing_include_is_one_fault),
          TEST(a_trace_is_a_file_that_is_there_or_none),
          TEST(a_group_may_start_from_a_file_and_change_it),
          TEST(a_whole_scenario_may_start_from_another),
          TEST(a_key_without_a_group_is_read_wherever_it_stands),
          TEST(the_model_is_found_beside_the_file_or_through_the_environment))
