/* SPDX-License-Identifier: BSD-3-Clause */
/* Both machines side by side on the terminal, at most 60 lines of 100 columns. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/compare.h"
#include "app/gpu.h"
#include "app/json.h"
#include "app/ledger.h"
#include "app/lpu.h"
#include "app/machine_text.h"
#include "app/rows.h"
#include "app/summary.h"
#include "app/text.h"
#include "app/values.h"
#include "base/memory.h"
#include "base/version.h"

enum { LABEL = APP_ROWS_LABEL, CELL = APP_ROWS_CELL, LINE = 98, MOST_TEXTS = 4 };

static char *cell_split(int32_t stages, int32_t group, const char *unit)
{
    return base_format("%" PRId32 " stage%s x %" PRId32 " %s%s", stages, stages == 1 ? "" : "s",
                       group, unit, group == 1 ? "" : "s");
}

/* The end of the prompt gives the first token on a GPU; the first decode step does on the LPU. */
static char *cell_steps(int32_t prompt, const char *gives, int32_t decode)
{
    return base_format("%" PRId32 " prompt%s, %" PRId32 " decode", prompt, gives, decode);
}

/* "1,100,048,384 parameters", and of a mixture how many of them a token passes through. */
static char *parameters_text(const struct model *model)
{
    struct app_text all = app_text_count(model_parameter_count(model));
    struct app_text active = app_text_count(model_active_parameter_count(model));
    if (!model->experts)
        return base_format("%s parameters", all.text);
    return base_format("%s parameters, %s of them active for a token", all.text, active.text);
}

static void print_head(const struct app_run *run, const struct app_paint *p)
{
    const struct scenario *s = &run->scenario;
    char *parameters = parameters_text(&run->model);
    printf("\n%slpusim-mp %s%s  %s, %s\n", p->bold, base_version(), p->off, run->model.name,
           parameters);
    base_free(parameters);
    printf("%" PRId32 " prompt tokens, %" PRId32 " to generate; bucket: %" PRId32
           " positions, batch %" PRId32 ", prefill chunk %" PRId32 "\n\n",
           s->workload.prompt_tokens, s->workload.decode_tokens, s->bucket.max_sequence,
           s->bucket.batch, s->bucket.prefill_chunk);
}

static void print_machines(const struct app_run *run, const struct app_paint *p)
{
    const struct app_lpu *lpu = run->lpu;
    const struct app_gpu *gpu = run->gpu;
    const struct gpu_cluster_spec *c = &run->scenario.gpu_cluster;
    app_rows_print(
        p, "", lpu ? base_format("%s%-*s%s", p->bold, gpu ? CELL : 0, "LPU rack", p->off) : NULL,
        gpu ? base_format("%sGPU cluster%s", p->bold, p->off) : NULL);
    app_rows_print(p, "machine", lpu ? app_machine_text(run, RECORD_LPU) : NULL,
                   gpu ? app_machine_text(run, RECORD_GPU) : NULL);
    bool wide = run->values && run->scenario.lpu_numerics == SCENARIO_FP32;
    app_rows_print(
        p, "precision",
        lpu ? base_format("int8 weights, fp16 KV%s", wide ? "; numbers fp32" : "") : NULL,
        gpu ? base_format("%d-bit weights, %d-bit KV", 8 * c->weight_bytes, 8 * c->kv_bytes)
            : NULL);
    app_rows_print(p, "split",
                   lpu ? cell_split(lpu->outline.stages, lpu->outline.group, "chip") : NULL,
                   gpu ? cell_split(c->pipeline_parallel, c->tensor_parallel, "GPU") : NULL);
    app_rows_print(
        p, "steps", lpu ? cell_steps(lpu->prompt_steps, "", lpu->steps - lpu->prompt_steps) : NULL,
        gpu ? cell_steps(gpu->prompt_steps, " (gives token 1)", gpu->steps - gpu->prompt_steps)
            : NULL);
}

static char *cell_time(const struct app_figures *f, int64_t ps)
{
    return f->runs ? base_strdup(app_text_time(ps).text) : NULL;
}

/* Of `sequences` that go in step. */
static char *cell_rate(const struct app_figures *f, int32_t sequences)
{
    return f->runs ? base_format("%.0f", sequences * f->tokens_per_s) : NULL;
}

