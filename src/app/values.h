/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers of a run: the prompt's tokens, weights on their way into SRAM, what comes out, and
 * how it compares with a plain computation of the model. */
#ifndef APP_VALUES_H
#define APP_VALUES_H

#include "app/app.h"
#include "app/lpu.h"
#include "model/reference.h"
#include "model/tokenizer.h"
#include "model/weights.h"

/* Of the tokens compared so far. */
struct app_agreement {
    int64_t compared, equal;
    int32_t first_other; /* place among the generated tokens; -1: none */
    double worst_error;  /* of a logit */
    double square_sum;
    int64_t logits;
};

/* One of the batch, or of those that share the pipeline: its prompt and generated tokens are the
 * same on all ranks. */
struct app_sequence {
    int32_t *prompt, prompt_tokens;
    int32_t *token, tokens;            /* generated; room for workload.decode_tokens */
    struct model_reference *reference; /* first rank, where wanted */
    int32_t fed;                       /* tokens that it has taken */
};

/* The comparison is the first rank's. */
struct app_values {
    struct model_weights *weights;
    struct tokenizer *tokenizer; /* NULL: the model has no vocab.json */
    struct app_sequence *sequence;
    int32_t sequences;
    bool ended; /* the last one ends the text, and generate stops there */
    struct app_agreement agreement;
    struct record_lpu_token *row; /* as they come; room for all tokens */
    size_t rows;
};

/* Collective. Reads weights and prompts, and sets workload.prompt_tokens by the longest. */
enum base_status app_values_open(struct app_run *run);
void app_values_free(struct app_values *values);

/* The chip computes numbers from now on; its memory is loaded. Faults go into run->report. */
void app_values_load(struct app_run *run, struct app_lpu_chip *own);

/* The token that a step takes for a sequence at `position`: of its prompt, or the one that the
 * chips gave last. */
int32_t app_values_token(const struct app_run *run, int32_t sequence, int32_t position);

/* Collective. After a step: its tokens, if it gave any, and how their logits compare. BASE_CONTRACT
 * where the token is none, BASE_FAILURE where generate has logits that are no numbers. */
enum base_status app_values_close_step(struct app_run *run, const struct record_lpu_step *step);

/* Root mean square difference of the compared logits; 0 where none were. */
double app_values_rms_error(const struct app_values *values);

/* What a sequence's generated tokens say, up to one that ends the text; free with base_free. */
char *app_values_text(const struct app_run *run, int32_t sequence);

/* The texts of all sequences, a line each; free with base_free. */
char *app_values_texts(const struct app_run *run);

/* Collective. /lpu/tokens, and the texts as its attribute. */
void app_values_record(const struct app_run *run);

/* generate: text or ids on standard output. First rank. */
void app_values_print(const struct app_run *run);

#endif
