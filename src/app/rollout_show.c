/* SPDX-License-Identifier: BSD-3-Clause */
/* A rollout on the terminal: what happened when, what was seen, and which requests that cost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/json.h"
#include "app/lpu.h"
#include "app/rollout.h"
#include "app/rows.h"
#include "app/text.h"
#include "base/memory.h"
#include "base/version.h"
#include "parallel/parallel.h"

static const char *const version_name[] = {"stable", "canary"};

static int64_t broken_kinds(const struct app_deployed *d)
{
    int64_t kinds = 0;
    for (int kind = 0; kind < SERVE_KINDS; kind++)
        kinds += d->broken[kind] > 0;
    return kinds;
}

static void print_artifact(const struct app_run *run, enum serve_version version)
{
    const struct app_deployed *d = &run->rollout->version[version];
    const struct app_lpu_outline *plan = &d->run.lpu->outline;
    printf("%-*s%s: %" PRId32 " stages x %" PRId32 ", decode %s, loads %.1f MiB a chip in %s\n",
           APP_ROWS_LABEL, version_name[version], d->command.file, plan->stages, plan->group,
           app_text_time(machine_cycles_to_ps(&d->run.scenario.lpu_chip,
                                              plan->length_cycles[PARTITION_DECODE]))
               .text,
           (double)d->load_bytes / (1 << 20), app_text_time(d->load_ps).text);
}

static void print_contract(const struct app_run *run)
{
    const struct app_deployed *d = &run->rollout->version[SERVE_CANARY];
    int64_t kinds = broken_kinds(d);
    printf("%-*scanary: %s instructions executed, ", APP_ROWS_LABEL, "contract",
           app_text_count(d->executed).text);
    if (kinds > 0)
        printf("broken by %" PRId64 " kind%s of step\n", kinds, kinds == 1 ? "" : "s");
    else
        puts("0 violated");
}

static char *what_happened(const struct serve_event *e)
{
    static const char *const gate[] = {"",           "TTFT limit", "TPOT limit", "TTFT ratio",
                                       "TPOT ratio", "refusals",   "contract"};
    switch (e->kind) {
    case SERVE_EVENT_START:
        return base_strdup("START: the first rack is emptied");
    case SERVE_EVENT_EMPTIED:
        return base_format("rack %" PRId32 " is empty, loads %s", e->rack,
                           version_name[e->version]);
    case SERVE_EVENT_LOADED:
        return base_format("rack %" PRId32 " serves %s", e->rack, version_name[e->version]);
    case SERVE_EVENT_GO_ON:
        return base_strdup("GO ON: a clean window");
    case SERVE_EVENT_PROMOTE:
        return base_strdup("PROMOTE: a clean window, watched long enough");
    case SERVE_EVENT_ROLL_BACK:
        return base_format("ROLL BACK: %s", gate[e->gate]);
    case SERVE_EVENT_DONE:
        return base_format("all racks serve %s", version_name[e->serving[SERVE_CANARY] > 0]);
    case SERVE_EVENT_KEEP:
        return base_strdup("KEEP: the watch behind the promotion ends");
    default:
        return base_strdup("the requests are over, nothing is decided");
    }
}

static void print_sight(const struct app_paint *p, const struct serve_event *e,
                        enum serve_version version)
{
    const struct serve_sight *s = &e->sight[version];
    if (s->finished + s->decided == 0)
        return;
    printf("%s%-20s%s: %" PRId64 " finished, %" PRId64 " refused", p->dim, "",
           version_name[version], s->finished, s->refused);
    if (s->finished > 0)
        printf(", TTFT p99 %s", app_text_time(s->ttft_p99_ps).text);
    if (s->tpot_p99_ps >= 0)
        printf(", TPOT p99 %s", app_text_time(s->tpot_p99_ps).text);
    printf("%s\n", p->off);
}

static void print_cost(const struct serve_cost *c)
{
    printf("%8" PRId64 "%8" PRId64 "%8" PRId64 "%8" PRId64, c->delayed, c->sooner, c->failed,
           c->refused);
}

static void print_event(const struct app_paint *p, const struct serve_event *e)
{
    char *racks =
        base_format("%" PRId32 " + %" PRId32, e->serving[SERVE_STABLE], e->serving[SERVE_CANARY]);
    char *what = what_happened(e);
    bool decision = serve_event_is_decision(e->kind);
    printf("%-12s%-8s%s%-46s%s", app_text_time(e->at_ps).text, racks, decision ? p->bold : "", what,
           decision ? p->off : "");
    if (decision)
        print_cost(&e->cost);
    puts("");
    if (e->violations > 0)
        printf("%s%-20scanary: %s violations in one step%s\n", p->dim, "",
               app_text_count(e->violations).text, p->off);
    print_sight(p, e, SERVE_CANARY);
    print_sight(p, e, SERVE_STABLE);
    base_free(what);
    base_free(racks);
}

static struct serve_cost total_of(const struct serve_played *played)
{
    struct serve_cost sum = {0};
    for (size_t n = 0; n < played->events; n++) {
        const struct serve_cost *c = &played->event[n].cost;
        sum.delayed += c->delayed;
        sum.delay_ps += c->delay_ps;
        sum.sooner += c->sooner;
        sum.failed += c->failed;
        sum.refused += c->refused;
    }
    return sum;
}

static void print_timeline(const struct app_run *run, const struct app_paint *p)
{
    const struct serve_played *played = &run->rollout->played;
    struct serve_cost sum = total_of(played);
    app_rows_title(p, "What happened, and the requests that each decision cost");
    printf("%s%-12s%-8s%-46s%8s%8s%8s%8s%s\n", p->dim, "time", "racks", "stable + canary",
           "delayed", "sooner", "failed", "refused", p->off);
    for (size_t n = 0; n < played->events; n++)
        print_event(p, &played->event[n]);
    printf("%-66s", "all");
    print_cost(&sum);
    printf("\n%s%-20sdelayed by %s together%s\n", p->dim, "",
           sum.delay_ps > 0 ? app_text_time(sum.delay_ps).text : "0", p->off);
}

static void print_measures(const char *label, const struct serve_measures *m)
{
    printf("%-*s%-12s%-12s%-14s%s\n", APP_ROWS_LABEL, label,
           app_text_count(m->fate[SERVE_FINISHED]).text, app_text_count(m->good).text,
           app_text_time(m->ttft.p99_ps).text, app_text_time(m->tpot.p99_ps).text);
}

static void print_requests(const struct app_run *run, const struct app_paint *p)
{
    const struct serve_rehearsal *proof = &run->serving->timetable.rehearsal;
    app_rows_title(p, "The same requests");
    printf("%s%-*s%-12s%-12s%-14s%s%s\n", p->dim, APP_ROWS_LABEL, "", "finished", "good",
           "TTFT p99", "TPOT p99", p->off);
    print_measures("without the rollout", &run->rollout->before);
    print_measures("with it", &run->serving->measures[RECORD_LPU]);
    printf("%-*s%s steps rehearsed, %" PRId64 " promises broken\n", APP_ROWS_LABEL, "proof",
           app_text_count(proof->starts).text, proof->unkept);
}

static void print_all(const struct app_run *run)
{
    struct app_paint paint = app_rows_paint(), *p = &paint;
    printf("\n%slpusim-mp %s%s  %s\n", p->bold, base_version(), p->off, run->model.name);
    app_serving_source_print(run);
    print_artifact(run, SERVE_STABLE);
    print_artifact(run, SERVE_CANARY);
    print_contract(run);
    print_timeline(run, p);
    print_requests(run, p);
    printf("\n%s%-*s%s%.1f s\n", p->dim, APP_ROWS_LABEL, "simulated in", p->off,
           run->rollout->seconds);
    if (run->scenario.output_path[0])
        printf("%s%-*s%s%s\n", p->dim, APP_ROWS_LABEL, "file", p->off, run->scenario.output_path);
}

enum base_status app_rollout_show(struct app_run *run)
{
    const char *json = run->scenario.json_path;
    if (parallel_is_first() && json[0])
        app_json_write(run, app_rollout_json, json, &run->report);
    if (parallel_is_first() && !run->scenario.quiet && strcmp(json, "-") != 0)
        print_all(run);
    app_rows_flush(&run->report);
    return parallel_agree_report(&run->report, BASE_IO);
}
