/* SPDX-License-Identifier: BSD-3-Clause */
/* The request of the run at both machines' doors: arrival, admission, first and last token. */
#include "app/app.h"
#include "app/gpu.h"
#include "app/lpu_steps.h"
#include "base/memory.h"
#include "parallel/parallel.h"

static int64_t transfer_ps(const struct app_run *run, int32_t tokens)
{
    return serve_machine_transfer_ps(&run->scenario.lpu_chip, tokens);
}

static int64_t length_ps(const struct app_run *run, enum partition_phase phase)
{
    return machine_cycles_to_ps(&run->scenario.lpu_chip, run->lpu->outline.length_cycles[phase]);
}

/* The prompt, where one seat takes steps one after the other. The batch is one request here, as
 * long as its longest: passes of the other sequences come before its first decode step, too. */
static int64_t prompt_ps(const struct app_run *run)
{
    return run->lpu->prompt_steps *
           length_ps(run, run->scenario.lpu_prefill ? PARTITION_PREFILL : PARTITION_DECODE);
}

/* Whether a step takes tokens of a sequence: its pass, or a decode step of its batch. */
static bool takes_part(const struct app_run *run, int32_t sequence,
                       const struct record_lpu_step *step)
{
    int32_t batch = run->scenario.bucket.batch;
    return step->phase == RECORD_PREFILL ? step->sequence == sequence
                                         : step->sequence / batch == sequence / batch;
}

/* A sequence among others: the plan says when its steps begin and end. All are there at the start.
 */
static struct serve_times times_of(const struct app_run *run, int32_t sequence)
{
    const struct app_served *served = &run->served[RECORD_LPU];
    const struct lpu_chip *chip = &run->scenario.lpu_chip;
    const struct record_lpu_step *step = run->lpu->step;
    int64_t out = served->start_ps + transfer_ps(run, 1);
    int32_t first = app_lpu_next_token(run, sequence, 0), last = first, begins = 0;
    while (!takes_part(run, sequence, &step[begins]))
        begins++;
    for (int32_t next = first; next >= 0; next = app_lpu_next_token(run, sequence, last + 1))
        last = next;
    return (struct serve_times){
        .admitted_ps = machine_cycles_to_ps(chip, step[begins].start_cycle),
        .first_token_ps = out + machine_cycles_to_ps(chip, step[first].end_cycle),
        .finished_ps = out + machine_cycles_to_ps(chip, step[last].end_cycle)};
}

struct app_crowd app_served_crowd(const struct app_run *run)
{
    struct app_crowd crowd = {.sequences = run->lpu->sequences, .earliest_ps = INT64_MAX};
    for (int32_t q = 0; q < crowd.sequences; q++) {
        struct serve_times t = times_of(run, q);
        if (t.first_token_ps < crowd.earliest_ps)
            crowd.earliest_ps = t.first_token_ps;
        if (t.first_token_ps > crowd.latest_ps)
            crowd.latest_ps = t.first_token_ps;
        if (t.finished_ps > crowd.finished_ps)
            crowd.finished_ps = t.finished_ps;
    }
    int64_t tokens = (int64_t)crowd.sequences * run->scenario.workload.decode_tokens;
    crowd.tokens_per_s = (double)tokens * 1e12 / (double)crowd.finished_ps;
    return crowd;
}

static void serve_seats(struct app_run *run)
{
    struct app_served *served = &run->served[RECORD_LPU];
    served->start_ps = transfer_ps(run, served->request.prompt_tokens);
    served->times = times_of(run, 0);
}

/* What the first `steps` steps save where they run in smaller buckets than the largest. */
static int64_t saved_ps(const struct app_run *run, int32_t steps)
{
    const struct app_lpu *lpu = run->lpu;
    const struct lpu_chip *chip = &run->scenario.lpu_chip;
    int64_t saved = 0, latency = lpu->outline.length_cycles[PARTITION_DECODE];
    for (int32_t s = 0; s < steps; s++)
        if (lpu->step[s].phase == RECORD_DECODE)
            saved += machine_cycles_to_ps(chip, latency) -
                     machine_cycles_to_ps(chip, lpu->step[s].end_cycle - lpu->step[s].start_cycle);
    return saved;
}

/* One seat, and nobody else: admitted on arrival, each step behind the one before. */
static void serve_lpu(struct app_run *run)
{
    struct app_served *served = &run->served[RECORD_LPU];
    int64_t latency = length_ps(run, PARTITION_DECODE), out = transfer_ps(run, 1);
    served->start_ps = transfer_ps(run, served->request.prompt_tokens);
    int64_t first = served->start_ps + prompt_ps(run) + latency + out;
    int64_t rest = (served->request.output_tokens - 1) * latency;
    served->times =
        (struct serve_times){.first_token_ps = first - saved_ps(run, run->lpu->prompt_steps + 1),
                             .finished_ps = first + rest - saved_ps(run, run->lpu->steps)};
}

