/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads weights and prompts, and follows the tokens that the chips choose. */
#include "app/values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "app/lpu_steps.h"
#include "app/prompts.h"
#include "base/memory.h"
#include "chip/chip_values.h"
#include "model/utf8.h"
#include "parallel/copies.h"
#include "partition/image.h"

void app_values_free(struct app_values *values)
{
    if (!values)
        return;
    for (int32_t s = 0; s < values->sequences; s++) {
        model_reference_release(values->sequence[s].reference);
        base_free(values->sequence[s].prompt);
        base_free(values->sequence[s].token);
    }
    model_weights_close(values->weights);
    tokenizer_close(values->tokenizer);
    base_free(values->sequence);
    base_free(values->row);
    base_free(values);
}

static bool is_generating(const struct app_run *run)
{
    return run->command->kind == APP_COMMAND_GENERATE;
}

/* Whether the reference runs beside the chips. */
static bool is_compared(const struct app_run *run)
{
    return run->scenario.lpu_reference && !is_generating(run);
}

static void open_references(struct app_run *run)
{
    struct app_values *v = run->values;
    bool wanted = parallel_is_first() && is_compared(run) && base_report_is_clean(&run->report);
    for (int32_t s = 0; wanted && s < v->sequences; s++) {
        struct app_sequence *q = &v->sequence[s];
        int32_t positions = q->prompt_tokens + run->scenario.workload.decode_tokens;
        q->reference = model_reference_create(&run->model, v->weights, positions);
    }
}

static void open_sequences(struct app_values *v, const struct scenario *s)
{
    size_t tokens = (size_t)s->workload.decode_tokens;
    v->sequences = s->lpu_seats == 1       ? s->bucket.batch
                   : s->workload.sequences ? s->workload.sequences
                                           : s->lpu_seats * s->bucket.batch;
    v->sequence = base_alloc((size_t)v->sequences, sizeof *v->sequence);
    for (int32_t n = 0; n < v->sequences; n++)
        v->sequence[n].token = base_alloc(tokens, sizeof *v->sequence[n].token);
    v->row = base_alloc(tokens * (size_t)v->sequences, sizeof *v->row);
}

enum base_status app_values_open(struct app_run *run)
{
    if (!run->scenario.values)
        return BASE_OK;
    struct app_values *v = run->values = base_alloc(1, sizeof *v);
    open_sequences(v, &run->scenario);
    v->agreement.first_other = -1;
    v->weights = model_weights_open(run->scenario.model_path, &run->model, &run->report);
    chip_can_compute(&run->scenario.lpu_chip, &run->report);
    app_prompts_read(run);
    open_references(run);
    return parallel_agree_report(&run->report, BASE_USAGE);
}

static struct image_input image_of(const struct app_run *run, int32_t chip)
{
    int32_t group = run->lpu->outline.group;
    return (struct image_input){.chip = &run->scenario.lpu_chip,
                                .model = &run->model,
                                .bucket = &run->scenario.bucket,
                                .weights = run->values->weights,
                                .group = group,
                                .rank = chip % group,
                                .columns = run->lpu->outline.columns,
                                .int8 = run->scenario.lpu_numerics == SCENARIO_INT8};
}

static void put_lanes(void *context, int32_t tensor, int32_t sub, int32_t index, const float *lanes)
{
    struct app_lpu_chip *own = context;
    const struct chip_number where = {tensor, sub, index};
    chip_preload(own->chip, &own->program[PARTITION_DECODE], &where, lanes);
}

static void get_lanes(void *context, int32_t tensor, int32_t sub, int32_t index, float *lanes)
{
    const struct app_lpu_chip *own = context;
    const struct chip_number where = {tensor, sub, index};
    chip_peek(own->chip, &own->program[PARTITION_DECODE], &where, lanes);
}

void app_values_load(struct app_run *run, struct app_lpu_chip *own)
{
    bool int8 = run->scenario.lpu_numerics == SCENARIO_INT8;
    struct image_input image = image_of(run, own->id);
    chip_compute_values(own->chip, int8 ? CHIP_INT8 : CHIP_FP32);
    image_write(&image, &own->program[PARTITION_DECODE], put_lanes, own, &run->report);
}

/* An own chip that holds the token of a decode step; NULL: none. */
static const struct app_lpu_chip *token_holder(const struct app_run *run)
{
    for (int64_t i = 0; i < run->lpu->block.count; i++) {
        const struct app_lpu_chip *own = &run->lpu->own[i];
        if (own->chip && own->program[PARTITION_DECODE].token >= 0)
            return own;
    }
    return NULL;
}