static void print_times(const struct app_run *run, const struct app_paint *p)
{
    const struct app_figures *l = &run->compare->machine[RECORD_LPU];
    const struct app_figures *g = &run->compare->machine[RECORD_GPU];
    int32_t batch = run->scenario.bucket.batch;
    app_rows_title(p, "What a user sees");
    app_rows_print(p, "TTFT", cell_time(l, l->ttft_ps), cell_time(g, g->ttft_ps));
    if (l->tpot.count + g->tpot.count > 0) {
        app_rows_print(p, "TPOT min", cell_time(l, l->tpot.min_ps), cell_time(g, g->tpot.min_ps));
        app_rows_print(p, "     p50", cell_time(l, l->tpot.p50_ps), cell_time(g, g->tpot.p50_ps));
        app_rows_print(p, "     p99", cell_time(l, l->tpot.p99_ps), cell_time(g, g->tpot.p99_ps));
        app_rows_print(p, "     max", cell_time(l, l->tpot.max_ps), cell_time(g, g->tpot.max_ps));
    }
    app_rows_print(p, "tokens/s", cell_rate(l, 1), cell_rate(g, 1));
    if (batch > 1)
        app_rows_print(p, "tokens/s a batch", cell_rate(l, batch), cell_rate(g, batch));
    app_rows_print(p, "whole request", cell_time(l, l->finished_ps), cell_time(g, g->finished_ps));
}

/* Items of one row of the terminal, with commas, onto as many lines as they need. */
struct list {
    size_t column, items;
};

static void print_item(struct list *list, const char *item)
{
    size_t width = strlen(item) + 2;
    bool wraps = list->items > 0 && list->column + width > LINE;
    if (wraps)
        printf(",\n%-*s", LABEL, "");
    else if (list->items > 0)
        fputs(", ", stdout);
    if (wraps || list->items == 0)
        list->column = LABEL;
    fputs(item, stdout);
    list->column += width;
    list->items++;
}

/* The largest part of a decode step that is less than `before`; NULL: there is none. */
static const struct record_compare_share *next_share(const struct app_compare *compare,
                                                     enum record_machine machine, int64_t before)
{
    const struct record_compare_share *best = NULL;
    for (size_t i = 0; i < compare->shares; i++) {
        const struct record_compare_share *s = &compare->share[i];
        if (s->machine == machine && s->phase == RECORD_DECODE && s->time_ps < before &&
            (!best || s->time_ps > best->time_ps))
            best = s;
    }
    return best;
}

/* Largest first; what is less than half a percent is left out. */
static void print_shares_of(const struct app_compare *compare, const struct app_paint *p,
                            enum record_machine machine, const char *label)
{
    const struct record_compare_share *s;
    struct list list = {0};
    int64_t total = 0, before = INT64_MAX;
    for (size_t i = 0; i < compare->shares; i++)
        if (compare->share[i].machine == machine && compare->share[i].phase == RECORD_DECODE)
            total += compare->share[i].time_ps;
    printf("%s%-*s%s", p->dim, LABEL, label, p->off);
    while ((s = next_share(compare, machine, before)) && s->time_ps * 200 >= total && total > 0) {
        char *item =
            base_format("%s %s", s->share, app_text_share((double)s->time_ps, (double)total).text);
        print_item(&list, item);
        base_free(item);
        before = s->time_ps;
    }
    puts("");
}

/* What the neighbour costs. */
static void print_neighbour(const struct app_run *run, const struct app_paint *p)
{
    const struct app_figures *on = &run->compare->machine[RECORD_GPU], *off = &run->compare->quiet;
    const struct {
        const char *label;
        int64_t off_ps, on_ps;
    } row[] = {{"TTFT", off->ttft_ps, on->ttft_ps},
               {"TPOT p50", off->tpot.p50_ps, on->tpot.p50_ps},
               {"p99", off->tpot.p99_ps, on->tpot.p99_ps}};
    struct list list = {0};
    if (!off->runs)
        return;
    printf("%s%-*s%s", p->dim, LABEL, "neighbour off -> on", p->off);
    for (size_t i = 0; i < sizeof row / sizeof row[0] && row[i].off_ps > 0; i++) {
        char *item = base_format("%s %s -> %s", row[i].label, app_text_time(row[i].off_ps).text,
                                 app_text_time(row[i].on_ps).text);
        print_item(&list, item);
        base_free(item);
    }
    puts("");
}

static double metric(const struct app_compare *compare, enum record_machine machine,
                     const char *name)
{
    for (size_t i = 0; i < compare->metrics; i++)
        if (compare->metric[i].machine == machine && !strcmp(compare->metric[i].metric, name))
            return compare->metric[i].value;
    return 0;
}

