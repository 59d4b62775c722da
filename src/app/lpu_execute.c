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
#include "app/lpu_steps.h"
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
    bool *awake, *done; /* own chips: worth running; at the cycle to which all run */
    int64_t until;
    int64_t left;                   /* own chips that are not done */
    int32_t **token;                /* [steps], of those that are open */
    int32_t **expert;               /* the same: [layers][rows][experts a token]; NULL: none */
    int32_t *ending;                /* [steps], in the order in which they end */
    int32_t begun, finished, limit; /* steps; none from `limit` on is begun */
    struct step_sums *sums;         /* [steps] */
    struct app_lpu_transfers transfers;
    int64_t messages_between_ranks;
};

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

static void route_all_vectors(struct execution *e, struct chip *chip)
{
    struct chip_vectors vectors;
    for (int32_t link = 0; link < CHIP_LINKS; link++)
        while (chip_take_vectors(chip, link, &vectors))
            route_vectors(e, &vectors);
}

static void run_chip(struct execution *e, int64_t i)
{
    struct chip *chip = e->lpu->own[i].chip;
    size_t count;
    e->awake[i] = false;
    if (chip_run(chip, e->until) == CHIP_DONE) {
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

/* Ids of the tokens of a step, whose sequences stand where `stand` says; owned. */
static int32_t *take_tokens(const struct app_run *run, const struct program *program,
                            const struct app_lpu_stand *stand)
{
    int32_t each = program->rows / program->sequences;
    int32_t *token = base_alloc((size_t)program->rows, sizeof *token);
    for (int32_t i = 0; i < program->rows; i++)
        token[i] =
            token_at(run, stand->sequence[i / each], stand->at[i / each].position + i % each);
    return token;
}

/* Different experts of a sequence's token at `position` in a layer, by a shuffle that stops at the
 * last one. */
static void draw_experts(const struct app_run *run, int32_t layer, int32_t sequence,
                         int32_t position, int32_t *id)
{
    uint64_t seed = (uint64_t)run->scenario.seed;
    uint64_t entity = (uint64_t)layer << 32 | (uint64_t)sequence;
    int32_t all = (int32_t)run->model.experts, chosen = (int32_t)run->model.experts_per_token;
    int32_t *left = base_alloc((size_t)all, sizeof *left);
    for (int32_t n = 0; n < all; n++)
        left[n] = n;
    for (int32_t n = 0; n < chosen; n++) {
        uint64_t place = (uint64_t)position * (uint64_t)chosen + (uint64_t)n;
        uint64_t drawn = base_random_u64(seed, BASE_RANDOM_EXPERT, entity, place);
        int32_t k = (int32_t)(drawn % (uint64_t)(all - n));
        id[n] = left[k];
        left[k] = left[all - n - 1];
    }
    base_free(left);
}

/* Of all layers and rows of the step: [layers][rows][experts a token]; owned. NULL where none are
 * drawn. */
static int32_t *take_experts(const struct app_run *run, const struct program *program,
                             const struct app_lpu_stand *stand)
{
    const struct model *model = &run->model;
    int32_t rows = program->rows, each = rows / program->sequences;
    size_t choices = (size_t)(model->layers * rows * model->experts_per_token);
    if (!choices || run->values)
        return NULL;
    int32_t *expert = base_alloc(choices, sizeof *expert);
    for (int32_t n = 0; n < (int32_t)model->layers * rows; n++) {
        int32_t s = n % rows / each;
        draw_experts(run, n / rows, stand->sequence[s], stand->at[s].position + n % rows % each,
                     expert + n * model->experts_per_token);
    }
    return expert;
}

static bool begin_step(struct execution *e)
{
    const struct record_lpu_step *step = &e->lpu->step[e->begun];
    enum partition_phase phase = app_lpu_phase_of(e->lpu, step);
    struct app_lpu_stand stand = app_lpu_stand_of(e->run, step);
    struct program_runtime runtime = {.expert_layers = (int32_t)e->run->model.layers};
    bool begun = true;
    memcpy(runtime.sequence, stand.at, sizeof runtime.sequence);
    if (e->lpu->block.count > 0) {
        const struct program *any = &e->lpu->own[0].program[phase];
        runtime.token = e->token[e->begun] = take_tokens(e->run, any, &stand);
        runtime.expert = e->expert[e->begun] = take_experts(e->run, any, &stand);
    }
    for (int64_t i = 0; i < e->lpu->block.count; i++) {
        struct app_lpu_chip *own = &e->lpu->own[i];
        runtime.tokens = own->program[phase].rows;
        if (own->chip)
            begun = chip_begin(own->chip, &own->program[phase], &runtime, step->start_cycle,
                               &e->run->report) &&
                    begun;
    }
    e->begun++;
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

/* Executes on own chips what is issued before cycle `until`. ARRIVED: it is done; else why it
 * cannot be. */
static enum parallel_mail_state run_until(struct execution *e, int64_t until)
{
    e->until = until;
    e->left = 0;
    for (int64_t i = 0; i < e->lpu->block.count; i++) {
        e->awake[i] = e->lpu->own[i].chip != NULL;
        e->done[i] = !e->awake[i];
        e->left += e->awake[i];
    }
    while (e->left > 0) {
        bool ran = run_chips(e);
        if (e->left == 0 || parallel_mail_receive(e->mail, read_letter, e) > 0 || ran)
            continue;
        enum parallel_mail_state state = parallel_mail_wait(e->mail, read_letter, e);
        if (state != PARALLEL_MAIL_ARRIVED)
            return state;
    }
    return PARALLEL_MAIL_ARRIVED;
}

static void finish_step(struct execution *e)
{
    int32_t step = e->ending[e->finished++];
    for (int64_t i = 0; i < e->lpu->block.count; i++)
        if (e->lpu->own[i].chip)
            finish_chip(&e->sums[step], e->lpu->own[i].chip);
    base_free(e->token[step]);
    base_free(e->expert[step]);
    e->token[step] = e->expert[step] = NULL;
    e->lpu->step[step].executed = 1;
    base_progress_update(&e->progress, e->finished);
}

/* Goes on until `steps` have ended: from one cycle at which a step begins or ends to the next. What
 * a step wrote last stands in SRAM a little after its end. Where steps do not overlap, the next one
 * begins afterwards all the same: chips begin their clock anew. */
static enum parallel_mail_state execute_until(struct execution *e, int32_t steps)
{
    int64_t settle = e->run->scenario.lpu_chip.mem_write_skew_cycles;
    int64_t overlap = e->run->scenario.lpu_seats == 1 ? 0 : settle;
    while (e->finished < steps) {
        const struct record_lpu_step *ending = &e->lpu->step[e->ending[e->finished]];
        const struct record_lpu_step *next = e->begun < e->limit ? &e->lpu->step[e->begun] : NULL;
        bool begins = next && next->start_cycle < ending->end_cycle + overlap;
        enum parallel_mail_state state =
            run_until(e, begins ? next->start_cycle : ending->end_cycle + settle);
        if (state != PARALLEL_MAIL_ARRIVED)
            return state;
        if (begins && !begin_step(e))
            return PARALLEL_MAIL_FAILED;
        if (!begins)
            finish_step(e);
    }
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
    int64_t compiled = e->lpu->outline.length_cycles[app_lpu_phase_of(e->lpu, row)];
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

/* Collective. Steps first to last - 1, as they end, are in: adds them up over ranks and writes
 * them.
 */
static enum base_status close_batch(struct execution *e, int32_t first, int32_t last)
{
    enum base_status status = BASE_OK;
    for (int32_t n = first; n < last && status == BASE_OK; n++) {
        sum_step(e, e->ending[n]);
        if (e->run->values)
            status = app_values_close_step(e->run, &e->lpu->step[e->ending[n]]);
    }
    app_lpu_transfers_flush(&e->transfers, e->run);
    app_progress(e->run, "LPU rack, step %" PRId32 " of %" PRId32, last, e->lpu->steps);
    struct record_file *file = e->run->file;
    return file && status == BASE_OK ? record_flush_if_due(file, e->run->progress, 5.0) : status;
}

/* Collective. Executes until `last` steps have ended, and meets the other ranks. Where numbers are
 * computed they look at every step together. */
static enum base_status execute_batch(struct execution *e)
{
    int32_t first = e->finished, last = first + (e->run->values ? 1 : BATCH_STEPS);
    enum parallel_mail_state state = execute_until(e, last < e->limit ? last : e->limit);
    bool faulty = !base_report_is_clean(&e->run->report);
    if (state == PARALLEL_MAIL_ARRIVED || faulty)
        state = parallel_mail_settle(e->mail, faulty ? BASE_FAILURE : BASE_OK, read_letter, e);
    if (state == PARALLEL_MAIL_NO_PROGRESS)
        return explain(e);
    if (state != PARALLEL_MAIL_SETTLED)
        return parallel_agree_report(&e->run->report, BASE_FAILURE);
    enum base_status status = close_batch(e, first, e->finished);
    e->run->stop_signal = parallel_mail_stop_signal(e->mail);
    return status == BASE_OK && e->run->stop_signal ? BASE_FAILURE : status;
}

/* Steps [e->limit, limit) are to come next: lists them in the order of their ends. Few are out of
 * order, and not by much. */
static void set_limit(struct execution *e, int32_t limit)
{
    const struct record_lpu_step *step = e->lpu->step;
    for (int32_t n = e->limit; n < limit; n++) {
        int32_t at = n;
        for (; at > e->limit && step[e->ending[at - 1]].end_cycle > step[n].end_cycle; at--)
            e->ending[at] = e->ending[at - 1];
        e->ending[at] = n;
    }
    e->limit = limit;
}

/* The first step from `from` on that is to be executed, or that may be replayed. */
static int32_t next_of(const struct execution *e, int32_t from, bool executed)
{
    while (from < e->lpu->steps && e->lpu->executes[from] != executed)
        from++;
    return from;
}

/* Whether the last two executed steps of a kind did the same. */
static bool has_settled(const struct execution *e, enum partition_phase phase)
{
    const struct step_sums *last[2] = {0};
    int32_t found = 0;
    for (int32_t n = e->limit; n-- > 0 && found < 2;)
        if (e->lpu->step[n].executed && app_lpu_phase_of(e->lpu, &e->lpu->step[n]) == phase)
            last[found++] = &e->sums[n];
    return found == 2 && !memcmp(last[0], last[1], sizeof *last[0]);
}

/* Whether the executed steps show that those up to `end` are the same but for time and place: every
 * kind and distance of two steps that are under way together has occurred, nothing was broken, and
 * the last two steps of each kind did the same. */
static bool may_replay(const struct execution *e, int32_t end)
{
    bool settled[PARTITION_PHASES] = {false};
    for (int32_t n = e->limit; n < end; n++) {
        enum partition_phase phase = app_lpu_phase_of(e->lpu, &e->lpu->step[n]);
        if (!settled[phase] && !has_settled(e, phase))
            return false;
        settled[phase] = true;
    }
    return e->lpu->totals.violations == 0;
}

static void replay_on_chips(struct execution *e, int32_t steps,
                            const struct program_sequence *sequence)
{
    for (int64_t i = 0; i < e->lpu->block.count; i++)
        if (e->lpu->own[i].chip)
            chip_replayed(e->lpu->own[i].chip, steps, sequence,
                          sequence ? e->run->scenario.bucket.batch : 0);
}

/* Steps [first, last) are closed form: each seat stands behind its last one. */
static void replay(struct execution *e, int32_t first, int32_t last)
{
    bool stands[PROGRAM_CACHES] = {false};
    for (int32_t n = last; n-- > first;) {
        const struct record_lpu_step *step = &e->lpu->step[n];
        struct app_lpu_stand stand = app_lpu_stand_of(e->run, step);
        for (int32_t s = 0; s < e->run->scenario.bucket.batch; s++)
            stand.at[s].position++;
        if (!stands[step->seat])
            replay_on_chips(e, 0, stand.at);
        stands[step->seat] = true;
    }
    replay_on_chips(e, last - first, NULL);
}

/* All steps before the limit have ended: those that may be replayed are, or are executed as well,
 * up to the next that may. */
static void go_beyond(struct execution *e)
{
    int32_t end = next_of(e, e->limit, true);
    if (may_replay(e, end)) {
        replay(e, e->limit, end);
        e->begun = e->finished = e->limit = end;
    }
    set_limit(e, next_of(e, end, false));
}

/* The text has ended: there are no further steps. */
static void end_text(struct execution *e, int32_t steps)
{
    e->lpu->steps = steps;
    e->run->scenario.workload.decode_tokens = e->run->values->sequence[0].tokens;
    config_scenario_counted(&e->run->scenario, "workload.decode_tokens");
}

static enum base_status execute_all(struct execution *e)
{
    enum base_status status = BASE_OK;
    while (e->finished < e->lpu->steps && status == BASE_OK) {
        if (e->run->values && e->run->values->ended) {
            end_text(e, e->finished);
            break;
        }
        if (e->finished == e->limit)
            go_beyond(e);
        else
            status = execute_batch(e);
    }
    return status;
}

static struct execution open_execution(struct app_run *run)
{
    struct app_lpu *lpu = run->lpu;
    size_t own = (size_t)lpu->block.count;
    struct execution e = {.run = run, .lpu = lpu, .mail = parallel_mail_open()};
    e.awake = base_alloc(own, sizeof *e.awake);
    e.done = base_alloc(own, sizeof *e.done);
    e.token = base_alloc((size_t)lpu->steps, sizeof *e.token);
    e.expert = base_alloc((size_t)lpu->steps, sizeof *e.expert);
    e.ending = base_alloc((size_t)lpu->steps, sizeof *e.ending);
    set_limit(&e, next_of(&e, 0, false));
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
    for (int32_t n = 0; n < e->begun; n++) {
        base_free(e->token[n]);
        base_free(e->expert[n]);
    }
    base_free(e->token);
    base_free(e->expert);
    base_free(e->ending);
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
    app_lpu_list_steps(run);
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
