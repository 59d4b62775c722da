/* SPDX-License-Identifier: BSD-3-Clause */
/* All faults of all files come in one go, each with file, line, key, value and what would be right.
 */
#include "test.h"

#include <string.h>

#include "sample.h"

static const char chip_text[] = "clock = \"900 mhz\";\n"
                                "mxm_compute = \"36 ns\";\n"
                                "power_max = 300;\n"
                                "lanez = 320;\n";

static const char rack_text[] = "model = { path = \"nowhere\"; };\n"
                                "bucket = {\n"
                                "    max_sequence = 0;\n"
                                "    prefil_chunk = 128;\n"
                                "    batch = \"one\";\n"
                                "};\n"
                                "workload = { prompt_tokens = 1.5; decode_tokens = 8; };\n"
                                "lpu = {\n"
                                "    chip = \"chip.cfg\"; numerics = 8;\n"
                                "    rack = { nodes = 40; chips_per_node = [1, 2]; };\n"
                                "};\n"
                                "gpu = {\n"
                                "    chip = \"gone.cfg\";\n"
                                "    cluster = 5;\n"
                                "    neighbour = 1;\n"
                                "    warps = { many = 4; };\n"
                                "    nothing = { };\n"
                                "};\n"
                                "run = { mode = \"tpu\"; json = 5; };\n"
                                "values = { on = true; };\n";

static const char *const said[] = {
    "rack.cfg:1: model.path: \"nowhere\" is not there",
    "rack.cfg:3: bucket.max_sequence: 0 is out of range: 1 to 1048576",
    "rack.cfg:4: unknown key \"bucket.prefil_chunk\"; the nearest known one is \"bucket.",
    "rack.cfg:5: bucket.batch: \"one\" is not a number",
    "rack.cfg:7: workload.prompt_tokens: \"1.5\" is not a whole number",
    "chip.cfg:1: lpu.chip.clock: \"900 mhz\": unknown unit \"mhz\"",
    "chip.cfg:2: lpu.chip.mxm_compute: \"36 ns\": \"ns\" is a unit of a time",
    "chip.cfg:3: lpu.chip.power_max: \"300\" has no unit; a power is written in W",
    "chip.cfg:4: unknown key \"lpu.chip.lanez\"; the nearest known one is \"lpu.chip.lanes\"",
    "chip.cfg: lpu.chip.lanes is missing: bytes of a vector (16 to 4096)",
    "rack.cfg:9: lpu.numerics: one value is wanted, in quotes: \"fp32\" or \"int8\"",
    "rack.cfg:10: lpu.rack.nodes: 40 is out of range: 1 to 33",
    "rack.cfg:10: lpu.rack.chips_per_node: one value is wanted: 1 to 8",
    "rack.cfg:13: gpu.chip: \"gone.cfg\" is not there",
    "rack.cfg:14: gpu.cluster: a group { ... } or the name of a file is wanted",
    "rack.cfg:15: gpu.neighbour: \"1\": write true, false, on or off",
    "rack.cfg:16: unknown key \"gpu.warps.many\"",
    "rack.cfg:17: unknown key \"gpu.nothing\"",
    "rack.cfg:19: run.mode: \"tpu\": write \"lpu\", \"gpu\" or \"both\"",
    "rack.cfg:19: run.json: one value is wanted, in quotes",
    "rack.cfg:20: values: one value is wanted: true, false, on or off",
};

static void all_faults_of_all_files_come_together(void)
{
    sample_file("chip.cfg", chip_text);
    struct sample sample = sample_read(sample_file("rack.cfg", rack_text),
                                       (const char *const[]){"run.mode=both", NULL});
    CU_ASSERT_FALSE(sample.accepted);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        CU_ASSERT_TRUE(sample_says(&sample, said[i]));
    sample_release(&sample);
}

static void what_could_not_be_read_is_not_also_missing(void)
{
    sample_file("chip.cfg", chip_text);
    struct sample sample = sample_read(sample_file("rack.cfg", rack_text),
                                       (const char *const[]){"run.mode=both", NULL});
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "gpu.chip.sms is missing"));
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "gpu.chip is missing"));
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "gpu.cluster is missing"));
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "lpu.chip.clock is missing"));
    sample_release(&sample);
}

static void an_empty_file_lacks_sections_by_name(void)
{
    struct sample sample = sample_read(sample_file("empty.cfg", ""), NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "empty.cfg: model.path is missing"));
    CU_ASSERT_TRUE(sample_says(&sample, "lpu.chip is missing: name a file of chips/"));
    CU_ASSERT_TRUE(sample_says(&sample, "gpu.cluster is missing: name a file of topologies/"));
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "lpu.chip.clock"));
    sample_release(&sample);
}

static void the_machine_that_the_mode_leaves_out_may_be_absent(void)
{
    struct sample sample = sample_read(sample_file("gpu.cfg", "run = { mode = \"gpu\"; };"), NULL);
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "lpu."));
    CU_ASSERT_TRUE(sample_says(&sample, "gpu.chip is missing"));
    sample_release(&sample);
}

static void a_key_written_twice_is_reported_with_its_line(void)
{
    struct sample sample =
        sample_read(sample_file("twice.cfg", "bucket = {\n  batch = 1;\n  batch = 2;\n};\n"), NULL);
    CU_ASSERT_TRUE(sample_says(
        &sample, "twice.cfg:3: duplicate setting name at \"batch = 2;\": write each key once"));
    CU_ASSERT_EQUAL(sample.report.count, 1);
    sample_release(&sample);
}

static void a_syntax_error_does_not_hide_other_faults(void)
{
    sample_file("chip.cfg", chip_text);
    struct sample sample = sample_read(
        sample_file("broken.cfg", "lpu = { chip = \"chip.cfg\"; };\nbucket = { batch = = 1; };\n"),
        NULL);
    CU_ASSERT_TRUE(sample_says(&sample, "broken.cfg:2: syntax error at \"bucket = {"));
    CU_ASSERT_TRUE(sample_says(&sample, "chip.cfg:1: lpu.chip.clock"));
    CU_ASSERT_PTR_NULL(strstr(sample.faults, "workload.prompt_tokens is missing"));
    sample_release(&sample);
}

TEST_MAIN("faults", TEST(all_faults_of_all_files_come_together),
          TEST(what_could_not_be_read_is_not_also_missing),
          TEST(an_empty_file_lacks_sections_by_name),
          TEST(the_machine_that_the_mode_leaves_out_may_be_absent),
          TEST(a_key_written_twice_is_reported_with_its_line),
          TEST(a_syntax_error_does_not_hide_other_faults))