/* Shares in use, each named by what it is of. */
struct use {
    const char *metric, *label;
};

static void print_busy(const struct app_compare *compare, enum record_machine machine,
                       const struct use *use, size_t uses)
{
    struct list list = {0};
    printf("%-*s", LABEL, "");
    for (size_t i = 0; i < uses; i++) {
        char *item = base_format("%s%s %s", i ? "" : "busy: ", use[i].label,
                                 app_text_share(metric(compare, machine, use[i].metric), 1).text);
        print_item(&list, item);
        base_free(item);
    }
    puts("");
}

static void print_use(const struct app_run *run, const struct app_paint *p)
{
    static const struct use lpu[] = {{"weight_streams_busy", "weight streams"},
                                     {"links_busy", "links"},
                                     {"busiest_link_busy", "busiest link"}};
    static const struct use gpu[] = {{"kernels_running", "kernels"},
                                     {"sms_busy", "SMs"},
                                     {"links_busy", "NVLink"},
                                     {"fabric_busy", "fabric"},
                                     {"fabric_busy_neighbour", "fabric by the neighbour"}};
    const struct app_compare *c = run->compare;
    app_rows_title(p, "Where the time of a decode step goes");
    if (run->lpu) {
        print_shares_of(c, p, RECORD_LPU, "LPU");
        print_busy(c, RECORD_LPU, lpu, sizeof lpu / sizeof lpu[0]);
    }
    if (run->gpu) {
        print_shares_of(c, p, RECORD_GPU, "GPU");
        print_busy(c, RECORD_GPU, gpu, sizeof gpu / sizeof gpu[0] - !run->compare->quiet.runs);
        print_neighbour(run, p);
    }
}

/* Classes of one machine and one time, with what a token needs. */
static void print_decisions_of(const struct app_run *run, const struct app_paint *p,
                               enum record_machine machine, enum record_when when,
                               const char *label)
{
    const struct app_compare *compare = run->compare;
    struct list list = {0};
    printf("%s%-*s%s", p->dim, LABEL, label, p->off);
    for (size_t i = 0; i < compare->decisions; i++) {
        const struct record_compare_decision *d = &compare->decision[i];
        if (d->machine != machine || d->when != when || d->per_token <= 0)
            continue;
        char *item = base_format("%s %s", app_text_short(d->per_token).text, d->decision);
        print_item(&list, item);
        base_free(item);
    }
    if (list.items > 0)
        puts("");
    else
        printf("none: position%s token%s only complete addresses\n",
               run->model.experts ? "," : " and", run->model.experts ? " and experts" : "");
}

static void print_decisions(const struct app_run *run, const struct app_paint *p)
{
    app_rows_title(p, "Decisions behind one token");
    if (run->lpu && run->gpu) {
        app_ledger_print(run->compare, LABEL, p->dim, p->off);
        return;
    }
    if (run->lpu) {
        print_decisions_of(run, p, RECORD_LPU, RECORD_COMPILE_TIME, "LPU, compile time");
        print_decisions_of(run, p, RECORD_LPU, RECORD_RUN_TIME, "LPU, run time");
    }
    if (run->gpu)
        print_decisions_of(run, p, RECORD_GPU, RECORD_RUN_TIME, "GPU, run time");
}

static void print_candidate(const struct partition_candidate *c, const struct app_lpu_outline *o,
                            const struct app_paint *p)
{
    bool chosen = c->stages == o->stages && c->group == o->group;
    printf("%-*s%s%2" PRId32 " x %" PRId32 "  ", LABEL, "", chosen ? p->good : "", c->stages,
           c->group);
    if (c->fits)
        printf("%14s cycles%s%s", app_text_count(c->decode_cycles).text, chosen ? "  chosen" : "",
               chosen ? app_lpu_columns(o) : "");
    else
        printf("  does not fit: %.56s", c->why_not);
    printf("%s\n", chosen ? p->off : "");
}

/* Positions that the tokens of decode steps in a bucket attended to, and those that held anything.
 */
struct padding {
    int64_t steps, computed, used;
};

static struct padding padding_of(const struct app_run *run, enum partition_phase phase)
{
    const struct app_lpu *lpu = run->lpu;
    struct padding p = {0};
    for (int32_t i = 0; i < lpu->steps; i++) {
        const struct record_lpu_step *step = &lpu->step[i];
        if (app_lpu_phase_of(lpu, step) != phase)
            continue;
        p.steps++;
        for (int32_t s = 0; s < run->scenario.bucket.batch; s++) {
            p.computed += step->bucket;
            p.used += app_lpu_position(run, step->sequence + s, step) + 1;
        }
    }
    return p;
}

