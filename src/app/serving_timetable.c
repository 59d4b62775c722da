/* SPDX-License-Identifier: BSD-3-Clause */
/* The LPU's timetable in words: what it keeps for prompts, what that costs, and what it can carry.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/rows.h"
#include "app/serving.h"
#include "app/text.h"

static int64_t cycles_ps(const struct app_run *run, int64_t cycles)
{
    return machine_cycles_to_ps(&run->scenario.lpu_chip, cycles);
}

static void print_slots(const struct app_run *run, const struct app_serving_timetable *t)
{
    printf("%-*s%" PRId32 " seats", APP_ROWS_LABEL, "seats and slots", t->seats);
    if (t->lanes > 1)
        printf(" of %" PRId32, t->lanes);
    printf("; a slot each %s", app_text_time(cycles_ps(run, t->slot_cycles)).text);
    if (t->passes > 0)
        printf(", in frames of %" PRId32 " (%s)", t->slots,
               app_text_time(cycles_ps(run, t->slots * t->slot_cycles)).text);
    puts("");
    if (t->passes > 0)
        printf("%-*s%" PRId32 " slots of each (%s) for %" PRId32 " passes of %" PRId32 " tokens\n",
               APP_ROWS_LABEL, "kept for prompts", t->closed_slots,
               app_text_share(t->closed_slots, t->slots).text, t->passes, t->pass_rows);
    else
        printf("%-*snone: prompts take decode steps\n", APP_ROWS_LABEL, "kept for prompts");
}

static void print_alone(const struct serve_capacity *c)
{
    printf("%-*sTTFT %s, TPOT %s (without windows %s) for %" PRId32 " + %" PRId32 " tokens\n",
           APP_ROWS_LABEL, "alone, at worst", app_text_time(c->alone_ttft_ps).text,
           app_text_time(c->alone_tpot_ps).text, app_text_time(c->bare_tpot_ps).text,
           c->mean_prompt, c->mean_output);
}

static void print_usage(const struct serve_usage *u)
{
    double all = (double)u->slots, empty = (double)(u->slots - u->decode_slots - u->closed_slots);
    printf("%-*sdecode %s, for prompts %s (%s of the passes taken), empty %s\n", APP_ROWS_LABEL,
           "slots", app_text_share((double)u->decode_slots, all).text,
           app_text_share((double)u->closed_slots, all).text,
           app_text_share((double)u->passes_taken, (double)(u->passes ? u->passes : 1)).text,
           app_text_share(empty, all).text);
}

void app_serving_timetable_print(const struct app_run *run, const struct app_paint *paint)
{
    const struct app_serving_timetable *t = &run->serving->timetable;
    int32_t replicas = run->scenario.serve.lpu_replicas;
    app_rows_title(paint, "The LPU's timetable");
    print_slots(run, t);
    print_alone(&t->capacity);
    printf("%-*s%.4g requests/s, %s tokens/s, TPOT p99 %s%s\n", APP_ROWS_LABEL, "capacity by plan",
           t->capacity.requests_per_s, app_text_count((int64_t)t->capacity.tokens_per_s).text,
           app_text_time(t->capacity.full_tpot_ps).text, replicas > 1 ? ", each" : "");
    print_usage(&t->usage);
    printf("%-*s%s steps, %s pairs rehearsed: %" PRId64 " too near, %" PRId64 " promises broken\n",
           APP_ROWS_LABEL, "proof", app_text_count(t->rehearsal.starts).text,
           app_text_count(t->rehearsal.pairs).text, t->rehearsal.too_near, t->rehearsal.unkept);
}
