/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the constants of the serving engines anew from the rows that are for the fit.
 *
 * One engine after the other, from a start that owes nothing to the shipped values: the time of a
 * token sets the host's time, that and the time of the first token the rest, in turns until nothing
 * changes. Each is sought on a grid, with wide steps first; the mean relative error counts. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "evaluate.h"
#include "folder.h"
#include "models.h"
#include "serving_point.h"

enum { MOST_TABLES = 16, MOST_KNOBS = 4, TURNS = 4 };

/* A constant of an engine, its grid, and where the search starts; in units. */
struct knob {
    const char *name;
    size_t offset; /* in struct engine_kind */
    enum { WHOLE, REAL, YES_OR_NO } type;
    double unit, step, low, high, start;
};

#define IN_ENGINE(field) offsetof(struct engine_kind, field)
static const struct knob host_step = {
    "host, a step, us", IN_ENGINE(step_ps), WHOLE, 1e6, 50, 0, 4000, 1000};
static const struct knob host_sequence = {
    "host, a sequence, us", IN_ENGINE(sequence_ps), WHOLE, 1e6, 5, 0, 1000, 20};
static const struct knob host_gap = {
    "an op launched eagerly, us", IN_ENGINE(eager_gap_ps), WHOLE, 1e6, 1, 4, 100, 30};
static const struct knob waiting = {
    "clients without a slot", IN_ENGINE(waiting), WHOLE, 1, 1, 0, 4, 0};
static const struct knob splits = {
    "prompts are split", IN_ENGINE(splits_prompts), YES_OR_NO, 1, 1, 0, 1, 0};
static const struct knob memory = {
    "share of memory, %", IN_ENGINE(memory_share), REAL, 0.01, 1, 50, 95, 90};

/* What is fitted of an engine: by the time of a token, and by that of the first too. */
static const struct plan {
    const char *engine;
    const struct knob *by_tpot[MOST_KNOBS], *by_both[MOST_KNOBS];
} plans[] = {
    {"vllm", {&host_step, &host_sequence}, {NULL}},
    {"trtllm", {&host_step, &host_sequence}, {&splits, &waiting}},
    {"sglang", {&host_step, &host_sequence}, {&memory}},
    {"splitwise", {&host_step, &host_sequence, &host_gap}, {NULL}},
};

struct fit {
    struct gpus *gpus;
    struct table table[MOST_TABLES];
    size_t tables;
    struct sample {
        const struct kind *kind;
        struct row row;
        const struct engine_kind *engine;
        bool is_loop; /* of clients, not a batch that begins together */
    } * sample;       /* rows for the fit */
    size_t samples, capacity;
};

static double value_get(const struct engine_kind *engine, const struct knob *knob)
{
    const char *at = (const char *)engine + knob->offset;
    switch (knob->type) {
    case WHOLE:
        return (double)*(const int64_t *)at / knob->unit;
    case REAL:
        return *(const double *)at / knob->unit;
    default:
        return *(const bool *)at;
    }
}

static void value_set(struct engine_kind *engine, const struct knob *knob, double value)
{
    char *at = (char *)engine + knob->offset;
    if (knob->type == WHOLE)
        *(int64_t *)at = llround(value * knob->unit);
    else if (knob->type == REAL)
        *(double *)at = value * knob->unit;
    else
        *(bool *)at = value > 0;
}

/* Mean relative error of one time ("tpot", "ttft"; "t": of both) over the rows of an engine; NULL:
 * over all that are closed loops. What cannot be predicted any more is off by the whole. */
static double error_of(const struct fit *f, const struct engine_kind *engine, const char *time)
{
    struct points points = {0};
    double sum = 0, count = 0;
    for (size_t i = 0; i < f->samples; i++)
        if (engine ? f->sample[i].engine == engine : f->sample[i].is_loop) {
            bool lost = f->sample[i].kind->predict(&f->sample[i].row, &points) != NULL;
            sum += lost;
            count += lost;
        }
    for (size_t i = 0; i < points.count; i++) {
        const struct point *p = &points.point[i];
        bool counts = strncmp(p->group, time, strlen(time)) == 0;
        sum += counts ? fabs(p->predicted_s / p->measured_s - 1) : 0;
        count += counts;
    }
    points_release(&points);
    return sum / count;
}

