/* SPDX-License-Identifier: BSD-3-Clause */
/* Executes the request on the chips of this rank, message by message, step by step.
 *
 * Nothing keeps chips in time with each other: a schedule says when everything arrives, so each
 * rank runs ahead until a receive lacks its message. Ranks meet every few steps only, to bound the
 * letters under way, to hear of signals and to write what happened. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/lpu.h"
#include "app/lpu_transfers.h"
#include "app/values.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "chip/chip_values.h"
#include "config/config.h"
#include "parallel/copies.h"
#include "parallel/mail.h"
#include "parallel/place.h"

enum { BATCH_STEPS = 8 };

/* What a letter is: the tag says so. */
enum { LETTER_PROMISE, LETTER_VECTORS };

/* What is added up over chips for a step; LENGTH and SHORTEST are extremes, not sums. */
enum {
    INSTRUCTIONS,
    VECTORS,
    VIOLATIONS,
    MESSAGES,
    BUSY,
    SUMS = BUSY + CHIP_UNITS,
};

struct step_sums {
    int64_t sum[SUMS];
    int64_t longest_cycles;
};

/* Execution on one rank. */
struct execution {
    struct app_run *run;
    struct app_lpu *lpu;
    struct parallel_mail *mail;
    struct base_progress progress;
    bool *awake, *done;     /* own chips: worth running; at the end of the step */
    int64_t left;           /* own chips that are not done */
    int32_t *token;         /* of the current step */
    struct step_sums *sums; /* [steps] */
    struct app_lpu_transfers transfers;
    int64_t messages_between_ranks;
};

static enum partition_phase phase_of(const struct record_lpu_step *step)
{
    return step->phase == RECORD_PREFILL ? PARTITION_PREFILL : PARTITION_DECODE;
}

/* Positions of a sequence's prompt before that of its last token. */
static int32_t prompt_rows(const struct app_run *run, int32_t sequence)
{
    return (run->values ? run->values->sequence[sequence].prompt_tokens
                        : run->scenario.workload.prompt_tokens) -
           1;
}

/* Where a sequence stands in a decode step: its last prompt token goes through the first step
 * behind the prompts. Before its first one it stands at 0, and what it writes there is overwritten.
 */
static int32_t decode_position(const struct app_run *run, int32_t sequence, int32_t step)
{
    int32_t position = prompt_rows(run, sequence) + step - run->lpu->prompt_steps;
    return position > 0 ? position : 0;
}

/* Prefill passes one sequence after the other, or as many decode steps as the longest prompt needs.
 */
static int32_t prompt_steps(const struct app_run *run)
{
    int32_t chunk = run->lpu->outline.prefill_rows, passes = 0, longest = 0;
    for (int32_t s = 0; s < run->scenario.bucket.batch; s++) {
        int32_t rows = prompt_rows(run, s);
        passes += (rows + chunk - 1) / chunk;
        longest = rows > longest ? rows : longest;
    }
    return run->scenario.lpu_prefill ? passes : longest;
}

static void add_step(struct app_lpu *lpu, int32_t step, enum partition_phase phase,
                     int32_t sequence, int32_t position)
{
    int64_t start = step > 0 ? lpu->step[step - 1].end_cycle : 0;
    lpu->step[step] =
        (struct record_lpu_step){.step = step,
                                 .phase = (uint8_t)app_lpu_record_phase(phase),
                                 .sequence = sequence,
                                 .position = position,
                                 .start_cycle = start,
                                 .end_cycle = start + lpu->outline.length_cycles[phase]};
}

/* The steps of the batch, one behind the other. All prompt tokens but the last go through prefill
 * passes, or through decode steps whose tokens nobody needs; the last one gives the first token. */
static void list_steps(struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct app_lpu *lpu = run->lpu;
    int32_t step = 0;
    lpu->prompt_steps = prompt_steps(run);
    lpu->steps = lpu->prompt_steps + s->workload.decode_tokens;
    lpu->step = base_alloc((size_t)lpu->steps, sizeof *lpu->step);
    for (int32_t q = 0; s->lpu_prefill && q < s->bucket.batch; q++)
        for (int32_t row = 0; row < prompt_rows(run, q); row += lpu->outline.prefill_rows)
            add_step(lpu, step++, PARTITION_PREFILL, q, row);
    for (; step < lpu->steps; step++)
        add_step(lpu, step, PARTITION_DECODE, -1, decode_position(run, 0, step));
}

