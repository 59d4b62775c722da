/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles a group once and cuts it into stages in many ways. */
#include "partition/survey.h"

#include <stdlib.h>

#include "base/memory.h"
#include "partition/plan.h"
#include "partition/stages.h"

/* What a cut that fits is good for. */
static struct survey_split measure(const struct plan *plan)
{
    const struct lpu_chip *chip = plan_input(plan)->chip;
    struct survey_split s = {
        .stages = plan_stages(plan), .group = plan_group(plan), .chips = plan_chips(plan)};
    struct bound_step step;
    int64_t busy = 0;
    bound_step(plan, PARTITION_DECODE, &step);
    for (int32_t n = 0; n < s.stages; n++) {
        int64_t cycles = step.stage[n].cycles;
        busy += cycles;
        s.longest_stage_cycles = cycles > s.longest_stage_cycles ? cycles : s.longest_stage_cycles;
    }
    for (enum bound_class of = 0; of < BOUND_CLASSES; of++)
        s.share[of] = step.share[of];
    s.decode_cycles = step.cycles, s.bound_cycles = step.bound;
    bound_release(&step);
    s.seats = s.decode_cycles / s.longest_stage_cycles;
    s.user_tokens_s = (double)chip->clock_hz / (double)s.decode_cycles;
    s.all_tokens_s = s.user_tokens_s * (double)s.seats;
    s.token_joules = s.chips * chip->power_average_w / s.all_tokens_s;
    s.idle = 1 - (double)s.seats * (double)busy / ((double)s.stages * (double)s.decode_cycles);
    return s;
}

static void add_split(struct survey *survey, struct survey_split split)
{
    survey->split =
        base_grow(survey->split, &survey->capacity, survey->splits + 1, sizeof *survey->split);
    survey->split[survey->splits++] = split;
}

enum { MOST_CUTS = 64 };

/* Numbers of stages, from the most that there are chips for. */
struct cuts {
    int32_t stage[MOST_CUTS];
    bool known[MOST_CUTS]; /* fits and is in the survey */
    int32_t count;
};

static struct cuts cuts_of(const struct partition_input *in, int32_t group)
{
    int32_t blocks = 2 * (int32_t)in->model->layers + 2, most = plan_most_chips(in) / group;
    struct cuts cuts = {.stage = {most < blocks ? most : blocks}, .count = most > 0};
    for (int32_t each = 1; most > 0 && each <= blocks && cuts.count < MOST_CUTS; each++) {
        int32_t stages = shape_ceil_div(blocks, each);
        if (stages < cuts.stage[cuts.count - 1])
            cuts.stage[cuts.count++] = stages;
    }
    return cuts;
}

/* Cuts that fit beside prefill passes of `rows`; whether some do not, the first of which is
 * *miss. */
static bool survey_rows(const struct partition_input *in, int32_t group, int32_t rows, bool shares,
                        struct cuts *cuts, struct survey *survey, struct partition_candidate *miss)
{
    struct plan *plan = plan_sketch(in, group, rows, shares);
    bool left = false, fits = true;
    for (int32_t n = 0; plan && n < cuts->count && fits; n++) {
        struct partition_candidate c = {
            .stages = cuts->stage[n], .group = group, .prefill_rows = rows, .shares = shares};
        if (cuts->known[n])
            continue;
        fits = plan_sketch_stages(plan, &c);
        if (fits)
            add_split(survey, measure(plan));
        else
            *miss = c;
        cuts->known[n] = fits;
    }
    for (int32_t n = 0; n < cuts->count; n++)
        left = left || !cuts->known[n];
    plan_release(plan);
    return left;
}

static bool is_no_worse(const struct survey_split *a, const struct survey_split *b)
{
    return a->chips <= b->chips && a->user_tokens_s >= b->user_tokens_s &&
           a->all_tokens_s >= b->all_tokens_s && a->token_joules <= b->token_joules;
}

static void mark_best(struct survey *survey)
{
    for (size_t n = 0; n < survey->splits; n++) {
        struct survey_split *own = &survey->split[n];
        own->best = true;
        for (size_t k = 0; k < survey->splits; k++)
            if (k != n && is_no_worse(&survey->split[k], own) &&
                !is_no_worse(own, &survey->split[k]))
                own->best = false;
    }
}

static int by_chips(const void *a, const void *b)
{
    const struct survey_split *x = a, *y = b;
    int32_t chips = x->chips - y->chips;
    return chips ? chips : x->group - y->group;
}

void survey_splits(const struct partition_input *input, struct survey *survey)
{
    *survey = (struct survey){0};
    for (int32_t group = 1; group <= TEMPLATE_RANKS; group *= 2) {
        struct cuts cuts = cuts_of(input, group);
        struct partition_candidate miss = {0};
        bool left = cuts.count > 0;
        for (int shares = 0; shares < 2; shares++)
            for (int32_t rows = 0; left && (rows = plan_pass_rows(input->bucket, rows)) > 0;)
                left = survey_rows(input, group, rows, shares == 1, &cuts, survey, &miss);
        if (left && miss.stages > 0)
            survey->miss[survey->misses++] = miss;
    }
    if (survey->splits)
        qsort(survey->split, survey->splits, sizeof *survey->split, by_chips);
    mark_best(survey);
}

void survey_release(struct survey *survey)
{
    base_free(survey->split);
    *survey = (struct survey){0};
}