static int32_t held_token(const struct app_run *run, int32_t sequence)
{
    const struct app_lpu_chip *own = token_holder(run);
    return own ? chip_token(own->chip, &own->program[PARTITION_DECODE], sequence) : 0;
}

/* Rows of a prefill pass beyond the prompt are overwritten before anything reads them: 0 will do.
 */
int32_t app_values_token(const struct app_run *run, int32_t sequence, int32_t position)
{
    const struct app_values *v = run->values;
    const struct app_sequence *q = &v->sequence[sequence];
    if (position < q->prompt_tokens)
        return q->prompt[position];
    bool last = q->tokens > 0 && position == q->prompt_tokens - 1 + q->tokens;
    return last ? q->token[q->tokens - 1] : 0;
}

/* Collective. Logits of a sequence's last step, whole on the first rank and NULL elsewhere. */
static float *gather_logits(const struct app_run *run, int32_t sequence)
{
    const struct app_lpu *lpu = run->lpu;
    float *mine = NULL;
    size_t count = 0, capacity = 0, bytes;
    for (int64_t i = 0; i < lpu->block.count; i++) {
        struct app_lpu_chip *own = &lpu->own[i];
        const struct program *program = &own->program[PARTITION_DECODE];
        struct image_input image = image_of(run, own->id);
        int32_t share =
            own->chip ? image_read_logits(&image, program, get_lanes, own, sequence, NULL) : 0;
        mine = base_grow(mine, &capacity, count + (size_t)share, sizeof *mine);
        if (share > 0)
            image_read_logits(&image, program, get_lanes, own, sequence, mine + count);
        count += (size_t)share;
    }
    float *all = parallel_gather(mine, count * sizeof *mine, &bytes);
    base_free(mine);
    return all;
}

/* First rank. The reference takes all tokens before `position` and the one there. */
static const float *reference_logits(struct app_sequence *q, int32_t position)
{
    const float *logits = NULL;
    for (; q->fed <= position; q->fed++) {
        int32_t p = q->fed - q->prompt_tokens;
        logits = model_reference_step(q->reference, p < 0 ? q->prompt[q->fed] : q->token[p]);
    }
    return logits;
}

/* What is no number, here or there, is off without bound. */
static double error_of(float found, float plain)
{
    double error = fabs((double)found - (double)plain);
    return isnan(error) ? (double)INFINITY : error;
}

static int64_t broken_numbers(const float *number, int64_t count)
{
    int64_t broken = 0;
    for (int64_t n = 0; n < count; n++)
        broken += !isfinite(number[n]);
    return broken;
}

static void measure(struct app_agreement *a, const float *logit, const float *plain,
                    int64_t vocabulary, struct record_lpu_token *row)
{
    double squares = 0;
    row->worst_error = 0;
    for (int64_t n = 0; n < vocabulary; n++) {
        double error = error_of(logit[n], plain[n]);
        row->worst_error = fmax(row->worst_error, error);
        squares += error * error;
    }
    row->rms_error = sqrt(squares / (double)vocabulary);
    a->worst_error = fmax(a->worst_error, row->worst_error);
    a->square_sum += squares;
    a->logits += vocabulary;
}

/* First rank. A token chosen from what is no number is equal to none. Where seats are shared, rows
 * of logits serve other steps by the time that the token is there: NULL. */
static void compare(const struct app_run *run, const float *logit, struct record_lpu_token *row)
{
    struct app_values *v = run->values;
    struct app_agreement *a = &v->agreement;
    int64_t vocabulary = run->model.vocabulary;
    const float *plain = reference_logits(&v->sequence[row->sequence], row->position);
    row->reference =
        broken_numbers(plain, vocabulary) ? -1 : model_reference_choice(plain, vocabulary);
    if (logit)
        measure(a, logit, plain, vocabulary, row);
    bool equal = row->reference == row->token && isfinite(row->worst_error);
    a->first_other =
        equal || a->first_other >= 0 ? a->first_other : v->sequence[row->sequence].tokens;
    a->compared++;
    a->equal += equal;
}

static bool is_end(const struct model *model, int32_t token)
{
    for (int32_t n = 0; n < model->end_tokens; n++)
        if (model->end_token[n] == token)
            return true;
    return false;
}

/* Broken programs may end with anything. */
static enum base_status check_known(struct app_run *run, const struct record_lpu_token *row)
{
    if (row->token >= 0 && row->token < run->model.vocabulary)
        return BASE_OK;
    base_report_add(&run->report, NULL, 0,
                    "step %" PRId32 " ended with token %" PRId32 "; %s knows ids 0 to %" PRId64
                    ": the programs are wrong",
                    row->step, row->token, run->model.name, run->model.vocabulary - 1);
    return parallel_agree_report(&run->report, BASE_CONTRACT);
}

