/* SPDX-License-Identifier: BSD-3-Clause */
/* What the static machine's door plans for a few requests, passes in windows and decode steps of
 * several buckets, is executed by the chips: nothing of it breaks the contract. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "partition/interval.h"
#include "../serve/starts.h"
#include "rack.h"
#include "serve/carousel.h"
#include "serve/frame_choice.h"
#include "test.h"

/* Buckets of 64, 128 and 256 positions, sequences that move up, and more of them than seats. */
static const struct serve_request requests[] = {
    {0, 60, 8, 0},    {0, 1, 30, 0},         {1000, 100, 4, 0},     {2000, 126, 6, 0},
    {3000, 34, 2, 0}, {90000000, 65, 13, 0}, {100000000, 63, 4, 0}, {900000000, 200, 2, 0}};
enum { REQUESTS = sizeof requests / sizeof requests[0] };

/* One node of four chips. */
static const struct rack_case racks[] = {
    {.name = "two stages", .model = &rack_qwen, .stages = 2, .group = 2, .seats = 2},
    {.name = "three stages", .model = &rack_varied, .stages = 3, .group = 1, .seats = 3},
    {.name = "four stages", .model = &rack_normed, .stages = 4, .group = 1, .seats = 4},
    {.name = "batch", .model = &rack_qwen, .stages = 2, .group = 2, .seats = 2, .batch = 2},
    {.name = "batches", .model = &rack_varied, .stages = 3, .group = 1, .seats = 2, .batch = 3}};
enum { RACKS = sizeof racks / sizeof racks[0] };

/* The phase of a kind: buckets come in order, the largest is that of PARTITION_DECODE. */
static enum partition_phase phase_of(const struct rack *rack, int kind)
{
    if (kind == SERVE_PASS)
        return PARTITION_PREFILL;
    return kind == rack->bucket.rungs ? PARTITION_DECODE
                                      : (enum partition_phase)(PARTITION_RUNG + kind);
}

static uint8_t kind_of(const struct rack *rack, enum partition_phase phase)
{
    int kind = 0;
    while (phase_of(rack, kind) != phase)
        kind++;
    return (uint8_t)kind;
}

static struct serve_apart *ranges_of(const struct rack *rack, size_t *count)
{
    const struct distances_range *range =
        distances_ranges(interval_distances(plan_interval(rack->plan)), count);
    struct serve_apart *apart = base_alloc(*count, sizeof *apart);
    for (size_t n = 0; n < *count; n++)
        apart[n] = (struct serve_apart){kind_of(rack, range[n].first),
                                        kind_of(rack, range[n].second), range[n].from, range[n].to};
    return apart;
}

static struct serve_machine machine_of(const struct rack *rack, struct serve_apart *apart,
                                       size_t aparts)
{
    struct serve_machine m = {.chip = &rack->machine,
                              .buckets = rack->bucket.rungs + 1,
                              .settle_cycles = rack->machine.mem_write_skew_cycles,
                              .pass_rows = plan_prefill_rows(rack->plan),
                              .seats = plan_seats(rack->plan).placed,
                              .lanes = rack->bucket.batch,
                              .apart = apart,
                              .aparts = aparts};
    for (int kind = 0; kind < SERVE_BUCKETS && kind < m.buckets; kind++) {
        m.positions[kind] = plan_positions(rack->plan, phase_of(rack, kind));
        m.length_cycles[kind] = plan_length_cycles(rack->plan, phase_of(rack, kind));
    }
    m.length_cycles[SERVE_PASS] = plan_length_cycles(rack->plan, PARTITION_PREFILL);
    return m;
}

/* Where each lane's sequence stands while its starts are gone through in order: the row of its next
 * token. */
struct stand {
    int32_t request, row;
};

struct script {
    struct rack_start *start;
    int32_t *position; /* [starts][batch] */
    int32_t count;
};

/* The next row of a lane: of its first start's request from 0. */
static struct stand *stand_of(struct stand *stand, int32_t lanes, const struct serve_start *s)
{
    struct stand *at = &stand[s->seat * lanes + s->lane];
    if (at->request != s->request)
        *at = (struct stand){s->request, 0};
    return at;
}

static void write_pass(struct script *script, const struct serve_machine *m, struct stand *stand,
                       const struct serve_start *s)
{
    struct stand *at = stand_of(stand, m->lanes, s);
    int32_t most = requests[s->request].prompt_tokens - 1;
    script->start[script->count++] = (struct rack_start){.cycle = s->cycle,
                                                         .phase = PARTITION_PREFILL,
                                                         .cache = s->seat * m->lanes + s->lane,
                                                         .position = at->row};
    at->row = at->row + m->pass_rows < most ? at->row + m->pass_rows : most;
}

/* All lanes of the step take part; those that have no turn write a row that their next step writes
 * again. Returns how many starts are in it. */
static size_t write_decode(struct script *script, const struct rack *rack,
                           const struct serve_machine *m, struct stand *stand,
                           const struct serve_start *s, size_t left)
{
    int32_t first = s->seat * m->lanes, *position = &script->position[script->count * m->lanes];
    size_t together = 0;
    for (size_t n = 0; n < left && s[n].cycle == s->cycle; n++)
        together += s[n].seat == s->seat && stand_of(stand, m->lanes, &s[n]);
    for (int32_t lane = 0; lane < m->lanes; lane++)
        position[lane] = stand[first + lane].row;
    script->start[script->count++] = (struct rack_start){
        .cycle = s->cycle, .phase = phase_of(rack, s->kind), .cache = first, .positions = position};
    for (size_t n = 0; n < together; n++)
        stand[first + s[n].lane].row++;
    return together;
}