/* The neighbour of a number: a digit to the base of three for each knob. False where the end of a
 * grid makes it another neighbour. */
static bool neighbour_set(struct engine_kind *engine, const struct knob *const *knob, int knobs,
                          const double *here, int number, double wide)
{
    bool is_new = true;
    for (int k = 0; k < knobs; k++, number /= 3) {
        double wish = here[k] + (number % 3 - 1) * wide * knob[k]->step;
        double value = fmin(fmax(wish, knob[k]->low), knob[k]->high);
        is_new = is_new && (number % 3 == 1 || value != here[k]);
        value_set(engine, knob[k], value);
    }
    return is_new;
}

static void values_get(const struct engine_kind *engine, const struct knob *const *knob, int knobs,
                       double *value)
{
    for (int k = 0; k < knobs; k++)
        value[k] = value_get(engine, knob[k]);
}

/* Tries all neighbours at the distance of `wide` steps; moves to the best that is better. */
static bool move(const struct fit *f, struct engine_kind *engine, const struct knob *const *knob,
                 const char *time, double wide, double *best)
{
    double here[MOST_KNOBS], there[MOST_KNOBS];
    int knobs = 0, neighbours = 1;
    for (; knobs < MOST_KNOBS && knob[knobs]; knobs++)
        neighbours *= 3;
    values_get(engine, knob, knobs, here);
    values_get(engine, knob, knobs, there);
    bool better = false;
    for (int n = 0; n < neighbours; n++) {
        bool is_new = neighbour_set(engine, knob, knobs, here, n, wide);
        double error = is_new ? error_of(f, engine, time) : *best;
        if (error < *best - 1e-9) {
            *best = error;
            better = true;
            values_get(engine, knob, knobs, there);
        }
    }
    for (int k = 0; k < knobs; k++)
        value_set(engine, knob[k], there[k]);
    return better;
}

/* Whether anything changed. */
static bool seek(const struct fit *f, struct engine_kind *engine, const struct knob *const *knob,
                 const char *time)
{
    bool any = false;
    double best = knob[0] ? error_of(f, engine, time) : 0;
    for (double wide = 8; knob[0] && wide >= 1; wide /= 2)
        while (move(f, engine, knob, time, wide, &best))
            any = true;
    return any;
}

static void start(struct engine_kind *engine, const struct knob *const *knob)
{
    for (int k = 0; k < MOST_KNOBS && knob[k]; k++)
        value_set(engine, knob[k], knob[k]->start);
}

static void knobs_print(const struct engine_kind *engine, const struct engine_kind *shipped,
                        const struct knob *const *knob)
{
    for (int k = 0; k < MOST_KNOBS && knob[k]; k++)
        printf("    %-28s %8g %8g\n", knob[k]->name, value_get(engine, knob[k]),
               value_get(shipped, knob[k]));
}

static void errors_print(const char *which, double tpot, double ttft)
{
    printf("    mean error, %s: TPOT %.2f %%, TTFT %.1f %%\n", which, 100 * tpot, 100 * ttft);
}

static void engine_fit(const struct fit *f, struct engine_kind *engine, const struct plan *plan)
{
    struct engine_kind shipped = *engine;
    double tpot = error_of(f, engine, "tpot"), ttft = error_of(f, engine, "ttft");
    start(engine, plan->by_tpot);
    start(engine, plan->by_both);
    bool moved = true;
    for (int turn = 0; moved && turn < TURNS; turn++) {
        moved = seek(f, engine, plan->by_tpot, "tpot");
        moved = seek(f, engine, plan->by_both, "t") || moved;
    }
    printf("%s%s %33s %8s\n", engine->name, engine->since > 0 ? ", late" : "", "found", "shipped");
    knobs_print(engine, &shipped, plan->by_tpot);
    knobs_print(engine, &shipped, plan->by_both);
    errors_print("shipped", tpot, ttft);
    errors_print("found", error_of(f, engine, "tpot"), error_of(f, engine, "ttft"));
    fflush(stdout);
    *engine = shipped;
}

