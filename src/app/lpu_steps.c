/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists the steps of a run: one behind the other, or as the seats of the pipeline allow. */
#include "app/lpu_steps.h"

#include "app/artifact.h"
#include "app/lpu_flight.h"
#include "app/values.h"
#include "base/memory.h"
#include "parallel/copies.h"

enum partition_phase app_lpu_phase_of(const struct app_lpu *lpu, const struct record_lpu_step *step)
{
    enum partition_phase phase = PARTITION_RUNG;
    if (step->phase == RECORD_PREFILL)
        return PARTITION_PREFILL;
    while (phase < PARTITION_PHASES && lpu->outline.positions[phase] != step->bucket)
        phase++;
    return phase < PARTITION_PHASES ? phase : PARTITION_DECODE;
}

int32_t app_lpu_prompt_rows(const struct app_run *run, int32_t sequence)
{
    return (run->values ? run->values->sequence[sequence].prompt_tokens
                        : run->scenario.workload.prompt_tokens) -
           1;
}

/* A sequence's last prompt token goes through the first step behind the prompts. Before its first
 * one it stands at 0, and what it writes there is overwritten. */
int32_t app_lpu_position(const struct app_run *run, int32_t sequence,
                         const struct record_lpu_step *step)
{
    int32_t position = app_lpu_prompt_rows(run, sequence) + step->round;
    return position > 0 ? position : 0;
}

static int32_t passes_of(const struct app_run *run, int32_t sequence)
{
    int32_t chunk = run->lpu->outline.prefill_rows;
    return (app_lpu_prompt_rows(run, sequence) + chunk - 1) / chunk;
}

/* Prefill passes one sequence after the other, or as many decode steps as the longest prompt needs.
 */
int32_t app_lpu_prompt_steps(const struct app_run *run, int32_t first)
{
    int32_t passes = 0, longest = 0;
    for (int32_t s = first; s < first + run->scenario.bucket.batch; s++) {
        int32_t rows = app_lpu_prompt_rows(run, s);
        passes += passes_of(run, s);
        longest = rows > longest ? rows : longest;
    }
    return run->scenario.lpu_prefill ? passes : longest;
}

/* The smallest bucket that holds the position of every sequence in a decode step. */
static enum partition_phase bucket_of(const struct app_run *run, const struct record_lpu_step *step)
{
    int32_t farthest = 0, n = 0;
    for (int32_t s = 0; s < run->scenario.bucket.batch; s++) {
        int32_t position = app_lpu_position(run, step->sequence + s, step);
        farthest = position > farthest ? position : farthest;
    }
    while (n < run->scenario.bucket.rungs && farthest >= run->scenario.bucket.rung[n])
        n++;
    return app_lpu_bucket(run, n);
}

/* Makes a step pass `number` of the prompts of its batch. */
static void take_pass(const struct app_run *run, struct record_lpu_step *step, int32_t number)
{
    for (; number >= passes_of(run, step->sequence); step->sequence++, step->seat++)
        number -= passes_of(run, step->sequence);
    step->phase = RECORD_PREFILL;
    step->position = number * run->lpu->outline.prefill_rows;
}

struct record_lpu_step app_lpu_step_of(const struct app_run *run, int32_t first, int32_t cache,
                                       int32_t number)
{
    int32_t round = number - app_lpu_prompt_steps(run, first);
    struct record_lpu_step step = {
        .phase = RECORD_DECODE, .sequence = first, .seat = cache, .round = round};
    enum partition_phase phase = PARTITION_PREFILL;
    if (round < 0 && run->scenario.lpu_prefill)
        take_pass(run, &step, number);
    else {
        step.position = app_lpu_position(run, first, &step);
        phase = bucket_of(run, &step);
    }
    step.bucket = run->lpu->outline.positions[phase];
    return step;
}

/* The steps of the batch, one behind the other. All prompt tokens but the last go through prefill
 * passes, or through decode steps whose tokens nobody needs; the last one gives the first token. */
static void list_one_by_one(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    int64_t start = 0;
    lpu->sequences = 1;
    lpu->prompt_steps = app_lpu_prompt_steps(run, 0);
    lpu->steps = lpu->prompt_steps + run->scenario.workload.decode_tokens;
    lpu->step = base_alloc((size_t)lpu->steps, sizeof *lpu->step);
    for (int32_t n = 0; n < lpu->steps; n++) {
        struct record_lpu_step *step = &lpu->step[n];
        *step = app_lpu_step_of(run, 0, 0, n);
        step->step = n;
        step->start_cycle = start;
        step->end_cycle = start += lpu->outline.length_cycles[app_lpu_phase_of(lpu, step)];
    }
}

/* Marks prompts, and of each bucket as many steps as were asked for. */
static void mark_one_by_one(const struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    int32_t wanted = run->scenario.lpu_execute_steps, most = wanted > 2 ? wanted : 2;
    int32_t found[PARTITION_PHASES] = {0};
    for (int32_t n = 0; n < lpu->steps; n++)
        lpu->executes[n] = wanted == 0 || n < lpu->prompt_steps ||
                           found[app_lpu_phase_of(lpu, &lpu->step[n])]++ < most;
}

static void share_steps(struct app_lpu *lpu)
{
    parallel_broadcast(&lpu->steps, sizeof lpu->steps);
    parallel_broadcast(&lpu->prompt_steps, sizeof lpu->prompt_steps);
    parallel_broadcast(&lpu->sequences, sizeof lpu->sequences);
    if (!parallel_is_first())
        lpu->step = base_alloc((size_t)lpu->steps, sizeof *lpu->step);
    parallel_broadcast(lpu->step, (size_t)lpu->steps * sizeof *lpu->step);
}

void app_lpu_list_steps(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    bool flight = run->scenario.lpu_seats != 1;
    bool verify = run->command->kind == APP_COMMAND_VERIFY;
    if (verify)
        app_artifact_list_steps(run);
    else if (!flight)
        list_one_by_one(run);
    else if (parallel_is_first())
        app_lpu_list_flight(run);
    if (flight && !verify)
        share_steps(lpu);
    lpu->executes = base_alloc((size_t)lpu->steps, sizeof *lpu->executes);
    if (flight)
        app_lpu_mark_flight(run);
    else
        mark_one_by_one(run);
}

struct app_lpu_stand app_lpu_stand_of(const struct app_run *run, const struct record_lpu_step *step)
{
    struct app_lpu_stand stand = {.at[0] = {step->position, step->seat},
                                  .sequence[0] = step->sequence};
    for (int32_t s = 1; step->phase == RECORD_DECODE && s < run->scenario.bucket.batch; s++) {
        stand.sequence[s] = step->sequence + s;
        stand.at[s] = (struct program_sequence){app_lpu_position(run, stand.sequence[s], step),
                                                step->seat + s};
    }
    return stand;
}

int32_t app_lpu_next_token(const struct app_run *run, int32_t sequence, int32_t from)
{
    int32_t first = sequence - sequence % run->scenario.bucket.batch;
    for (int32_t n = from; n < run->lpu->steps; n++)
        if (run->lpu->step[n].sequence == first && app_lpu_gives_tokens(&run->lpu->step[n]))
            return n;
    return -1;
}
