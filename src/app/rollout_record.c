/* SPDX-License-Identifier: BSD-3-Clause */
/* Events of a rollout as rows of the file and as JSON. */
#include <inttypes.h>

#include "app/json.h"
#include "app/rollout.h"
#include "base/memory.h"
#include "base/version.h"
#include "parallel/parallel.h"

static struct record_serve_event row_of(const struct serve_event *e)
{
    const struct serve_sight *stable = &e->sight[SERVE_STABLE], *canary = &e->sight[SERVE_CANARY];
    return (struct record_serve_event){.at_ps = e->at_ps,
                                       .event = (uint8_t)e->kind,
                                       .gate = (uint8_t)e->gate,
                                       .version = (uint8_t)e->version,
                                       .rack = e->rack,
                                       .stable_racks = e->serving[SERVE_STABLE],
                                       .canary_racks = e->serving[SERVE_CANARY],
                                       .stable_finished = stable->finished,
                                       .canary_finished = canary->finished,
                                       .stable_decided = stable->decided,
                                       .canary_decided = canary->decided,
                                       .stable_refused = stable->refused,
                                       .canary_refused = canary->refused,
                                       .stable_ttft_p99_ps = stable->ttft_p99_ps,
                                       .canary_ttft_p99_ps = canary->ttft_p99_ps,
                                       .stable_tpot_p99_ps = stable->tpot_p99_ps,
                                       .canary_tpot_p99_ps = canary->tpot_p99_ps,
                                       .violations = e->violations,
                                       .delayed = e->cost.delayed,
                                       .delay_ps = e->cost.delay_ps,
                                       .sooner = e->cost.sooner,
                                       .failed = e->cost.failed,
                                       .refused = e->cost.refused};
}

void app_rollout_record(struct app_run *run)
{
    const struct serve_played *played = &run->rollout->played;
    struct record_serve_event *row = base_alloc(played->events, sizeof *row);
    for (size_t n = 0; n < played->events; n++)
        row[n] = row_of(&played->event[n]);
    record_append(run->file, record_layout(RECORD_SERVE_ROLLOUT), row,
                  parallel_is_first() ? played->events : 0);
    base_free(row);
}

/* The value of a column, as its label where it has one. */
static void write_field(FILE *out, const struct record_column *column, const char *row)
{
    const void *field = row + column->offset;
    fprintf(out, "\"%s\": ", column->name);
    if (column->labels)
        app_json_text(out, column->labels[*(const uint8_t *)field]);
    else if (column->type == RECORD_I32)
        fprintf(out, "%" PRId32, *(const int32_t *)field);
    else
        fprintf(out, "%" PRId64, *(const int64_t *)field);
}

static void write_event(FILE *out, const struct serve_event *event)
{
    const struct record_schema *schema = record_layout(RECORD_SERVE_ROLLOUT);
    struct record_serve_event row = row_of(event);
    fputs("    {", out);
    for (size_t n = 0; n < schema->columns; n++) {
        fputs(n ? ", " : "", out);
        write_field(out, &schema->column[n], (const char *)&row);
    }
    fputs("}", out);
}

static void write_measures(FILE *out, const char *name, const struct serve_measures *m)
{
    fprintf(out,
            "  \"%s\": {\"requests\": %" PRId64 ", \"finished\": %" PRId64 ", \"waiting\": %" PRId64
            ", \"good\": %" PRId64 ", \"ttft_p99_ps\": %" PRId64 ", \"tpot_p99_ps\": %" PRId64
            "},\n",
            name, m->requests, m->fate[SERVE_FINISHED], m->fate[SERVE_WAITING], m->good,
            m->ttft.p99_ps, m->tpot.p99_ps);
}

void app_rollout_json(FILE *out, const struct app_run *run)
{
    static const char *const end[] = {"undecided", "promoted", "rolled_back"};
    const struct serve_played *played = &run->rollout->played;
    const struct serve_rehearsal *proof = &run->serving->timetable.rehearsal;
    fprintf(out, "{\n  \"program\": \"lpusim-mp %s\",\n  \"model\": ", base_version());
    app_json_text(out, run->model.name);
    fputs(",\n  \"stable\": ", out);
    app_json_text(out, run->command->stable);
    fputs(",\n  \"canary\": ", out);
    app_json_text(out, run->command->canary);
    fprintf(out, ",\n  \"end\": \"%s\",\n", end[played->end]);
    write_measures(out, "without", &run->rollout->before);
    write_measures(out, "with", &run->serving->measures[RECORD_LPU]);
    fprintf(out,
            "  \"steps_rehearsed\": %" PRId64 ",\n  \"promises_broken\": %" PRId64
            ",\n  \"events\": [\n",
            proof->starts, proof->unkept);
    for (size_t n = 0; n < played->events; n++) {
        write_event(out, &played->event[n]);
        fputs(n + 1 < played->events ? ",\n" : "\n", out);
    }
    fputs("  ],\n  \"file\": ", out);
    app_json_text(out, run->scenario.output_path);
    fputs("\n}\n", out);
}