/* Where the sequences of a step stand. Sequence s has cache s. */
static void stand(const struct app_run *run, const struct record_lpu_step *step,
                  struct program_sequence sequence[PROGRAM_SEQUENCES])
{
    if (step->phase == RECORD_PREFILL)
        sequence[0] = (struct program_sequence){step->position, step->sequence};
    for (int32_t s = 0; step->phase == RECORD_DECODE && s < run->scenario.bucket.batch; s++)
        sequence[s] = (struct program_sequence){decode_position(run, s, step->step), s};
}

static struct app_lpu_chip *own_chip(struct execution *e, int32_t chip)
{
    return &e->lpu->own[chip - e->lpu->block.first];
}

static void deliver(struct execution *e, const struct chip_message *message)
{
    chip_deliver(own_chip(e, message->to_chip)->chip, message);
    e->awake[message->to_chip - e->lpu->block.first] = true;
}

static void deliver_vectors(struct execution *e, const struct chip_vectors *vectors)
{
    chip_deliver_vectors(own_chip(e, vectors->to_chip)->chip, vectors);
    e->awake[vectors->to_chip - e->lpu->block.first] = true;
}

static void read_letter(void *context, const struct parallel_letter *letter)
{
    struct chip_message message;
    struct chip_vectors vectors;
    if (letter->tag == LETTER_PROMISE) {
        memcpy(&message, letter->bytes, sizeof message);
        deliver(context, &message);
        return;
    }
    memcpy(&vectors, letter->bytes, sizeof vectors);
    vectors.bytes = (const char *)letter->bytes + sizeof vectors;
    deliver_vectors(context, &vectors);
}

static void route(struct execution *e, const struct chip_message *message)
{
    int owner = parallel_block_owner(e->lpu->topology.chips, parallel_size(), message->to_chip);
    app_lpu_transfers_add(&e->transfers, message);
    if (owner == parallel_rank()) {
        deliver(e, message);
        return;
    }
    parallel_mail_send(e->mail, owner, LETTER_PROMISE, message, sizeof *message);
    e->messages_between_ranks++;
}

/* A letter of vectors: the structure, then the bytes that it speaks of. */
static void route_vectors(struct execution *e, const struct chip_vectors *vectors)
{
    int owner = parallel_block_owner(e->lpu->topology.chips, parallel_size(), vectors->to_chip);
    if (owner == parallel_rank()) {
        deliver_vectors(e, vectors);
        return;
    }
    size_t bytes = sizeof *vectors + vectors->size;
    char *letter = base_alloc(1, bytes);
    memcpy(letter, vectors, sizeof *vectors);
    memcpy(letter + sizeof *vectors, vectors->bytes, vectors->size);
    parallel_mail_send(e->mail, owner, LETTER_VECTORS, letter, bytes);
    base_free(letter);
}

static void route_all_vectors(struct execution *e, const struct chip *chip)
{
    struct chip_vectors vectors;
    for (int32_t link = 0; link < CHIP_LINKS; link++)
        if (chip_vectors_sent(chip, link, &vectors))
            route_vectors(e, &vectors);
}

static void run_chip(struct execution *e, int64_t i)
{
    struct chip *chip = e->lpu->own[i].chip;
    size_t count;
    e->awake[i] = false;
    if (chip_run(chip, INT64_MAX) == CHIP_DONE) {
        e->done[i] = true;
        e->left--;
    }
    const struct chip_message *message = chip_outbox(chip, &count);
    for (size_t k = 0; k < count; k++)
        route(e, &message[k]);
    if (e->run->values)
        route_all_vectors(e, chip);
    chip_outbox_clear(chip);
}

/* Runs own chips in turn until all are done or all wait; false where nobody could run. */
static bool run_chips(struct execution *e)
{
    bool ran = false;
    for (int64_t i = 0; i < e->lpu->block.count; i++)
        if (e->awake[i] && !e->done[i]) {
            run_chip(e, i);
            ran = true;
        }
    return ran;
}

