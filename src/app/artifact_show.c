/* SPDX-License-Identifier: BSD-3-Clause */
/* show: the plan of an artifact, and what its programs add up to. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/artifact_list.h"
#include "app/artifact_tally.h"
#include "app/reference.h"
#include "app/text.h"
#include "base/memory.h"
#include "parallel/parallel.h"

enum { LABEL = 12, MOST_STAGES = 40 };

static void print_label(const char *label)
{
    printf("%-*s", LABEL, label);
}

static double mebibytes(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_origin(const struct app_artifact *a, const struct app_artifact_tally *tally)
{
    const struct scenario *s = &a->scenario;
    int64_t instructions = 0;
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        instructions += tally->phase[phase].instructions;
    print_label("file");
    printf("%s, %s bytes, %.1f an instruction\n", record_artifact_path(a->file),
           app_text_count((int64_t)a->bytes).text,
           instructions ? (double)a->bytes / (double)instructions : 0.0);
    print_label("sha256");
    printf("%s\n", record_artifact_digest(a->file));
    print_label("model");
    printf("%s, %s parameters\n", a->model.name,
           app_text_count(model_parameter_count(&a->model)).text);
    print_label("bucket");
    printf("%" PRId32 " positions, batch %" PRId32 ", prefill chunk %" PRId32
           " in passes of %" PRId32 "; prompts of at most %" PRId32 " tokens\n",
           s->bucket.max_sequence, s->bucket.batch, s->bucket.prefill_chunk,
           a->outline.prefill_rows, s->workload.prompt_tokens);
}

/* Splits that were not taken: the length of their decode step, or that they do not fit. */
static void print_rivals(const struct app_artifact *a)
{
    const struct app_lpu_outline *o = &a->outline;
    const char *before = "; not ";
    for (size_t i = 0; i < a->candidates; i++) {
        const struct partition_candidate *c = &a->candidate[i];
        if (c->stages == o->stages && c->group == o->group)
            continue;
        if (c->fits)
            printf("%s%" PRId32 " x %" PRId32 " (%s cycles)", before, c->stages, c->group,
                   app_text_count(c->decode_cycles).text);
        else
            printf("%s%" PRId32 " x %" PRId32 " (does not fit)", before, c->stages, c->group);
        before = ", ";
    }
    puts("");
}

static void print_machine(const struct app_artifact *a, const struct lpu_topology *topology)
{
    const struct lpu_chip *chip = &a->scenario.lpu_chip;
    const struct app_lpu_outline *o = &a->outline;
    print_label("machine");
    printf("%" PRId32 " of %" PRId32 " %s at %.0f MHz, %" PRId32 " node%s\n", o->chips,
           topology->chips, chip->name, (double)chip->clock_hz / 1e6, topology->nodes,
           plural(topology->nodes));
    print_label("split");
    printf("%" PRId32 " stage%s x %" PRId32 " chip%s%s", o->stages, plural(o->stages), o->group,
           plural(o->group), app_lpu_columns(o));
    print_rivals(a);
}

/* "attention 5": a block by its place in embed, attention 0, mlp 0 in two shares, ..., head. The
 * share is said where it is `alone`. */
static char *block_name(const struct app_artifact *a, int32_t block, bool alone)
{
    static const char *const part[] = {"attention", "mlp", "mlp"};
    static const char *const share[] = {"", " (1st half)", " (2nd half)"};
    int32_t layer = (block - 1) / 3, n = (block + 2) % 3;
    if (block == 0)
        return base_strdup("embed");
    if (layer >= a->model.layers)
        return base_strdup("head");
    return base_format("%s %" PRId32 "%s", part[n], layer, alone ? share[n] : "");
}

/* Whether a stage begins with the second share of an MLP, or ends with the first. */
static bool begins_within(const struct partition_stage *s)
{
    return s->first_block > 0 && s->first_block % 3 == 0;
}

static bool ends_within(const struct partition_stage *s)
{
    return (s->first_block + s->blocks) % 3 == 0;
}

static void print_stage(const struct app_artifact *a, int32_t n)
{
    const struct partition_stage *s = &a->stage[n];
    char *first = block_name(a, s->first_block, begins_within(s));
    char *last = block_name(a, s->first_block + s->blocks - 1, ends_within(s));
    char *chips =
        base_format("%" PRId32 "-%" PRId32, s->first_chip, s->first_chip + a->outline.group - 1);
    char *blocks = base_format("%s to %s", first, last);
    printf("%5" PRId32 "  %-9s %-34s %10s %11s %9.1f %8.1f %7.1f %7.1f\n", n, chips, blocks,
           app_text_count(s->end_cycle[PARTITION_DECODE] - s->start_cycle[PARTITION_DECODE]).text,
           app_text_count(s->end_cycle[PARTITION_PREFILL] - s->start_cycle[PARTITION_PREFILL]).text,
           mebibytes(s->weight_bytes), mebibytes(s->embedding_bytes), mebibytes(s->kv_bytes),
           mebibytes(s->constant_bytes));
    base_free(first);
    base_free(last);
    base_free(chips);
    base_free(blocks);
}

