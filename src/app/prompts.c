/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads prompts from words or ids, or draws them. */
#include "app/prompts.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "config/ids.h"

/* Part `n` of a text, without what follows its end; free with base_free. */
static char *part_of(const char *text, char end, int32_t n)
{
    const char ends[2] = {end, 0};
    for (; n > 0; n--)
        text += strcspn(text, ends) + 1;
    return base_format("%.*s", (int)strcspn(text, ends), text);
}

static int32_t parts_of(const char *text, char end)
{
    int32_t parts = 1;
    for (; *text; text++)
        parts += *text == end;
    return parts;
}

/* A single sequence takes all of the text. */
static void encode(struct app_run *run, const char *text, int32_t s, int32_t parts)
{
    struct app_values *v = run->values;
    struct app_sequence *q = &v->sequence[s];
    char *own = parts > 1 ? part_of(text, '\n', s % parts) : base_strdup(text);
    tokenizer_encode(v->tokenizer, own, &q->prompt, &q->prompt_tokens, &run->report);
    base_free(own);
}

static void parse(struct app_run *run, const char *ids, int32_t s, int32_t parts)
{
    struct app_sequence *q = &run->values->sequence[s];
    char *own = part_of(ids, ';', s % parts);
    config_ids_parse("workload.prompt_ids", own, &q->prompt, &q->prompt_tokens, &run->report);
    base_free(own);
}

/* As in runs without values. */
static void draw(struct app_run *run, int32_t s)
{
    struct app_sequence *q = &run->values->sequence[s];
    q->prompt_tokens = run->scenario.workload.prompt_tokens;
    q->prompt = base_alloc((size_t)q->prompt_tokens, sizeof *q->prompt);
    for (int32_t p = 0; p < q->prompt_tokens; p++)
        q->prompt[p] = app_lpu_drawn_token(run, s, p);
}

static void copy(struct app_sequence *q, const int32_t *ids, int32_t count)
{
    q->prompt_tokens = count;
    q->prompt = base_alloc((size_t)count, sizeof *q->prompt);
    for (int32_t p = 0; p < count; p++)
        q->prompt[p] = ids[p];
}

/* What says how many sequences there are. */
static const char *sequences_key(const struct scenario *s)
{
    return s->lpu_seats == 1       ? "bucket.batch"
           : s->workload.sequences ? "workload.sequences"
           : s->bucket.batch > 1   ? "lpu.seats x bucket.batch"
                                   : "lpu.seats";
}

static void check_parts(struct app_run *run, const char *key, int32_t parts)
{
    if (parts > run->values->sequences)
        base_report_add(&run->report, NULL, 0,
                        "%s: %" PRId32 " prompts; %s = %" PRId32 " sequences take one each", key,
                        parts, sequences_key(&run->scenario), run->values->sequences);
}

/* Text and ids; NULL where there is none. */
static void read_words(struct app_run *run, const char *text, const char *ids)
{
    struct app_values *v = run->values;
    const struct app_command *command = run->command;
    int32_t lines = text && v->sequences > 1 ? parts_of(text, '\n') : 1;
    int32_t lists = ids ? parts_of(ids, ';') : 1;
    check_parts(run, "workload.prompt", lines);
    check_parts(run, "workload.prompt_ids", lists);
    for (int32_t s = 0; s < v->sequences; s++)
        if (text && v->tokenizer)
            encode(run, text, s, lines);
        else if (!text && command->prompt_ids)
            copy(&v->sequence[s], command->prompt_ids, command->prompt_id_count);
        else if (!text && ids)
            parse(run, ids, s, lists);
        else if (!text)
            draw(run, s);
}

static void check_ids(struct app_run *run, const struct app_sequence *q)
{
    for (int32_t p = 0; p < q->prompt_tokens; p++)
        if (q->prompt[p] < 0 || q->prompt[p] >= run->model.vocabulary)
            base_report_add(&run->report, NULL, 0,
                            "token %" PRId32 " of the prompt is %" PRId32
                            "; %s knows ids 0 to %" PRId64,
                            p + 1, q->prompt[p], run->model.name, run->model.vocabulary - 1);
    if (q->prompt_tokens == 0)
        base_report_add(&run->report, NULL, 0, "the prompt has no token: %s has no begin token",
                        run->model.name);
}

/* The longest prompt's length is known now: it must be what was said, and fit into the bucket. */
static void count_prompts(struct app_run *run, bool generates)
{
    struct workload *work = &run->scenario.workload;
    const struct app_values *v = run->values;
    int32_t tokens = 0;
    for (int32_t s = 0; s < v->sequences; s++)
        tokens = v->sequence[s].prompt_tokens > tokens ? v->sequence[s].prompt_tokens : tokens;
    int64_t all = (int64_t)tokens + work->decode_tokens;
    if (work->prompt_tokens > 0 && work->prompt_tokens != tokens && !generates)
        base_report_add(&run->report, NULL, 0,
                        "workload.prompt_tokens: %" PRId32 ", but the prompt has %" PRId32
                        " tokens; 0 would count them",
                        work->prompt_tokens, tokens);
    if (all > run->scenario.bucket.max_sequence)
        base_report_add(&run->report, NULL, 0,
                        "%" PRId32 " prompt tokens and %" PRId32 " to generate take %" PRId64
                        " positions; bucket.max_sequence = %" PRId32,
                        tokens, work->decode_tokens, all, run->scenario.bucket.max_sequence);
    if (work->prompt_tokens != tokens)
        config_scenario_counted(&run->scenario, "workload.prompt_tokens");
    work->prompt_tokens = tokens;
}

void app_prompts_read(struct app_run *run)
{
    const struct scenario *s = &run->scenario;
    struct app_values *v = run->values;
    bool generates = run->command->kind == APP_COMMAND_GENERATE;
    const char *text = generates ? run->command->prompt : s->prompt[0] ? s->prompt : NULL;
    const char *ids = s->prompt_ids[0] && !generates ? s->prompt_ids : NULL;
    if (text || tokenizer_is_there(s->model_path))
        v->tokenizer = tokenizer_open(s->model_path, &run->model, &run->report);
    read_words(run, text, ids);
    if (!base_report_is_clean(&run->report))
        return;
    for (int32_t n = 0; n < v->sequences; n++)
        check_ids(run, &v->sequence[n]);
    count_prompts(run, generates);
}
