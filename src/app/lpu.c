/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles the model once, and loads the programs of this rank's chips. */
#include "app/lpu.h"

#include <stdio.h>

#include "app/artifact.h"
#include "app/lpu_programs.h"
#include "app/values.h"
#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/place.h"

struct app_lpu *app_lpu_create(void)
{
    return base_alloc(1, sizeof(struct app_lpu));
}

static void chip_free(struct app_lpu_chip *own)
{
    if (own->chip)
        chip_destroy(own->chip);
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        program_release(&own->program[phase]);
}

void app_lpu_free(struct app_lpu *lpu)
{
    if (!lpu)
        return;
    for (int64_t i = 0; lpu->own && i < lpu->block.count; i++)
        chip_free(&lpu->own[i]);
    base_free(lpu->own);
    base_free(lpu->step);
    base_free(lpu->executes);
    base_free(lpu->violations);
    base_free(lpu->length_fault);
    plan_release(lpu->plan);
    lpu_topology_release(&lpu->topology);
    base_free(lpu);
}

int64_t app_lpu_latency_cycles(const struct app_run *run, enum partition_phase kind)
{
    return run->lpu->outline.length_cycles[kind] + run->scenario.lpu_chip.mem_write_skew_cycles;
}

int64_t app_lpu_token_cycles(const struct app_run *run, enum partition_phase kind)
{
    const struct app_lpu_sharing *sharing = &run->lpu->sharing;
    int64_t turn = sharing->seats.placed * sharing->interval.cycles[kind];
    int64_t latency = app_lpu_latency_cycles(run, kind);
    return turn > latency ? turn : latency;
}

enum partition_phase app_lpu_bucket(const struct app_run *run, int32_t n)
{
    return n < run->scenario.bucket.rungs ? PARTITION_RUNG + (enum partition_phase)n
                                          : PARTITION_DECODE;
}

static void outline_bounds(struct app_lpu *lpu)
{
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++) {
        struct bound_step step;
        if (!lpu->outline.length_cycles[phase])
            continue;
        bound_step(lpu->plan, phase, &step);
        lpu->outline.bound_cycles[phase] = step.bound;
        for (enum bound_class of = 0; of < BOUND_CLASSES; of++)
            lpu->outline.share_cycles[phase][of] = step.share[of];
        bound_release(&step);
    }
}

static void outline(struct app_lpu *lpu)
{
    lpu->outline = (struct app_lpu_outline){.stages = plan_stages(lpu->plan),
                                            .group = plan_group(lpu->plan),
                                            .chips = plan_chips(lpu->plan),
                                            .columns = plan_columns(lpu->plan),
                                            .prefill_rows = plan_prefill_rows(lpu->plan)};
    lpu->sharing.seats = plan_seats(lpu->plan);
    if (plan_interval(lpu->plan)) {
        lpu->sharing.interval = interval_of(plan_interval(lpu->plan));
        lpu->distances = interval_distances(plan_interval(lpu->plan));
    }
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++) {
        lpu->outline.length_cycles[phase] = plan_length_cycles(lpu->plan, phase);
        lpu->outline.positions[phase] = plan_positions(lpu->plan, phase);
    }
    outline_bounds(lpu);
    lpu->stage = plan_stage(lpu->plan, 0);
    lpu->candidate = plan_candidates(lpu->plan, &lpu->candidates);
}

/* First rank. */
static enum base_status compile(struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct app_lpu *lpu = run->lpu;
    enum base_status status;
    struct partition_input input = {.chip = &s->lpu_chip,
                                    .rack = &s->lpu_rack,
                                    .topology = &lpu->topology,
                                    .model = &run->model,
                                    .bucket = &s->bucket,
                                    .workload = &s->workload,
                                    .seats = s->lpu_seats ? s->lpu_seats : PARTITION_ALL_SEATS};
    lpu->plan = plan_compile(&input, &run->report, &status);
    if (lpu->plan)
        outline(lpu);
    return status;
}

/* Collective. The first rank compiles, or all have an artifact; all know the outline. */
static enum base_status plan_once(struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct app_lpu *lpu = run->lpu;
    enum base_status status = BASE_USAGE;
    bool wired = lpu_topology_build(&lpu->topology, &s->lpu_rack, &s->lpu_chip, &run->report);
    if (wired && run->artifact)
        app_artifact_outline(run->artifact, lpu);
    else if (wired && parallel_is_first())
        status = compile(run);
    status = parallel_agree_report(&run->report, status);
    parallel_broadcast(&lpu->outline, sizeof lpu->outline);
    parallel_broadcast(&lpu->sharing, sizeof lpu->sharing);
    return status;
}

/* Loads one chip's programs; a chip without instructions is not made. */
static void load_chip(struct app_run *run, struct app_lpu_chip *own)
{
    struct app_lpu *lpu = run->lpu;
    bool works = false, valid = true;
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        struct program *program = &own->program[phase];
        if (!run->artifact) /* those of an artifact were judged when they were read */
            valid = program_is_valid(&run->scenario.lpu_chip, program, &run->report) && valid;
        works = works || program->instructions > 0;
    }
    if (!works || !valid)
        return;
    own->chip = chip_create(&run->scenario.lpu_chip, &lpu->topology, own->id);
    for (int phase = 0; phase < PARTITION_PHASES; phase++)
        if (app_lpu_has_phase(lpu, (enum partition_phase)phase))
            chip_load(own->chip, &own->program[phase]);
    if (run->values) {
        double start_s = parallel_wall_seconds();
        app_values_load(run, own);
        lpu->load_seconds += parallel_wall_seconds() - start_s;
    }
}

static enum base_status load_chips(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    lpu->block = parallel_block_of(lpu->topology.chips, parallel_size(), parallel_rank());
    lpu->own = base_alloc((size_t)lpu->block.count, sizeof *lpu->own);
    enum base_status status = run->artifact ? app_artifact_take(run) : BASE_OK;
    if (status != BASE_OK)
        return status;
    if (!run->artifact)
        app_lpu_hand_out(lpu);
    for (int64_t i = 0; i < lpu->block.count; i++) {
        lpu->own[i].id = (int32_t)(lpu->block.first + i);
        load_chip(run, &lpu->own[i]);
    }
    return parallel_agree_report(&run->report, BASE_CONTRACT);
}

static void say_layout(const struct app_run *run)
{
    if (!parallel_is_first() || run->scenario.quiet)
        return;
    char *text = parallel_block_text(run->lpu->topology.chips, parallel_size(), "chips");
    fprintf(stderr, "%s in %.1f s: %s\n", run->artifact ? "loaded" : "compiled",
            run->lpu->compile_seconds, text);
    base_free(text);
}

enum base_status app_lpu_compile(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    if (!lpu)
        return BASE_OK;
    double start_s = parallel_wall_seconds();
    enum base_status status = plan_once(run);
    if (run->command->kind == APP_COMMAND_COMPILE) {
        lpu->compile_seconds = parallel_wall_seconds() - start_s;
        return status;
    }
    if (status == BASE_OK && run->command->kind != APP_COMMAND_EXPLAIN)
        status = load_chips(run);
    if (status != BASE_OK || run->command->kind == APP_COMMAND_EXPLAIN)
        return status;
    lpu->compile_seconds = parallel_wall_seconds() - start_s - lpu->load_seconds;
    say_layout(run);
    app_lpu_sum(lpu, &run->scenario.lpu_chip);
    return run->file ? app_lpu_record(run) : BASE_OK;
}