/* A line for each bucket of a ladder: length, steps, and what padding costs. */
static void print_ladder(const struct app_run *run, const struct app_paint *p)
{
    const struct app_lpu_outline *o = &run->lpu->outline;
    int32_t rungs = run->scenario.bucket.rungs;
    for (int32_t r = 0; rungs > 0 && r <= rungs; r++) {
        enum partition_phase phase = app_lpu_bucket(run, r);
        struct padding used = padding_of(run, phase);
        double length = (double)o->length_cycles[phase];
        printf("%s%-*s%s%5" PRId32 " positions: %s cycles (%s of the largest), %" PRId64 " steps",
               p->dim, LABEL, r ? "" : "ladder", p->off, o->positions[phase],
               app_text_count(o->length_cycles[phase]).text,
               app_text_share(length, (double)o->length_cycles[PARTITION_DECODE]).text, used.steps);
        if (used.used > 0)
            printf(", %.2f computed for 1 used", (double)used.computed / (double)used.used);
        puts("");
    }
}

static void print_compiler(const struct app_run *run, const struct app_paint *p)
{
    const struct app_lpu *lpu = run->lpu;
    int64_t bound = lpu->outline.bound_cycles[PARTITION_DECODE];
    const struct partition_candidate *c = lpu->candidate;
    int64_t decode = lpu->outline.length_cycles[PARTITION_DECODE];
    app_rows_title(p, "LPU: compiled, then executed under the contract");
    printf("%s%-*s%sstages x group, decode step\n", p->dim, LABEL, "splits", p->off);
    for (size_t i = 0; i < lpu->candidates && i < 6; i++)
        print_candidate(&c[i], &lpu->outline, p);
    printf("%s%-*s%s%s cycles a decode step, %.2f of its bound; %s for %" PRId32 " prompt tokens\n",
           p->dim, LABEL, "schedule", p->off, app_text_count(decode).text,
           (double)decode / (double)bound,
           app_text_count(lpu->outline.length_cycles[PARTITION_PREFILL]).text,
           lpu->outline.prefill_rows);
    print_ladder(run, p);
}

static char *user_text(const struct interval_user *user)
{
    return user->layer < 0 ? base_format("%.24s", user->name)
                           : base_format("%.24s of layer %" PRId32, user->name, user->layer);
}

/* What determines the interval. */
static void print_interval(const struct interval_found *f)
{
    char *first = user_text(&f->first), *second = user_text(&f->second);
    printf("%-*sone cycle less: %s of chip %" PRId32 ", %s against %s;\n", LABEL, "", f->thing,
           f->chip, first, second);
    printf("%-*sthe busiest unit alone: %s cycles a step\n", LABEL, "",
           app_text_count(f->busiest_cycles).text);
    base_free(first);
    base_free(second);
}

static void print_crowd(const struct app_run *run)
{
    struct app_crowd crowd = app_served_crowd(run);
    printf("%-*s%" PRId32 " sequences ran: first tokens from %s to %s, all done in %s,\n", LABEL,
           "", crowd.sequences, app_text_time(crowd.earliest_ps).text,
           app_text_time(crowd.latest_ps).text, app_text_time(crowd.finished_ps).text);
    printf("%-*s%.0f tokens/s over the whole run\n", LABEL, "", crowd.tokens_per_s);
}

/* Tokens where all seats decode in one bucket. */
static void print_rates(const struct app_run *run, const char *where, enum partition_phase kind)
{
    const struct app_lpu_sharing *o = &run->lpu->sharing;
    double token = (double)app_lpu_token_cycles(run, kind);
    double hz = (double)run->scenario.lpu_chip.clock_hz;
    double users = (double)o->seats.placed * run->scenario.bucket.batch;
    printf("%-*s%s: a token each %s cycles, %.0f tokens/s a user, %.0f of all\n", LABEL, "", where,
           app_text_count(app_lpu_token_cycles(run, kind)).text, hz / token, users * hz / token);
}

/* How soon steps in each bucket may follow one in `kind`. First rank, as distances are. */
static void print_nearest(const struct app_run *run, enum partition_phase kind)
{
    const struct app_lpu *lpu = run->lpu;
    printf("%-*sbehind one in %" PRId32 ":", LABEL, "", lpu->outline.positions[kind]);
    for (int32_t n = 0; n <= run->scenario.bucket.rungs; n++) {
        enum partition_phase next = app_lpu_bucket(run, n);
        printf("%s %s in %" PRId32, n ? "," : "",
               app_text_count(distances_next(lpu->distances, kind, next, 1)).text,
               lpu->outline.positions[next]);
    }
    puts("");
}

