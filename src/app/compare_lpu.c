/* SPDX-License-Identifier: BSD-3-Clause */
/* What the LPU rack brings to the comparison. */
#include "app/compare.h"
#include "app/lpu_steps.h"
#include "base/memory.h"

static void add_steps(struct app_compare *compare, const struct app_run *run)
{
    const struct lpu_chip *machine = &run->scenario.lpu_chip;
    const struct app_lpu *lpu = run->lpu;
    int64_t zero = run->served[RECORD_LPU].start_ps;
    for (int32_t i = 0; i < lpu->steps; i++) {
        const struct record_lpu_step *s = &lpu->step[i];
        app_compare_step(compare,
                         (struct record_compare_step){
                             .machine = RECORD_LPU,
                             .step = i,
                             .phase = s->phase,
                             .position = s->position,
                             .start_ps = zero + machine_cycles_to_ps(machine, s->start_cycle),
                             .end_ps = zero + machine_cycles_to_ps(machine, s->end_cycle)});
    }
}

/* Intervals are whole cycles of the chip's clock from token to token of a sequence: converted, not
 * subtracted. */
static void add_intervals(struct app_figures *figures, const struct app_run *run)
{
    const struct app_lpu *lpu = run->lpu;
    size_t count = 0, most = (size_t)lpu->sequences * (size_t)lpu->steps;
    int64_t *interval = base_alloc(most, sizeof *interval);
    for (int32_t q = 0; q < lpu->sequences; q++) {
        int32_t last = app_lpu_next_token(run, q, 0), next;
        for (; last >= 0 && (next = app_lpu_next_token(run, q, last + 1)) >= 0; last = next)
            interval[count++] = machine_cycles_to_ps(
                &run->scenario.lpu_chip, lpu->step[next].end_cycle - lpu->step[last].end_cycle);
    }
    figures->tpot = app_intervals_of(interval, count);
    base_free(interval);
}

/* What was decided once, for all tokens; a token uses the decisions of the decode program. */
static void add_decisions(struct app_compare *compare, const struct app_lpu *lpu)
{
    const struct partition_decisions *d = &lpu->sums[PARTITION_DECODE].decisions;
    const struct partition_decisions *p = &lpu->sums[PARTITION_PREFILL].decisions;
    const struct {
        const char *name;
        int64_t decode, prefill;
    } row[] = {{"tensors placed", d->placements, p->placements},
               {"instructions timed", d->issues, p->issues},
               {"vectors timed", d->repeats, p->repeats},
               {"link slots given", d->slots, p->slots},
               {"transfers routed", d->routes, p->routes}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        app_compare_decision(compare, RECORD_LPU, RECORD_COMPILE_TIME, row[i].name,
                             row[i].decode + row[i].prefill, (double)row[i].decode);
        app_compare_decision(compare, RECORD_LPU, RECORD_RUN_TIME, row[i].name, 0, 0);
    }
}

static void add_shares(struct app_compare *compare, const struct app_run *run)
{
    const struct app_lpu_outline *o = &run->lpu->outline;
    for (int n = 0; n < PARTITION_RUNG; n++) {
        enum partition_phase phase = (enum partition_phase)n;
        enum record_phase of_record = app_lpu_record_phase(phase);
        int64_t left = o->length_cycles[phase];
        for (enum bound_class of = 0; of < BOUND_CLASSES; of++) {
            int64_t cycles = o->share_cycles[phase][of];
            app_compare_share(compare, RECORD_LPU, of_record, bound_class_name(of),
                              machine_cycles_to_ps(&run->scenario.lpu_chip, cycles));
            left -= cycles;
        }
        app_compare_share(compare, RECORD_LPU, of_record, "barrier",
                          machine_cycles_to_ps(&run->scenario.lpu_chip, left));
    }
}

static int64_t wired_links(const struct lpu_topology *topology)
{
    int64_t wired = 0;
    for (int32_t i = 0; i < topology->chips * topology->links; i++)
        wired += topology->peer[i].chip >= 0;
    return wired;
}