static struct script script_of(const struct rack *rack, const struct serve_machine *m,
                               const struct starts *starts)
{
    struct script script = {
        .start = base_alloc(starts->count, sizeof *script.start),
        .position = base_alloc(starts->count * (size_t)m->lanes, sizeof *script.position)};
    struct stand *stand = base_alloc((size_t)(m->seats * m->lanes), sizeof *stand);
    for (int32_t n = 0; n < m->seats * m->lanes; n++)
        stand[n].request = -1;
    for (size_t n = 0; n < starts->count;) {
        const struct serve_start *s = &starts->start[n];
        if (s->kind == SERVE_PASS)
            write_pass(&script, m, stand, s);
        n +=
            s->kind == SERVE_PASS ? 1 : write_decode(&script, rack, m, stand, s, starts->count - n);
    }
    base_free(stand);
    return script;
}

static int64_t execute(struct rack *rack, const struct serve_machine *m,
                       const struct starts *starts)
{
    struct script script = script_of(rack, m, starts);
    int64_t found = rack_overlap_violations(rack, script.start, script.count);
    base_free(script.start);
    base_free(script.position);
    return found;
}

static int by_time(const void *a, const void *b)
{
    const struct serve_start *x = a, *y = b;
    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    return (x->request > y->request) - (x->request < y->request);
}

/* What a plan came to, by its executor and by the chips. */
struct flown {
    struct serve_usage usage;
    struct serve_rehearsal rehearsal;
    int64_t violations;
};

static struct flown fly(struct rack *rack, const struct serve_machine *m,
                        const struct serve_frame *frame)
{
    const struct serve_spec spec = {.lpu_replicas = 1};
    struct flown flown;
    struct serve_outcome outcome[REQUESTS];
    struct starts starts = {0};
    struct serve_door door = {
        .machine = m, .frame = frame, .spec = &spec, .note = starts_note, .context = &starts};
    flown.usage = serve_carousel_run(&door, requests, REQUESTS, outcome);
    flown.rehearsal = starts_rehearse(&starts, m, requests, REQUESTS, outcome, 1);
    qsort(starts.start, starts.count, sizeof *starts.start, by_time);
    flown.violations = execute(rack, m, &starts);
    base_free(starts.start);
    return flown;
}

/* A planner that ignores what is closed, in frames that are short. */
static void fly_blindly(struct rack *rack, const struct serve_machine *m, int64_t slot_cycles)
{
    struct serve_frame frame = serve_frame_build(m, slot_cycles, 4, 2);
    for (int32_t slot = 0; slot < frame.slots; slot++)
        frame.closed[slot] = false;
    struct flown blind = fly(rack, m, &frame);
    fprintf(stderr, "    closed slots ignored: %lld too near, %lld out of order; %lld violations\n",
            (long long)blind.rehearsal.too_near, (long long)blind.rehearsal.out_of_order,
            (long long)blind.violations);
    CU_ASSERT_TRUE(!serve_rehearsal_is_clean(&blind.rehearsal));
    CU_ASSERT_TRUE(blind.violations > 0);
    serve_frame_release(&frame);
}

static void fly_well(struct rack *rack, const struct serve_machine *m,
                     const struct serve_frame *frame, const char *name)
{
    struct flown flown = fly(rack, m, frame);
    fprintf(stderr,
            "%s, windows of %d: %lld passes, %lld decode steps in %lld slots; %lld pairs, %lld "
            "violations\n",
            name, frame->passes, (long long)flown.usage.passes_taken,
            (long long)flown.usage.decode_steps, (long long)flown.usage.decode_slots,
            (long long)flown.rehearsal.pairs, (long long)flown.violations);
    CU_ASSERT_TRUE(serve_rehearsal_is_clean(&flown.rehearsal));
    CU_ASSERT_EQUAL(flown.violations, 0);
    if (flown.violations)
        rack_violations(rack);
}

/* In the frame that is chosen, and in short ones. */
static void serve(struct rack *rack, const char *name)
{
    size_t aparts;
    struct serve_apart *apart = ranges_of(rack, &aparts);
    struct serve_machine m = machine_of(rack, apart, aparts);
    const struct serve_spec spec = {.lpu_replicas = 1};
    struct serve_capacity capacity;
    struct serve_frame frame = serve_frame_choose(&m, &spec, requests, REQUESTS, &capacity);
    fly_well(rack, &m, &frame, name);
    fly_blindly(rack, &m, frame.slot_cycles);
    for (int32_t passes = 1; passes < 4; passes += 2) {
        struct serve_frame narrow = serve_frame_build(&m, frame.slot_cycles, passes, 2 + passes);
        fly_well(rack, &m, &narrow, name);
        serve_frame_release(&narrow);
    }
    serve_frame_release(&frame);
    base_free(apart);
}

static void planned_starts_are_executed_without_violation(void)
{
    for (int n = 0; n < RACKS; n++) {
        struct rack_case c = racks[n];
        struct rack rack;
        c.rung[0] = 64;
        c.rung[1] = 128;
        c.prompt = 65;
        rack_compile(&rack, &c);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
        rack_start(&rack);
        serve(&rack, c.name);
        rack_release(&rack);
    }
}

TEST_MAIN("carousel", TEST(planned_starts_are_executed_without_violation))