/* What each bucket of a ladder allows where all are in it, and what mixtures of them do. */
static void print_buckets(const struct app_run *run)
{
    const struct app_lpu_sharing *o = &run->lpu->sharing;
    int32_t buckets = run->scenario.bucket.rungs + 1;
    for (int32_t n = 0; n < buckets; n++) {
        enum partition_phase kind = app_lpu_bucket(run, n);
        char *where =
            base_format("all in %" PRId32 " positions, P = %s", run->lpu->outline.positions[kind],
                        app_text_count(o->interval.cycles[kind]).text);
        print_rates(run, where, kind);
        base_free(where);
    }
    printf("%-*swhatever buckets follow each other: P = %s; nearest starts\n", LABEL, "",
           app_text_count(o->interval.mixed_cycles).text);
    for (int32_t n = 0; n < buckets; n++)
        print_nearest(run, app_lpu_bucket(run, n));
}

static void print_seats(const struct app_run *run, const struct app_paint *p)
{
    const struct app_lpu_sharing *o = &run->lpu->sharing;
    const struct interval_found *f = &o->interval;
    int64_t latency = run->lpu->outline.length_cycles[PARTITION_DECODE];
    int32_t batch = run->scenario.bucket.batch;
    if (f->mixed_cycles == 0)
        return;
    printf("%s%-*s%sL = %s cycles, P = %s: seats by time %" PRId32 ", by SRAM %" PRId32
           "; placed %" PRId32,
           p->dim, LABEL, "in flight", p->off, app_text_count(latency).text,
           app_text_count(f->cycles[PARTITION_DECODE]).text, o->seats.by_time, o->seats.by_sram,
           o->seats.placed);
    if (batch > 1)
        printf(", of %" PRId32 " sequences each", batch);
    puts("");
    print_interval(f);
    if (run->scenario.bucket.rungs > 0)
        print_buckets(run);
    else
        print_rates(run, "all seats decoding", PARTITION_DECODE);
    printf("%-*sa prefill pass takes %" PRId32 " starts of decode steps, %.1f where passes follow\n"
           "%-*seach other\n",
           LABEL, "", f->prefill_starts[PARTITION_DECODE],
           (double)f->cycles[PARTITION_PREFILL] / (double)f->cycles[PARTITION_DECODE], LABEL, "");
    print_crowd(run);
}

static void print_equality(const struct app_run *run, const struct app_paint *p)
{
    const struct app_lpu *lpu = run->lpu;
    int32_t prefill_steps = run->scenario.lpu_prefill ? lpu->prompt_steps : 0;
    int64_t executed = lpu->totals.steps - prefill_steps;
    int64_t replayed = lpu->steps - lpu->totals.steps;
    printf("%s%-*s%s", p->dim, LABEL, "equal", p->off);
    if (run->compare->lpu_steps_equal)
        printf("%sall %" PRId64 " executed decode steps took their compiled length, to the cycle%s",
               p->good, executed, p->off);
    else
        printf("%sno: promises were broken, see above and /lpu/violations%s", p->bad, p->off);
    if (replayed > 0)
        printf("; %" PRId64 " replayed", replayed);
    puts("");
}

static void print_contract(const struct app_run *run, const struct app_paint *p)
{
    const struct app_lpu *lpu = run->lpu;
    const struct app_lpu_totals *t = &lpu->totals;
    printf("%s%-*s%s%s instructions, %s vectors checked: %s%s violated%s\n", p->dim, LABEL,
           "contract", p->off, app_text_count(t->instructions).text,
           app_text_count(t->vectors).text, t->violations ? p->bad : p->good,
           app_text_count(t->violations).text, p->off);
    print_equality(run, p);
    char *load = run->values ? base_format(", %.1f s to load", lpu->load_seconds) : base_strdup("");
    printf("%s%-*s%s%s between chips, %s over MPI; %.1f s to compile%s, %.1f s to execute\n",
           p->dim, LABEL, "messages", p->off, app_text_count(t->messages).text,
           app_text_count(t->messages_between_ranks).text, lpu->compile_seconds, load,
           lpu->execute_seconds);
    base_free(load);
}