/* Of a decode step. */
static void add_utilisation(struct app_compare *compare, const struct app_run *run)
{
    const struct lpu_chip *machine = &run->scenario.lpu_chip;
    const struct app_lpu_program *sums = &run->lpu->sums[PARTITION_DECODE];
    double length = (double)run->lpu->outline.length_cycles[PARTITION_DECODE];
    double streams =
        (double)run->lpu->outline.chips * machine->mxm_planes * machine->mxm_load_streams * length;
    double links = (double)wired_links(&run->lpu->topology) * length;
    app_compare_metric(compare, RECORD_LPU, "step_over_bound",
                       length / (double)run->lpu->outline.bound_cycles[PARTITION_DECODE], "1");
    app_compare_metric(compare, RECORD_LPU, "weight_streams_busy",
                       (double)sums->load_stream_cycles / streams, "1");
    app_compare_metric(compare, RECORD_LPU, "links_busy",
                       links > 0 ? (double)sums->link_cycles / links : 0, "1");
    app_compare_metric(compare, RECORD_LPU, "busiest_link_busy",
                       (double)sums->busiest_link_cycles / length, "1");
}

/* Of the largest bucket where there are several. */
static void add_seats(struct app_compare *compare, const struct app_run *run)
{
    const struct app_lpu_sharing *o = &run->lpu->sharing;
    if (o->interval.mixed_cycles == 0)
        return;
    double hz = (double)run->scenario.lpu_chip.clock_hz;
    double token = (double)app_lpu_token_cycles(run, PARTITION_DECODE);
    double users = (double)o->seats.placed * run->scenario.bucket.batch;
    app_compare_metric(compare, RECORD_LPU, "step_latency",
                       (double)run->lpu->outline.length_cycles[PARTITION_DECODE], "cycles");
    app_compare_metric(compare, RECORD_LPU, "initiation_interval",
                       (double)o->interval.cycles[PARTITION_DECODE], "cycles");
    app_compare_metric(compare, RECORD_LPU, "initiation_interval_mixed",
                       (double)o->interval.mixed_cycles, "cycles");
    app_compare_metric(compare, RECORD_LPU, "seats", o->seats.placed, "batches");
    app_compare_metric(compare, RECORD_LPU, "seats_by_time", o->seats.by_time, "batches");
    app_compare_metric(compare, RECORD_LPU, "seats_by_sram", o->seats.by_sram, "batches");
    app_compare_metric(compare, RECORD_LPU, "users_in_flight", users, "sequences");
    app_compare_metric(compare, RECORD_LPU, "tokens_per_second_a_user", hz / token, "1/s");
    app_compare_metric(compare, RECORD_LPU, "tokens_per_second_of_users", users * hz / token,
                       "1/s");
    struct app_crowd crowd = app_served_crowd(run);
    app_compare_metric(compare, RECORD_LPU, "sequences", crowd.sequences, "sequences");
    app_compare_metric(compare, RECORD_LPU, "ttft_latest", (double)crowd.latest_ps / 1e6, "us");
    app_compare_metric(compare, RECORD_LPU, "tokens_per_second_of_run", crowd.tokens_per_s, "1/s");
    app_compare_metric(compare, RECORD_LPU, "starts_a_prefill_pass_takes",
                       o->interval.prefill_starts[PARTITION_DECODE], "1");
}

static void add_contract(struct app_compare *compare, const struct app_lpu *lpu)
{
    const struct app_lpu_totals *t = &lpu->totals;
    app_compare_metric(compare, RECORD_LPU, "steps_executed", (double)t->steps, "1");
    app_compare_metric(compare, RECORD_LPU, "instructions_checked", (double)t->instructions, "1");
    app_compare_metric(compare, RECORD_LPU, "vectors_checked", (double)t->vectors, "1");
    app_compare_metric(compare, RECORD_LPU, "promises_broken", (double)t->violations, "1");
    app_compare_metric(compare, RECORD_LPU, "messages_between_chips", (double)t->messages, "1");
}

void app_compare_add_lpu(struct app_compare *compare, const struct app_run *run)
{
    struct app_figures *figures = &compare->machine[RECORD_LPU];
    const struct app_served *served = &run->served[RECORD_LPU];
    figures->runs = true;
    figures->ttft_ps = served->times.first_token_ps;
    figures->finished_ps = served->times.finished_ps;
    add_intervals(figures, run);
    figures->tokens_per_s = app_served_rate(served);
    compare->lpu_steps_equal = run->lpu->totals.violations == 0;
    add_steps(compare, run);
    add_decisions(compare, run->lpu);
    add_shares(compare, run);
    add_utilisation(compare, run);
    add_seats(compare, run);
    add_contract(compare, run->lpu);
}