int32_t app_lpu_drawn_token(const struct app_run *run, int32_t sequence, int32_t position)
{
    uint64_t seed = (uint64_t)run->scenario.seed, key = (uint64_t)sequence;
    return (int32_t)(base_random_u64(seed, BASE_RANDOM_TOKEN, key, (uint64_t)position) %
                     (uint64_t)run->model.vocabulary);
}

static int32_t token_at(const struct app_run *run, int32_t sequence, int32_t position)
{
    return run->values ? app_values_token(run, sequence, position)
                       : app_lpu_drawn_token(run, sequence, position);
}

/* Ids of the tokens of a step, whose sequences stand where `at` says. */
static void take_tokens(struct execution *e, const struct program *program,
                        const struct program_sequence *at)
{
    int32_t each = program->rows / program->sequences;
    for (int32_t i = 0; i < program->rows; i++)
        e->token[i] = token_at(e->run, at[i / each].cache, at[i / each].position + i % each);
}

static bool begin_step(struct execution *e, const struct record_lpu_step *step)
{
    enum partition_phase phase = phase_of(step);
    struct program_runtime runtime = {.token = e->token};
    bool begun = true;
    e->left = 0;
    stand(e->run, step, runtime.sequence);
    if (e->lpu->block.count > 0)
        take_tokens(e, &e->lpu->own[0].program[phase], runtime.sequence);
    for (int64_t i = 0; i < e->lpu->block.count; i++) {
        struct app_lpu_chip *own = &e->lpu->own[i];
        const struct program *program = &own->program[phase];
        e->awake[i] = own->chip != NULL;
        e->done[i] = !own->chip;
        if (!own->chip)
            continue;
        runtime.tokens = program->rows;
        begun = chip_begin(own->chip, program, &runtime, 0, &e->run->report) && begun;
        e->left++;
    }
    return begun;
}

static void finish_chip(struct step_sums *sums, struct chip *chip)
{
    struct chip_statistics found = chip_finish(chip);
    sums->sum[INSTRUCTIONS] += found.instructions;
    sums->sum[VECTORS] += found.vectors;
    sums->sum[VIOLATIONS] += found.violations;
    sums->sum[MESSAGES] += found.messages_sent;
    for (int unit = 0; unit < CHIP_UNITS; unit++)
        sums->sum[BUSY + unit] += found.busy_cycles[unit];
    if (found.executed_length_cycles > sums->longest_cycles)
        sums->longest_cycles = found.executed_length_cycles;
}

/* Executes one step on own chips. ARRIVED: it is done; else why it cannot be. */
static enum parallel_mail_state execute_step(struct execution *e, int32_t step)
{
    if (!begin_step(e, &e->lpu->step[step]))
        return PARALLEL_MAIL_FAILED;
    while (e->left > 0) {
        bool ran = run_chips(e);
        if (e->left == 0 || parallel_mail_receive(e->mail, read_letter, e) > 0 || ran)
            continue;
        enum parallel_mail_state state = parallel_mail_wait(e->mail, read_letter, e);
        if (state != PARALLEL_MAIL_ARRIVED)
            return state;
    }
    for (int64_t i = 0; i < e->lpu->block.count; i++)
        if (e->lpu->own[i].chip)
            finish_chip(&e->sums[step], e->lpu->own[i].chip);
    e->lpu->step[step].executed = 1;
    base_progress_update(&e->progress, step + 1);
    return PARALLEL_MAIL_ARRIVED;
}

/* Collective. Says which chip waits for what, a line each. */
static enum base_status explain(struct execution *e)
{
    for (int64_t i = 0; i < e->lpu->block.count; i++) {
        if (!e->lpu->own[i].chip || e->done[i])
            continue;
        struct chip_wait wait = chip_waiting_for(e->lpu->own[i].chip);
        base_report_add(&e->run->report, NULL, 0,
                        "chip %" PRId32 " waits at cycle %" PRId64 ", link %" PRId32
                        ", for tensor %.24s of layer %" PRId32 ", which nobody sends",
                        e->lpu->own[i].id, wait.cycle, wait.link, wait.tensor, wait.layer);
    }
    return parallel_agree_report(&e->run->report, BASE_NO_PROGRESS);
}