/* How the tokens and logits compare with a plain computation. */
static void print_agreement(const struct app_values *v, const struct app_paint *p)
{
    const struct app_agreement *a = &v->agreement;
    bool equal = a->equal == a->compared;
    if (equal)
        printf("%sequal to the reference, token for token: %" PRId64 " of %" PRId64 "%s", p->good,
               a->equal, a->compared, p->off);
    else
        printf("%s%" PRId64 " of %" PRId64 " tokens are the reference's, number %" PRId32
               " is the first other%s",
               p->bad, a->equal, a->compared, a->first_other + 1, p->off);
    if (a->logits > 0)
        printf("\n%-*slogits: off by %.2g at most, %.2g root mean square\n", LABEL, "",
               a->worst_error, app_values_rms_error(v));
    else
        printf("\n%-*slogits: not compared, other steps have their rows by then\n", LABEL, "");
}

/* One line a sequence, the first few of them. */
static void print_texts(const struct app_run *run, const struct app_paint *p)
{
    const struct app_values *v = run->values;
    const char *label = v->tokenizer ? "text" : "tokens";
    for (int32_t s = 0; s < v->sequences && s < MOST_TEXTS; s++) {
        char *text = app_values_text(run, s);
        printf("%s%-*s%s", p->dim, LABEL, s ? "" : label, p->off);
        if (run->scenario.prompt[0] && v->sequences == 1)
            printf("%s%s%s", p->dim, run->scenario.prompt, p->off);
        printf("%s%s%s\n", p->bold, text, p->off);
        base_free(text);
    }
    if (v->sequences > MOST_TEXTS)
        printf("%-*sand %" PRId32 " more sequences\n", LABEL, "", v->sequences - MOST_TEXTS);
}

/* What the chips computed. */
static void print_values(const struct app_run *run, const struct app_paint *p)
{
    const struct app_values *v = run->values;
    bool fp32 = run->scenario.lpu_numerics == SCENARIO_FP32;
    printf("%s%-*s%snumbers of %s moved and computed by the programs\n", p->dim, LABEL, "values",
           p->off, fp32 ? "fp32" : "int8 and fp16");
    if (v->agreement.compared > 0) {
        printf("%-*s", LABEL, "");
        print_agreement(v, p);
    }
    print_texts(run, p);
}

static void print_engine(const struct app_run *run, const struct app_paint *p)
{
    const struct app_gpu *gpu = run->gpu;
    double rate = gpu->seconds > 0 ? (double)gpu->totals.events / gpu->seconds : 0;
    app_rows_title(p, "GPU: simulated event by event");
    printf("%s%-*s%s%s events in %.1f s, %s/s; %s time windows over %d partition%s\n", p->dim,
           LABEL, "engine", p->off, app_text_count(gpu->totals.events).text, gpu->seconds,
           app_text_short(rate).text, app_text_count(gpu->windows.windows).text,
           gpu->windows.partitions, gpu->windows.partitions == 1 ? "" : "s");
    printf("%s%-*s%s%s kernels, %s collectives; chunks: %s NVLink, %s fabric\n", p->dim, LABEL,
           "ran", p->off, app_text_count(gpu->totals.kernels).text,
           app_text_count(gpu->totals.collectives).text, app_text_count(gpu->nvlink.chunks).text,
           app_text_count(gpu->nic.chunks).text);
}

void app_summary_print(const struct app_run *run)
{
    struct app_paint paint = app_rows_paint(), *p = &paint;
    print_head(run, p);
    print_machines(run, p);
    print_times(run, p);
    print_use(run, p);
    print_decisions(run, p);
    if (run->lpu) {
        print_compiler(run, p);
        print_seats(run, p);
        print_contract(run, p);
    }
    if (run->values)
        print_values(run, p);
    if (run->gpu)
        print_engine(run, p);
    if (run->scenario.output_path[0])
        printf("\n%s%-*s%s%s\n", p->dim, LABEL, "file", p->off, run->scenario.output_path);
}

enum base_status app_summary_show(struct app_run *run)
{
    const char *json = run->scenario.json_path;
    if (parallel_is_first() && json[0])
        app_json_write(run, app_json_run, json, &run->report);
    if (run->command->kind == APP_COMMAND_GENERATE) {
        if (parallel_is_first())
            app_values_print(run);
    } else if (parallel_is_first() && !run->scenario.quiet && strcmp(json, "-") != 0) {
        app_summary_print(run);
    }
    app_rows_flush(&run->report);
    return parallel_agree_report(&run->report, BASE_IO);
}