/* One number for all engines, with everything else as it is shipped. */
static void front_print(const struct fit *f)
{
    int64_t *front = serving_front_to_change(), shipped = *front;
    printf("front end, 1,024 positions of a prompt (shipped: %g ms)\n", (double)shipped / 1e9);
    for (int half = 0; half <= 8; half++) {
        *front = half * INT64_C(500000000);
        printf("    %.1f ms: mean error of TTFT %.2f %%\n", half / 2.0,
               100 * error_of(f, NULL, "ttft"));
    }
    *front = shipped;
}

/* NULL where no engine's constants can make a prediction of the row. */
static const struct engine_kind *engine_of(const struct sample *sample)
{
    struct serving_point point;
    struct gpu_job job;
    const char *why = sample->is_loop ? serving_row_point(&sample->row, &point)
                                      : serving_batch_row_point(&sample->row, &point);
    why = why ? why : serving_point_job(&sample->row, &point, &job);
    return why ? NULL : point.engine;
}

static void rows_keep(struct fit *f, const struct kind *kind, const struct table *table)
{
    for (size_t i = 0; i < table->rows; i++) {
        struct sample sample = {.kind = kind, .is_loop = kind == &kind_serving};
        if (row_find(kind, table, i, f->gpus, &sample.row) || !row_is_for_fit(kind, &sample.row))
            continue;
        sample.engine = engine_of(&sample);
        if (sample.engine) {
            f->sample = base_grow(f->sample, &f->capacity, f->samples + 1, sizeof *f->sample);
            f->sample[f->samples++] = sample;
        }
    }
}

static void table_keep(void *context, const char *path)
{
    struct fit *f = context;
    struct table *table = &f->table[f->tables];
    if (f->tables == MOST_TABLES || table_read(path, table))
        return;
    const struct kind *kind = kind_of(table);
    if (kind == &kind_serving || kind == &kind_serving_batch) {
        rows_keep(f, kind, table);
        f->tables++;
    } else {
        table_release(table);
    }
}

static bool has_rows(const struct fit *f, const struct engine_kind *engine)
{
    for (size_t i = 0; i < f->samples; i++)
        if (f->sample[i].engine == engine)
            return true;
    return false;
}

static void fit_all(const struct fit *f, const char *only)
{
    size_t engines;
    struct engine_kind *engine = engine_kinds_to_change(&engines);
    for (size_t i = 0; i < engines; i++)
        for (size_t k = 0; k < sizeof plans / sizeof *plans; k++) {
            bool is_asked = !only || strcmp(engine[i].name, only) == 0;
            bool fits = strcmp(engine[i].name, plans[k].engine) == 0;
            if (is_asked && fits && has_rows(f, &engine[i]))
                engine_fit(f, &engine[i], &plans[k]);
        }
    if (!only)
        front_print(f);
}

int main(int argc, char **argv)
{
    struct fit f = {0};
    if (argc < 2 || argc > 3 || argv[1][0] == '-') {
        fputs("usage: fit_engines DIR [ENGINE]   (from the project's root)\n"
              "Finds the constants of ENGINE (vllm, trtllm, sglang, splitwise; all) from the rows\n"
              "for the fit of the tables of serving points below DIR, and prints them beside the\n"
              "shipped ones of bench/measured/engines.c.\n",
              stderr);
        return 2;
    }
    models_search_usual();
    f.gpus = gpus_new("configs/gpus", NULL, 0);
    bool found = folder_walk(argv[1], NULL, table_keep, &f) && f.samples > 0;
    if (found)
        fit_all(&f, argc > 2 ? argv[2] : NULL);
    else
        fputs("fit_engines: error: no row for the fit below the folder can be predicted\n", stderr);
    for (size_t i = 0; i < f.tables; i++)
        table_release(&f.table[i]);
    base_free(f.sample);
    gpus_free(f.gpus);
    return found ? 0 : 1;
}