static void sum_step(struct execution *e, int32_t step)
{
    struct step_sums *sums = &e->sums[step];
    struct record_lpu_step *row = &e->lpu->step[step];
    int64_t compiled = e->lpu->outline.length_cycles[phase_of(row)];
    parallel_sum_i64(sums->sum, SUMS);
    parallel_max_i64(&sums->longest_cycles, 1);
    row->instructions_checked = sums->sum[INSTRUCTIONS];
    row->vectors_checked = sums->sum[VECTORS];
    row->violations = sums->sum[VIOLATIONS] + (sums->longest_cycles != compiled);
    if (sums->longest_cycles != compiled && !e->lpu->length_fault)
        e->lpu->length_fault = base_format("rule 10: the rack, step %" PRId32 ": expected %" PRId64
                                           " cycles, found %" PRId64 "\n",
                                           step, compiled, sums->longest_cycles);
    e->lpu->totals.steps++;
    e->lpu->totals.instructions += row->instructions_checked;
    e->lpu->totals.vectors += row->vectors_checked;
    e->lpu->totals.violations += row->violations;
    e->lpu->totals.messages += sums->sum[MESSAGES];
}

/* Collective. Steps [first, last) are in: adds them up over ranks and writes them. */
static enum base_status close_batch(struct execution *e, int32_t first, int32_t last)
{
    enum base_status status = BASE_OK;
    for (int32_t step = first; step < last && status == BASE_OK; step++) {
        sum_step(e, step);
        if (e->run->values)
            status = app_values_close_step(e->run, &e->lpu->step[step]);
    }
    app_lpu_transfers_flush(&e->transfers, e->run);
    app_progress(e->run, "LPU rack, step %" PRId32 " of %" PRId32, last, e->lpu->steps);
    struct record_file *file = e->run->file;
    return file && status == BASE_OK ? record_flush_if_due(file, e->run->progress, 5.0) : status;
}

/* Collective. Executes steps [first, last) and meets the other ranks. */
static enum base_status execute_batch(struct execution *e, int32_t first, int32_t last)
{
    enum parallel_mail_state state = PARALLEL_MAIL_ARRIVED;
    for (int32_t step = first; step < last && state == PARALLEL_MAIL_ARRIVED; step++)
        state = execute_step(e, step);
    bool faulty = !base_report_is_clean(&e->run->report);
    if (state == PARALLEL_MAIL_ARRIVED || faulty)
        state = parallel_mail_settle(e->mail, faulty ? BASE_FAILURE : BASE_OK, read_letter, e);
    if (state == PARALLEL_MAIL_NO_PROGRESS)
        return explain(e);
    if (state != PARALLEL_MAIL_SETTLED)
        return parallel_agree_report(&e->run->report, BASE_FAILURE);
    enum base_status status = close_batch(e, first, last);
    e->run->stop_signal = parallel_mail_stop_signal(e->mail);
    return status == BASE_OK && e->run->stop_signal ? BASE_FAILURE : status;
}

/* Whether the steps before `next` show that all later ones are the same but for time and place. */
static bool may_replay(const struct execution *e, int32_t next)
{
    int32_t wanted = e->run->scenario.lpu_execute_steps, executed = next - e->lpu->prompt_steps;
    if (wanted == 0 || executed < wanted || executed < 2)
        return false;
    const struct step_sums *a = &e->sums[next - 2], *b = &e->sums[next - 1];
    return !memcmp(a, b, sizeof *a) && e->lpu->totals.violations == 0;
}

/* The end of the batch from `first`: not beyond the phase, nor the steps asked for. Where numbers
 * are computed ranks look at every step together. */
static int32_t batch_end(const struct execution *e, int32_t first)
{
    int32_t wanted = e->run->scenario.lpu_execute_steps;
    int32_t last = first + (e->run->values ? 1 : BATCH_STEPS);
    int32_t phase_end = first < e->lpu->prompt_steps ? e->lpu->prompt_steps : e->lpu->steps;
    int32_t asked = e->lpu->prompt_steps + (wanted > 2 ? wanted : 2);
    last = last < phase_end ? last : phase_end;
    return wanted > 0 && first < asked && last > asked ? asked : last;
}

