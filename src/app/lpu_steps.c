/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists the steps of a run: one behind the other, or as the seats of the pipeline allow. */
#include "app/lpu_steps.h"

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

/* Where a sequence stands in a decode step: its last prompt token goes through the first step
 * behind the prompts. Before its first one it stands at 0, and what it writes there is overwritten.
 */
int32_t app_lpu_position(const struct app_run *run, int32_t sequence, int32_t step)
{
    int32_t position = app_lpu_prompt_rows(run, sequence) + step - run->lpu->prompt_steps;
    return position > 0 ? position : 0;
}

/* Prefill passes one sequence after the other, or as many decode steps as the longest prompt needs.
 */
static int32_t prompt_steps(const struct app_run *run)
{
    int32_t chunk = run->lpu->outline.prefill_rows, passes = 0, longest = 0;
    for (int32_t s = 0; s < run->scenario.bucket.batch; s++) {
        int32_t rows = app_lpu_prompt_rows(run, s);
        passes += (rows + chunk - 1) / chunk;
        longest = rows > longest ? rows : longest;
    }
    return run->scenario.lpu_prefill ? passes : longest;
}

/* The smallest bucket that holds the position of every sequence in a decode step. */
static enum partition_phase bucket_of(const struct app_run *run, int32_t step)
{
    int32_t farthest = 0;
    for (int32_t s = 0; s < run->scenario.bucket.batch; s++) {
        int32_t position = app_lpu_position(run, s, step);
        farthest = position > farthest ? position : farthest;
    }
    for (int32_t r = 0; r < run->scenario.bucket.rungs; r++)
        if (farthest < run->scenario.bucket.rung[r])
            return PARTITION_RUNG + (enum partition_phase)r;
    return PARTITION_DECODE;
}

static void add_step(struct app_lpu *lpu, int32_t step, enum partition_phase phase,
                     int32_t sequence, int32_t position)
{
    int64_t start = step > 0 ? lpu->step[step - 1].end_cycle : 0;
    lpu->step[step] =
        (struct record_lpu_step){.step = step,
                                 .phase = (uint8_t)app_lpu_record_phase(phase),
                                 .sequence = sequence,
                                 .seat = sequence > 0 ? sequence : 0,
                                 .position = position,
                                 .bucket = lpu->outline.positions[phase],
                                 .start_cycle = start,
                                 .end_cycle = start + lpu->outline.length_cycles[phase]};
}

/* The steps of the batch, one behind the other. All prompt tokens but the last go through prefill
 * passes, or through decode steps whose tokens nobody needs; the last one gives the first token. */
static void list_one_by_one(struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct app_lpu *lpu = run->lpu;
    int32_t step = 0;
    lpu->sequences = 1;
    lpu->prompt_steps = prompt_steps(run);
    lpu->steps = lpu->prompt_steps + s->workload.decode_tokens;
    lpu->step = base_alloc((size_t)lpu->steps, sizeof *lpu->step);
    for (int32_t q = 0; s->lpu_prefill && q < s->bucket.batch; q++)
        for (int32_t row = 0; row < app_lpu_prompt_rows(run, q); row += lpu->outline.prefill_rows)
            add_step(lpu, step++, PARTITION_PREFILL, q, row);
    for (; step < lpu->steps; step++)
        add_step(lpu, step, bucket_of(run, step), -1, app_lpu_position(run, 0, step));
}

/* The step at which `wanted` decode steps of each sequence are behind. */
static int32_t asked_from(const struct app_lpu *lpu, int32_t wanted)
{
    int64_t left = (int64_t)(wanted > 2 ? wanted : 2) * lpu->sequences;
    int32_t step = 0;
    for (; step < lpu->steps && left > 0; step++)
        left -= lpu->step[step].phase == RECORD_DECODE;
    return step;
}

static int32_t replay_from(const struct app_run *run)
{
    int32_t wanted = run->scenario.lpu_execute_steps;
    if (wanted == 0)
        return run->lpu->steps;
    int32_t known = app_lpu_flight_known_from(run->lpu), asked = asked_from(run->lpu, wanted);
    return known > asked ? known : asked;
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
    bool flight = run->scenario.lpu_seats != 1;
    if (!flight)
        list_one_by_one(run);
    else if (parallel_is_first())
        app_lpu_list_flight(run);
    if (!flight)
        return;
    share_steps(run->lpu);
    run->lpu->replay_from = replay_from(run);
}

struct app_lpu_stand app_lpu_stand_of(const struct app_run *run, const struct record_lpu_step *step)
{
    struct app_lpu_stand stand = {.at[0] = {step->position, step->seat},
                                  .sequence[0] = step->sequence > 0 ? step->sequence : 0};
    for (int32_t s = 1; step->phase == RECORD_DECODE && s < run->scenario.bucket.batch; s++) {
        stand.at[s] = (struct program_sequence){app_lpu_position(run, s, step->step), s};
        stand.sequence[s] = s;
    }
    return stand;
}

bool app_lpu_gives_tokens(const struct app_run *run, const struct record_lpu_step *step)
{
    if (run->scenario.lpu_seats == 1)
        return step->step >= run->lpu->prompt_steps;
    return step->phase == RECORD_DECODE &&
           step->position >= app_lpu_prompt_rows(run, step->sequence);
}

int32_t app_lpu_next_token(const struct app_run *run, int32_t sequence, int32_t from)
{
    bool seats = run->scenario.lpu_seats != 1;
    for (int32_t n = from; n < run->lpu->steps; n++) {
        const struct record_lpu_step *step = &run->lpu->step[n];
        if ((!seats || step->sequence == sequence) && app_lpu_gives_tokens(run, step))
            return n;
    }
    return -1;
}