static void print_stages(const struct app_artifact *a)
{
    const struct lpu_chip *chip = &a->scenario.lpu_chip;
    int64_t sram =
        (int64_t)2 * chip->mem_slices_per_hemisphere * chip->vectors_per_slice * chip->lanes;
    printf(
        "\nstage  chips     blocks                                 decode     prefill   weights  "
        "embedded      KV  consts\n");
    printf("%-51s %10s %11s   MiB of a chip's %.0f\n", "", "cycles", "cycles", mebibytes(sram));
    for (int32_t n = 0; n < a->outline.stages && n < MOST_STAGES; n++)
        print_stage(a, n);
    if (a->outline.stages > MOST_STAGES)
        printf("       and %" PRId32 " more\n", a->outline.stages - MOST_STAGES);
}

/* How seats share the pipeline. */
static void print_sharing(const struct app_artifact *a)
{
    const struct app_lpu_sharing *o = &a->sharing;
    size_t count;
    if (!a->distances)
        return;
    distances_ranges(a->distances, &count);
    print_label("seats");
    printf("%" PRId32 ", P = %s cycles in the largest bucket, %s in any mixture; %zu ranges of "
           "distances\n",
           o->seats.placed, app_text_count(o->interval.cycles[PARTITION_DECODE]).text,
           app_text_count(o->interval.mixed_cycles).text, count);
}

static void print_phases(const struct app_artifact *a, const struct app_artifact_tally *tally)
{
    printf("\n%-10s %12s %12s %13s %9s %9s %7s\n", "step", "cycles", "time", "instructions",
           "tensors", "ops", "slots");
    for (int n = 0; n < PARTITION_PHASES; n++) {
        const struct app_artifact_sums *sums = &tally->phase[n];
        int64_t cycles = a->outline.length_cycles[n];
        if (cycles == 0)
            continue;
        printf("%-10s %12s %12s %13s %9s %9s %7s\n",
               app_artifact_phase_name((enum partition_phase)n), app_text_count(cycles).text,
               app_text_time(machine_cycles_to_ps(&a->scenario.lpu_chip, cycles)).text,
               app_text_count(sums->instructions).text, app_text_count(sums->tensors).text,
               app_text_count(sums->ops).text, app_text_count(sums->slots).text);
    }
}

static void print_opcodes(const struct app_artifact_tally *tally)
{
    printf("\n%-10s %12s %12s\n", "does", "decode", "prefill");
    for (int opcode = 0; opcode < PROGRAM_OPCODES; opcode++) {
        int64_t decode = tally->phase[PARTITION_DECODE].opcode[opcode];
        int64_t prefill = tally->phase[PARTITION_PREFILL].opcode[opcode];
        if (decode + prefill > 0)
            printf("%-10s %12s %12s\n", program_opcode_name((enum program_opcode)opcode),
                   app_text_count(decode).text, app_text_count(prefill).text);
    }
}

static int by_cycles(const void *a, const void *b)
{
    const struct app_artifact_op *x = a, *y = b;
    if (x->cycles[PARTITION_DECODE] != y->cycles[PARTITION_DECODE])
        return x->cycles[PARTITION_DECODE] > y->cycles[PARTITION_DECODE] ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Ops with the longest first, as a decode step has them. */
static void print_ops(struct app_artifact_tally *tally)
{
    qsort(tally->op, tally->ops, sizeof *tally->op, by_cycles);
    printf("\n%-24s %12s %12s   cycles of the slowest chip, over layers\n", "op", "decode",
           "prefill");
    for (size_t n = 0; n < tally->ops; n++)
        printf("%-24s %12s %12s\n", tally->op[n].name,
               app_text_count(tally->op[n].cycles[PARTITION_DECODE]).text,
               app_text_count(tally->op[n].cycles[PARTITION_PREFILL]).text);
}

static void print_configuration(const struct app_artifact *a)
{
    puts("\ncompiled from");
    for (size_t i = 0; i < a->kept_count; i++)
        printf("  %s\n", a->kept[i]);
}

static void show_plan(const struct app_artifact *a, struct base_report *report)
{
    struct lpu_topology topology;
    struct app_artifact_tally tally = {0};
    if (!lpu_topology_build(&topology, &a->scenario.lpu_rack, &a->scenario.lpu_chip, report))
        return;
    if (app_artifact_tally_make(a, &topology, &tally, report)) {
        print_origin(a, &tally);
        print_machine(a, &topology);
        print_sharing(a);
        print_stages(a);
        print_phases(a, &tally);
        print_opcodes(&tally);
        print_ops(&tally);
        print_configuration(a);
    }
    app_artifact_tally_release(&tally);
    lpu_topology_release(&topology);
}

enum base_status app_artifact_show(struct app_run *run)
{
    const struct app_command *command = run->command;
    struct base_report *report = &run->report;
    size_t count;
    char *bytes = app_reference_read(command, command->file, &count, report);
    struct app_artifact *a = bytes && parallel_is_first()
                                 ? app_artifact_read(command->file, bytes, count, report)
                                 : NULL;
    base_free(bytes);
    enum base_status status = a ? BASE_USAGE : BASE_IO;
    if (a && command->chip >= 0)
        app_artifact_list(a, command, report);
    else if (a)
        show_plan(a, report);
    app_artifact_close(a);
    return parallel_agree_report(report, status);
}