/* An idle engine admits at once; its times are those of the simulation. */
static void serve_gpu(struct app_run *run)
{
    const struct app_gpu *gpu = run->gpu;
    run->served[RECORD_GPU].times =
        (struct serve_times){.first_token_ps = gpu->span[0].end_ps[gpu->prompt_steps - 1],
                             .finished_ps = gpu->span[0].end_ps[gpu->steps - 1]};
}

/* The longest time from token to token of a sequence, by the plan's steps. */
static int64_t lpu_gap_ps(const struct app_run *run, int32_t sequence)
{
    const struct lpu_chip *chip = &run->scenario.lpu_chip;
    const struct record_lpu_step *step = run->lpu->step;
    int64_t longest = 0;
    int32_t before = app_lpu_next_token(run, sequence, 0);
    for (int32_t n = before; n >= 0; before = n) {
        int64_t gap = machine_cycles_to_ps(chip, step[n].end_cycle) -
                      machine_cycles_to_ps(chip, step[before].end_cycle);
        longest = gap > longest ? gap : longest;
        n = app_lpu_next_token(run, sequence, n + 1);
    }
    return longest;
}

static int64_t gpu_gap_ps(const struct app_gpu *gpu)
{
    const int64_t *end_ps = gpu->span[0].end_ps;
    int64_t longest = 0;
    for (int32_t n = gpu->prompt_steps; n < gpu->steps; n++)
        if (end_ps[n] - end_ps[n - 1] > longest)
            longest = end_ps[n] - end_ps[n - 1];
    return longest;
}

/* The static machine's times are those that it promised. */
static struct record_serve_request row_of(const struct app_served *served,
                                          enum record_machine machine, size_t number)
{
    const struct serve_times *times = &served->times;
    return (struct record_serve_request){.machine = (uint8_t)machine,
                                         .request = (int32_t)number,
                                         .prompt_tokens = served->request.prompt_tokens,
                                         .output_tokens = served->request.output_tokens,
                                         .fate = SERVE_FINISHED,
                                         .arrival_ps = served->request.arrival_ps,
                                         .admitted_ps = times->admitted_ps,
                                         .first_token_ps = times->first_token_ps,
                                         .finished_ps = times->finished_ps,
                                         .promised_ps =
                                             machine == RECORD_LPU ? times->finished_ps : -1};
}

static void write_rows(struct app_run *run)
{
    size_t sequences = run->lpu ? (size_t)run->lpu->sequences : 0, rows = 0;
    struct record_serve_request *row = base_alloc(sequences + 1, sizeof *row);
    for (; rows < sequences; rows++) {
        struct app_served served = run->served[RECORD_LPU];
        if (run->scenario.lpu_seats != 1)
            served.times = times_of(run, (int32_t)rows);
        row[rows] = row_of(&served, RECORD_LPU, rows);
        row[rows].longest_gap_ps = lpu_gap_ps(run, (int32_t)rows);
    }
    if (run->gpu) {
        row[rows] = row_of(&run->served[RECORD_GPU], RECORD_GPU, 0);
        row[rows++].longest_gap_ps = gpu_gap_ps(run->gpu);
    }
    record_append(run->file, record_layout(RECORD_SERVE_REQUESTS), row,
                  parallel_is_first() ? rows : 0);
    base_free(row);
}

double app_served_rate(const struct app_served *served)
{
    const struct serve_times *times = &served->times;
    int32_t tokens = served->request.output_tokens;
    int64_t span = tokens > 1 ? times->finished_ps - times->first_token_ps : times->finished_ps;
    return (double)(tokens > 1 ? tokens - 1 : 1) * 1e12 / (double)span;
}

enum base_status app_serve_request(struct app_run *run)
{
    const struct workload *work = &run->scenario.workload;
    for (int machine = 0; machine < 2; machine++)
        run->served[machine].request = (struct serve_request){.prompt_tokens = work->prompt_tokens,
                                                              .output_tokens = work->decode_tokens};
    if (run->lpu && run->scenario.lpu_seats != 1)
        serve_seats(run);
    else if (run->lpu)
        serve_lpu(run);
    if (run->gpu)
        serve_gpu(run);
    if (run->file)
        write_rows(run);
    return BASE_OK;
}
