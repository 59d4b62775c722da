/* SPDX-License-Identifier: BSD-3-Clause */
/* Ladders on the terminal, at most 100 columns, and as rows of the file. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/buckets.h"
#include "app/buckets_compile.h"
#include "app/rows.h"
#include "app/serving.h"
#include "app/text.h"
#include "base/memory.h"
#include "base/version.h"
#include "parallel/parallel.h"

static double mean_cycles(const struct app_buckets *buckets, const struct app_ladder *l)
{
    return (double)l->price.cycles / (double)buckets->demand.steps;
}

static double padding(const struct app_buckets *buckets, const struct app_ladder *l)
{
    return 1 - (double)buckets->demand.attended / (double)l->price.positions;
}

/* "64, 192, 1,024"; base_free. */
static char *ladder_text(const struct serve_ladder *ladder)
{
    char *text = base_strdup("");
    for (int32_t b = 0; b < ladder->buckets; b++) {
        char *longer = base_format("%s%s%" PRId32, text, b ? " " : "", ladder->rung[b].positions);
        base_free(text);
        text = longer;
    }
    return text;
}

static void print_head(const struct app_run *run)
{
    const struct app_buckets *b = run->buckets;
    const struct serve_demand *d = &b->demand;
    struct app_paint paint = app_rows_paint();
    printf("\n%slpusim-mp %s%s  buckets for %s on %" PRId32 " stages x %" PRId32 " %s\n",
           paint.bold, base_version(), paint.off, run->model.name, b->stages, b->group,
           run->scenario.lpu_chip.name);
    printf("%s requests take %s decode steps, against %.0f positions on average\n",
           app_text_count(d->requests - d->refused).text, app_text_count(d->steps).text,
           (double)d->attended / (double)d->steps);
    printf("%s requests are longer than the largest bucket, %s, and refused by every ladder\n",
           app_text_count(d->refused).text, app_text_count(d->most).text);
}

/* What a ladder takes away from the mean of another. */
static struct app_text saved(const struct app_buckets *b, const struct app_ladder *from,
                             const struct app_ladder *to)
{
    double before = mean_cycles(b, from);
    return app_text_share(before - mean_cycles(b, to), before);
}

static void print_ladder(const struct app_buckets *b, const struct app_ladder *l,
                         const struct app_ladder *less)
{
    char *text = ladder_text(&l->ladder);
    printf("%2" PRId32 "  %-32s%14s%12s%10s%14s%7" PRId64 "\n", l->ladder.buckets, text,
           app_text_count((int64_t)(mean_cycles(b, l) + 0.5)).text,
           less ? saved(b, less, l).text : "", app_text_share(padding(b, l), 1).text,
           l->slot_cycles ? app_text_count(l->slot_cycles).text : "-", l->seats);
    base_free(text);
}

static void print_best(const struct app_run *run)
{
    const struct app_buckets *b = run->buckets;
    const struct app_ladder *less = NULL, *l;
    printf("\n    %-32s%14s%12s%10s%14s%7s\n", "best ladder", "cycles/token", "saves", "padding",
           "slot, cycles", "seats");
    for (int32_t n = 1; n <= run->command->count; n++, less = l)
        if ((l = app_buckets_best(b, n)))
            print_ladder(b, l, less);
        else
            break;
}

static void print_even(const struct app_run *run)
{
    const struct app_buckets *b = run->buckets;
    if (run->command->count < 2 || !app_buckets_even(b, 2))
        return;
    printf("\n    %-32s%14s%12s%10s%14s%7s\n", "evenly spaced", "cycles/token", "best saves",
           "padding", "slot, cycles", "seats");
    for (int32_t n = 2; n <= run->command->count; n++) {
        const struct app_ladder *even = app_buckets_even(b, n), *best = app_buckets_best(b, n);
        if (!even)
            break;
        char *text = ladder_text(&even->ladder);
        printf("%2" PRId32 "  %-32s%14s%12s%10s%14s%7" PRId64 "\n", n, text,
               app_text_count((int64_t)(mean_cycles(b, even) + 0.5)).text,
               saved(b, even, best).text, app_text_share(padding(b, even), 1).text,
               even->slot_cycles ? app_text_count(even->slot_cycles).text : "-", even->seats);
        base_free(text);
    }
}

static struct app_text more(int64_t value, int64_t before, bool first)
{
    struct app_text text = app_text_count(value - before);
    struct app_text all = {""};
    if (!first)
        snprintf(all.text, sizeof all.text, "%s%.30s", value > before ? "+" : "", text.text);
    return all;
}

static void print_cost(const struct app_ladder *l, const struct app_ladder *less)
{
    bool first = !less;
    const struct app_ladder *from = less ? less : l;
    printf("%2" PRId32 "  %14s%12s%14s%12s%9s%7s%14s%11s\n", l->ladder.buckets,
           app_text_count(l->spare_bytes).text, more(l->spare_bytes, from->spare_bytes, first).text,
           app_text_count(l->instructions).text,
           more(l->instructions, from->instructions, first).text,
           app_text_count(l->fullest_queue).text,
           more(l->fullest_queue, from->fullest_queue, first).text,
           app_text_count(l->artifact_bytes).text,
           more(l->artifact_bytes, from->artifact_bytes, first).text);
}