/* Steps from `first` on are closed form. */
static void replay(struct execution *e, int32_t first)
{
    struct program_sequence sequence[PROGRAM_SEQUENCES];
    int32_t steps = e->lpu->steps - first, batch = e->run->scenario.bucket.batch;
    for (int32_t s = 0; s < batch; s++)
        sequence[s] = (struct program_sequence){decode_position(e->run, s, e->lpu->steps), s};
    for (int64_t i = 0; i < e->lpu->block.count; i++)
        if (e->lpu->own[i].chip)
            chip_replayed(e->lpu->own[i].chip, steps, sequence, batch);
}

/* The text has ended: there are no further steps. */
static void end_text(struct execution *e, int32_t steps)
{
    e->lpu->steps = steps;
    e->run->scenario.workload.decode_tokens = e->run->values->tokens;
    config_scenario_counted(&e->run->scenario, "workload.decode_tokens");
}

static enum base_status execute_all(struct execution *e)
{
    enum base_status status = BASE_OK;
    for (int32_t first = 0; first < e->lpu->steps && status == BASE_OK;) {
        if (e->run->values && e->run->values->ended) {
            end_text(e, first);
            break;
        }
        if (may_replay(e, first)) {
            replay(e, first);
            break;
        }
        int32_t last = batch_end(e, first);
        status = execute_batch(e, first, last);
        first = last;
    }
    return status;
}

static struct execution open_execution(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    size_t own = (size_t)lpu->block.count, rows = (size_t)run->scenario.bucket.prefill_chunk;
    size_t batch = (size_t)run->scenario.bucket.batch;
    struct execution e = {.run = run, .lpu = lpu, .mail = parallel_mail_open()};
    e.awake = base_alloc(own, sizeof *e.awake);
    e.done = base_alloc(own, sizeof *e.done);
    e.token = base_alloc(rows > batch ? rows : batch, sizeof *e.token);
    e.sums = base_alloc((size_t)lpu->steps, sizeof *e.sums);
    base_progress_begin(&e.progress, "LPU rack", "steps", lpu->steps,
                        run->scenario.quiet || !parallel_is_first());
    return e;
}

/* Collective. */
static void close_execution(struct execution *e)
{
    struct app_lpu_totals *totals = &e->lpu->totals;
    struct parallel_mail_totals mail = parallel_mail_totals(e->mail);
    totals->messages_between_ranks = e->messages_between_ranks;
    totals->message_bytes = mail.sent_bytes;
    totals->rounds = mail.rounds;
    parallel_sum_i64(&totals->messages_between_ranks, 1);
    parallel_sum_i64(&totals->message_bytes, 1);
    base_progress_end(&e->progress, totals->steps);
    parallel_mail_close(e->mail);
    app_lpu_transfers_release(&e->transfers);
    base_free(e->awake);
    base_free(e->done);
    base_free(e->token);
    base_free(e->sums);
}

/* Steps that the run got to, executed or replayed. */
static void record_steps(const struct app_run *run, bool complete)
{
    int64_t steps = complete ? run->lpu->steps : run->lpu->totals.steps;
    bool first = parallel_is_first();
    if (run->file)
        record_append(run->file, record_layout(RECORD_LPU_STEPS), run->lpu->step,
                      first ? (size_t)steps : 0);
    if (run->file && run->values)
        app_values_record(run);
}

enum base_status app_lpu_execute(struct app_run *run)
{
    if (!run->lpu)
        return BASE_OK;
    double start_s = parallel_wall_seconds();
    list_steps(run);
    struct execution e = open_execution(run);
    enum base_status status = execute_all(&e);
    close_execution(&e);
    run->lpu->execute_seconds = parallel_wall_seconds() - start_s;
    record_steps(run, status == BASE_OK);
    app_lpu_tell_violations(run);
    if (run->lpu->totals.violations > 0)
        run->verdict = BASE_CONTRACT;
    return status;
}