/* Logits that are no numbers give no text; an ordinary run says how far off they are. */
static enum base_status check_numbers(struct app_run *run, const struct record_lpu_token *row,
                                      const float *logit)
{
    int64_t broken = logit ? broken_numbers(logit, run->model.vocabulary) : 0;
    if (broken > 0)
        base_report_add(&run->report, NULL, 0,
                        "step %" PRId32 ": %" PRId64 " of %" PRId64
                        " logits are no numbers: %s overflows in lpu.numerics = %s",
                        row->step, broken, run->model.vocabulary, run->model.name,
                        run->scenario.lpu_numerics == SCENARIO_FP32 ? "fp32" : "int8");
    return parallel_agree_report(&run->report, BASE_FAILURE);
}

/* Collective. The token that a step gave a sequence, in place `place` of its batch, and how its
 * logits compare. */
static enum base_status close_sequence(struct app_run *run, const struct record_lpu_step *step,
                                       int32_t sequence, int32_t place)
{
    struct app_values *v = run->values;
    struct app_sequence *q = &v->sequence[sequence];
    struct record_lpu_token row = {.step = step->step,
                                   .sequence = sequence,
                                   .position = q->prompt_tokens - 1 + q->tokens,
                                   .token = held_token(run, place),
                                   .reference = -1,
                                   .worst_error = -1,
                                   .rms_error = -1};
    parallel_broadcast(&row.token, sizeof row.token);
    enum base_status status = check_known(run, &row);
    bool stand = run->scenario.lpu_seats == 1;
    bool looked_at = stand && (is_compared(run) || is_generating(run));
    float *logit = status == BASE_OK && looked_at ? gather_logits(run, place) : NULL;
    if (q->reference && status == BASE_OK && (logit || !stand))
        compare(run, logit, &row);
    if (is_generating(run) && status == BASE_OK)
        status = check_numbers(run, &row, logit);
    base_free(logit);
    v->row[v->rows++] = row;
    q->token[q->tokens++] = row.token;
    return status;
}

enum base_status app_values_close_step(struct app_run *run, const struct record_lpu_step *step)
{
    struct app_values *v = run->values;
    struct app_lpu_stand stand = app_lpu_stand_of(run, step);
    enum base_status status = BASE_OK;
    if (!app_lpu_gives_tokens(step))
        return BASE_OK;
    for (int32_t n = 0; n < run->scenario.bucket.batch && status == BASE_OK; n++)
        status = close_sequence(run, step, stand.sequence[n], n);
    const struct app_sequence *q = &v->sequence[0];
    v->ended =
        status == BASE_OK && is_generating(run) && is_end(&run->model, q->token[q->tokens - 1]);
    return status;
}

double app_values_rms_error(const struct app_values *values)
{
    const struct app_agreement *a = &values->agreement;
    return a->logits ? sqrt(a->square_sum / (double)a->logits) : 0.0;
}

/* Ids on one line. */
static char *ids_text(const struct app_values *v, int32_t sequence)
{
    char *text = base_strdup("");
    const struct app_sequence *q = &v->sequence[sequence];
    for (int32_t n = 0; n < q->tokens; n++) {
        char *longer = base_format("%s%s%" PRId32, text, n ? " " : "", q->token[n]);
        base_free(text);
        text = longer;
    }
    return text;
}

char *app_values_text(const struct app_run *run, int32_t sequence)
{
    const struct app_values *v = run->values;
    const int32_t *token = v->sequence[sequence].token;
    int32_t count = 0;
    while (count < v->sequence[sequence].tokens && !is_end(&run->model, token[count]))
        count++;
    return v->tokenizer ? tokenizer_decode(v->tokenizer, token, count) : ids_text(v, sequence);
}

char *app_values_texts(const struct app_run *run)
{
    char *all = base_strdup("");
    for (int32_t s = 0; s < run->values->sequences; s++) {
        char *text = app_values_text(run, s);
        char *more = base_format("%s%s%s", all, s ? "\n" : "", text);
        base_free(text);
        base_free(all);
        all = more;
    }
    return all;
}

void app_values_print(const struct app_run *run)
{
    char *text = run->command->print_ids ? ids_text(run->values, 0) : app_values_text(run, 0);
    puts(text);
    base_free(text);
}

void app_values_record(const struct app_run *run)
{
    const struct app_values *v = run->values;
    char *text = app_values_texts(run);
    record_append(run->file, record_layout(RECORD_LPU_TOKENS), v->row,
                  parallel_is_first() ? v->rows : 0);
    char *repaired = utf8_repair(text);
    record_set_text(run->file, "/lpu/tokens", "text", repaired);
    base_free(repaired);
    base_free(text);
}