static void print_costs(const struct app_run *run)
{
    const struct app_ladder *less = NULL, *l;
    printf("\nwhat that takes: SRAM left on the fullest chip, instructions of all chips and of the "
           "fullest\nqueue (of %s), bytes as an artifact\n    %14s%12s%14s%12s%9s%7s%14s\n",
           app_text_count(run->scenario.lpu_chip.queue_capacity_instructions).text, "bytes left",
           "", "instructions", "", "a queue", "", "artifact");
    for (int32_t n = 1; n <= run->command->count; n++, less = l)
        if ((l = app_buckets_best(run->buckets, n)))
            print_cost(l, less);
        else
            break;
}

/* The last bucket that still buys at least a hundredth. */
static void print_verdict(const struct app_run *run)
{
    const struct app_buckets *b = run->buckets;
    const struct app_ladder *less = app_buckets_best(b, 1), *l;
    int32_t n = 2;
    for (; n <= run->command->count && (l = app_buckets_best(b, n)); n++, less = l)
        if ((double)(less->price.cycles - l->price.cycles) < 0.01 * (double)less->price.cycles)
            break;
    printf("\n%" PRId32 " bucket%s: each of them but the largest saves 1 %% or more of the mean "
           "step%s\n",
           n - 1, n > 2 ? "s" : "", n <= run->command->count ? ", one more would not" : "");
}

static void print_summary(const struct app_run *run)
{
    const struct app_buckets *b = run->buckets;
    print_head(run);
    print_best(run);
    print_even(run);
    print_costs(run);
    print_verdict(run);
    printf("%zu ladders compiled in %.1f s; %" PRId64 " lengths were interpolated before, at most "
           "%s cycles\n(%.3f %%) off\n",
           b->count, b->seconds, b->forecasts, app_text_count(b->worst_cycles).text,
           100 * b->worst_share);
    if (b->refused > 0)
        printf("%" PRId64 " ladders on multiples of %" PRId32
               " positions or fewer do not fit beside "
               "%" PRId64 " seat%s\n",
               b->refused, b->refused_grid, b->compiled[0].seats,
               b->compiled[0].seats == 1 ? "" : "s");
    if (run->scenario.output_path[0])
        printf("file: %s\n", run->scenario.output_path);
}

enum base_status app_buckets_show(struct app_run *run)
{
    if (parallel_is_first() && !run->scenario.quiet)
        print_summary(run);
    app_rows_flush(&run->report);
    return parallel_agree_report(&run->report, BASE_IO);
}

static struct record_serve_ladder ladder_row(const struct app_buckets *b,
                                             const struct app_ladder *l, bool even)
{
    return (struct record_serve_ladder){.even = even,
                                        .buckets = l->ladder.buckets,
                                        .steps = b->demand.steps,
                                        .mean_cycles = mean_cycles(b, l),
                                        .padding = padding(b, l),
                                        .slot_cycles = l->slot_cycles,
                                        .seats = (int32_t)l->seats,
                                        .spare_bytes = l->spare_bytes,
                                        .instructions = l->instructions,
                                        .fullest_queue = l->fullest_queue,
                                        .artifact_bytes = l->artifact_bytes};
}

static void record_rungs(struct app_run *run, const struct app_ladder *l, bool even)
{
    const int64_t *up_to = run->buckets->demand.up_to;
    struct record_serve_rung row[SERVE_BUCKETS];
    for (int32_t b = 0; b < l->ladder.buckets; b++) {
        int32_t below = b ? l->ladder.rung[b - 1].positions : 0;
        row[b] =
            (struct record_serve_rung){.even = even,
                                       .buckets = l->ladder.buckets,
                                       .positions = l->ladder.rung[b].positions,
                                       .length_cycles = l->ladder.rung[b].cycles,
                                       .forecast_cycles = l->forecast[b],
                                       .steps = up_to[l->ladder.rung[b].positions] - up_to[below]};
    }
    record_append(run->file, record_layout(RECORD_SERVE_RUNGS), row,
                  parallel_is_first() ? (size_t)l->ladder.buckets : 0);
}

void app_buckets_record(struct app_run *run)
{
    for (int even = 0; even < 2; even++)
        for (int32_t n = 1; n <= run->command->count; n++) {
            const struct app_ladder *l =
                even ? app_buckets_even(run->buckets, n) : app_buckets_best(run->buckets, n);
            if (!l)
                continue;
            struct record_serve_ladder row = ladder_row(run->buckets, l, even);
            record_append(run->file, record_layout(RECORD_SERVE_LADDERS), &row,
                          parallel_is_first());
            record_rungs(run, l, even);
        }
}
