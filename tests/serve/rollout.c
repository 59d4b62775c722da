/* SPDX-License-Identifier: BSD-3-Clause */
/* Canaries that are slower, faster, smaller, broken or just alike: what becomes of the rollout, of
 * every request, and of every promise. */
#include "serve/rollout.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "drawn.h"
#include "test.h"

enum { REQUESTS = 600, DRAWN = 60, DRAWN_REQUESTS = 200 };

/* 1 GHz: a cycle is 1,000 ps; an id of 4 bytes takes 4,000 ps. */
static const struct lpu_chip chip = {
    .clock_hz = 1000000000, .pcie_latency_ps = 10000, .pcie_bytes_per_s = 1000000000};
static const struct serve_apart near[] = {
    {0, 0, 0, 10}, {0, 1, 0, 10}, {1, 0, 0, 10}, {1, 1, 0, 10}};

static struct serve_machine machine_of(int64_t length, int32_t positions)
{
    return (struct serve_machine){.chip = &chip,
                                  .buckets = 2,
                                  .positions = {8, positions},
                                  .length_cycles = {length, length + 4},
                                  .settle_cycles = 1,
                                  .seats = 4,
                                  .lanes = 1,
                                  .apart = near,
                                  .aparts = sizeof near / sizeof near[0]};
}

/* Racks, and the requests that they get: 40 steps each, one each 3 us. */
struct trial {
    struct serve_machine machine[SERVE_VERSIONS];
    struct serve_frame frame[SERVE_VERSIONS];
    struct serve_spec spec;
    struct serve_rollout rollout;
    struct serve_request *request;
    struct serve_outcome *outcome, *without;
    size_t count;
    struct serve_played played;
};

static struct serve_spec usual(void)
{
    return (struct serve_spec){.lpu_replicas = 4,
                               .rollout = {.start_ps = INT64_C(200000000),
                                           .share = 0.25,
                                           .window_ps = INT64_C(100000000),
                                           .observe_ps = INT64_C(300000000),
                                           .least = 20,
                                           .ttft_ratio = 3,
                                           .tpot_ratio = 1.1,
                                           .refusals = 0.01}};
}

static void begin(struct trial *t, struct serve_machine canary)
{
    *t = (struct trial){.machine = {machine_of(95, 64), canary}, .spec = usual()};
    t->count = REQUESTS;
    t->request = base_alloc(t->count, sizeof *t->request);
    for (size_t n = 0; n < t->count; n++)
        t->request[n] = (struct serve_request){.arrival_ps = (int64_t)n * 3000000,
                                               .prompt_tokens = 1 + (int32_t)(n % 5),
                                               .output_tokens = 36};
}

static void serve(struct trial *t)
{
    for (int version = 0; version < SERVE_VERSIONS; version++) {
        const struct serve_machine *m = &t->machine[version];
        int64_t slot = serve_machine_train(m, false, 1);
        t->frame[version] = serve_frame_build(m, slot, m->pass_rows > 0 ? 2 : 0, 20);
        t->rollout.version[version].machine = &t->machine[version];
        t->rollout.version[version].frame = &t->frame[version];
        t->rollout.version[version].load_ps = INT64_C(20000000);
    }
    t->rollout.spec = &t->spec;
    t->rollout.seed = 7;
    struct serve_door door = {.machine = &t->machine[0], .frame = &t->frame[0], .spec = &t->spec};
    t->outcome = base_alloc(t->count, sizeof *t->outcome);
    t->without = base_alloc(t->count, sizeof *t->without);
    serve_carousel_run(&door, t->request, t->count, t->without);
    t->played = serve_rollout_run(&t->rollout, t->request, t->count, t->outcome);
    serve_rollout_charge(&t->played, t->request, t->count, t->outcome, t->without);
}

static void end(struct trial *t)
{
    serve_played_release(&t->played);
    serve_frame_release(&t->frame[0]);
    serve_frame_release(&t->frame[1]);
    base_free(t->request);
    base_free(t->outcome);
    base_free(t->without);
}

static const struct serve_event *find(const struct trial *t, enum serve_event_kind kind)
{
    for (size_t n = 0; n < t->played.events; n++)
        if (t->played.event[n].kind == kind)
            return &t->played.event[n];
    return NULL;
}

/* Nobody is lost, every promise is kept, and what decisions cost is what was lost. */
static void check(const struct trial *t)
{
    int64_t later = 0, failed = 0, charged[2] = {0};
    struct serve_rehearsal found =
        serve_rollout_rehearse(&t->rollout, &t->played, t->request, t->count, t->outcome);
    CU_ASSERT_TRUE(serve_rehearsal_is_clean(&found));
    if (!serve_rehearsal_is_clean(&found))
        fprintf(stderr,
                "%lld too near, %lld out of order, %lld too small, %lld taken, %lld unkept\n",
                (long long)found.too_near, (long long)found.out_of_order,
                (long long)found.too_small, (long long)found.taken, (long long)found.unkept);
    for (size_t n = 0; n < t->count; n++) {
        const struct serve_outcome *o = &t->outcome[n], *w = &t->without[n];
        CU_ASSERT_NOT_EQUAL(o->fate, SERVE_WAITING);
        CU_ASSERT_EQUAL(o->promised_ps, o->finished_ps);
        CU_ASSERT_EQUAL(o->fate == SERVE_FINISHED, t->played.course[n].stint >= 0);
        failed += t->played.course[n].failures;
        later += o->finished_ps > w->finished_ps && w->fate == SERVE_FINISHED;
    }
    for (size_t n = 0; n < t->played.events; n++) {
        const struct serve_event *e = &t->played.event[n];
        CU_ASSERT_TRUE(n == 0 || e->at_ps >= t->played.event[n - 1].at_ps);
        charged[0] += e->cost.delayed;
        charged[1] += e->cost.failed;
        CU_ASSERT_TRUE(serve_event_is_decision(e->kind) || e->cost.delayed + e->cost.failed == 0);
    }
    CU_ASSERT_EQUAL(charged[0], later);
    CU_ASSERT_EQUAL(charged[1], failed);
}

/* All racks run one version in the end. */
static void check_end(const struct trial *t, enum serve_rollout_end wanted,
                      enum serve_version version)
{
    CU_ASSERT_EQUAL(t->played.end, wanted);
    const struct serve_event *done = find(t, SERVE_EVENT_DONE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(done);
    CU_ASSERT_EQUAL(done->serving[version], t->spec.lpu_replicas);
    for (size_t n = 0; n < t->played.stints; n++)
        if (t->played.stint[n].to_ps == INT64_MAX)
            CU_ASSERT_EQUAL(t->played.stint[n].version, version);
}

static bool is_same(const struct serve_outcome *a, const struct serve_outcome *b)
{
    return a->fate == b->fate && a->replica == b->replica && a->admitted_ps == b->admitted_ps &&
           a->first_token_ps == b->first_token_ps && a->finished_ps == b->finished_ps &&
           a->promised_ps == b->promised_ps && a->longest_gap_ps == b->longest_gap_ps;
}

static void before_it_starts_racks_are_the_usual_ones(void)
{
    for (int router = 0; router < 2; router++) {
        struct trial t;
        begin(&t, machine_of(200, 64));
        t.spec.router = (enum serve_router)router;
        t.spec.rollout.start_ps = INT64_MAX - 1;
        serve(&t);
        CU_ASSERT_EQUAL(t.played.events, 0);
        for (size_t n = 0; n < t.count; n++)
            CU_ASSERT_TRUE(is_same(&t.outcome[n], &t.without[n]));
        end(&t);
    }
}

static void a_canary_that_is_alike_or_faster_is_promoted(void)
{
    for (int64_t length = 95; length > 60; length -= 30) {
        struct trial t;
        begin(&t, machine_of(length, 64));
        serve(&t);
        check(&t);
        check_end(&t, SERVE_PROMOTED, SERVE_CANARY);
        const struct serve_event *promoted = find(&t, SERVE_EVENT_PROMOTE);
        CU_ASSERT_PTR_NOT_NULL_FATAL(promoted);
        const struct serve_event *loaded = find(&t, SERVE_EVENT_LOADED);
        CU_ASSERT_TRUE(promoted->at_ps - loaded->at_ps >= t.spec.rollout.observe_ps);
        CU_ASSERT_TRUE(promoted->sight[SERVE_CANARY].finished >= t.spec.rollout.least);
        CU_ASSERT_PTR_NULL(find(&t, SERVE_EVENT_ROLL_BACK));
        CU_ASSERT_PTR_NOT_NULL(find(&t, SERVE_EVENT_KEEP));
        end(&t);
    }
}

static void a_slower_canary_is_rolled_back_by_time_per_token(void)
{
    struct trial t;
    begin(&t, machine_of(125, 64));
    serve(&t);
    check(&t);
    check_end(&t, SERVE_ROLLED_BACK, SERVE_STABLE);
    const struct serve_event *back = find(&t, SERVE_EVENT_ROLL_BACK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_EQUAL(back->gate, SERVE_GATE_TPOT_RATIO);
    CU_ASSERT_TRUE(back->sight[SERVE_CANARY].tpot_p99_ps > back->sight[SERVE_STABLE].tpot_p99_ps);
    CU_ASSERT_PTR_NULL(find(&t, SERVE_EVENT_PROMOTE));
    CU_ASSERT_TRUE(find(&t, SERVE_EVENT_START)->cost.delayed > 0);
    end(&t);
}

/* Seats are full nearly always: a little slower is too slow for all, not for a share on a rack with
 * room to spare. */
static void what_only_shows_when_all_racks_have_it_is_rolled_back_then(void)
{
    struct trial t;
    begin(&t, machine_of(105, 64));
    t.count = 6000;
    base_free(t.request);
    t.request = base_alloc(t.count, sizeof *t.request);
    for (size_t n = 0; n < t.count; n++)
        t.request[n] = (struct serve_request){
            .arrival_ps = (int64_t)n * 240000, .prompt_tokens = 1, .output_tokens = 36};
    t.spec.rollout = (struct serve_rollout_spec){.start_ps = INT64_C(100000000),
                                                 .share = 0.1,
                                                 .window_ps = INT64_C(100000000),
                                                 .observe_ps = INT64_C(200000000),
                                                 .least = 20,
                                                 .ttft_ratio = 3,
                                                 .tpot_ratio = 1.2,
                                                 .refusals = 0.01};
    t.spec.ttft_limit_ps = INT64_C(20000000);
    serve(&t);
    check(&t);
    const struct serve_event *promoted = find(&t, SERVE_EVENT_PROMOTE);
    const struct serve_event *back = find(&t, SERVE_EVENT_ROLL_BACK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(promoted);
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_TRUE(back->at_ps > promoted->at_ps);
    CU_ASSERT_EQUAL(back->gate, SERVE_GATE_TTFT_LIMIT);
    CU_ASSERT_EQUAL(t.played.end, SERVE_ROLLED_BACK);
    for (size_t n = 0; n < t.played.events; n++)
        CU_ASSERT_TRUE(t.played.event[n].kind == SERVE_EVENT_START ||
                       t.played.event[n].serving[0] + t.played.event[n].serving[1] > 0);
    end(&t);
}

static void a_limit_rolls_back_where_ratios_do_not(void)
{
    struct trial t;
    begin(&t, machine_of(125, 64));
    t.spec.rollout.tpot_ratio = 9;
    t.spec.tpot_limit_ps = 120000;
    serve(&t);
    check(&t);
    CU_ASSERT_EQUAL(find(&t, SERVE_EVENT_ROLL_BACK)->gate, SERVE_GATE_TPOT_LIMIT);
    end(&t);
}

static void a_canary_that_breaks_the_contract_fails_its_requests_once(void)
{
    struct trial t;
    begin(&t, machine_of(95, 64));
    t.rollout.version[SERVE_CANARY].broken[0] = 3;
    serve(&t);
    check(&t);
    check_end(&t, SERVE_ROLLED_BACK, SERVE_STABLE);
    const struct serve_event *back = find(&t, SERVE_EVENT_ROLL_BACK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(back);
    CU_ASSERT_EQUAL(back->gate, SERVE_GATE_CONTRACT);
    CU_ASSERT_EQUAL(back->violations, 3);
    int64_t failed = 0;
    for (size_t n = 0; n < t.count; n++) {
        failed += t.played.course[n].failures;
        CU_ASSERT_EQUAL(t.outcome[n].fate, SERVE_FINISHED);
        CU_ASSERT_TRUE(!t.played.course[n].failures || t.outcome[n].admitted_ps >= back->at_ps);
        CU_ASSERT_EQUAL(t.played.stint[t.played.course[n].stint].version, SERVE_STABLE);
    }
    CU_ASSERT_TRUE(failed > 0);
    end(&t);
}

/* The larger bucket is reached by long sequences alone, which come late: after the promotion. */
static void what_breaks_after_promotion_is_rolled_back_everywhere(void)
{
    struct trial t;
    begin(&t, machine_of(95, 64));
    for (size_t n = 0; n < t.count; n++)
        t.request[n].output_tokens = n < 550 ? 3 : 36;
    for (size_t n = 0; n < t.count; n++)
        t.request[n].prompt_tokens = 1;
    t.rollout.version[SERVE_CANARY].broken[1] = 1;
    serve(&t);
    check(&t);
    CU_ASSERT_PTR_NOT_NULL(find(&t, SERVE_EVENT_PROMOTE));
    CU_ASSERT_EQUAL(find(&t, SERVE_EVENT_ROLL_BACK)->serving[SERVE_STABLE], 0);
    CU_ASSERT_EQUAL(t.played.end, SERVE_ROLLED_BACK);
    end(&t);
}

static void a_canary_that_refuses_more_is_rolled_back(void)
{
    struct trial t;
    begin(&t, machine_of(95, 38));
    serve(&t);
    check(&t);
    check_end(&t, SERVE_ROLLED_BACK, SERVE_STABLE);
    CU_ASSERT_EQUAL(find(&t, SERVE_EVENT_ROLL_BACK)->gate, SERVE_GATE_REFUSALS);
    CU_ASSERT_TRUE(find(&t, SERVE_EVENT_START)->cost.refused > 0);
    end(&t);
}

static void few_requests_decide_nothing(void)
{
    struct trial t;
    begin(&t, machine_of(125, 64));
    t.spec.rollout.least = 1000;
    serve(&t);
    check(&t);
    CU_ASSERT_EQUAL(t.played.end, SERVE_UNDECIDED);
    CU_ASSERT_EQUAL(t.played.event[t.played.events - 1].kind, SERVE_EVENT_END);
    end(&t);
}

/* Pascal's triangle. */
static void chances_are_those_of_the_binomial_distribution(void)
{
    CU_ASSERT_DOUBLE_EQUAL(serve_gates_chance(3, 2, 0.5), 0.5, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(serve_gates_chance(50, 1, 0.01), 1 - pow(0.99, 50), 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(serve_gates_chance(7, 7, 0.1), 1e-7, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(serve_gates_chance(7, 0, 0.1), 1, 0);
    CU_ASSERT_DOUBLE_EQUAL(serve_gates_chance(7, 1, 0), 0, 0);
}

static void draw_trial(struct trial *t, struct drawn *stable, struct drawn *canary)
{
    t->spec = usual();
    t->spec.lpu_replicas = 2 + drawn_below(stable, 3);
    t->spec.policy = (enum serve_policy)drawn_below(stable, 3);
    t->spec.router = (enum serve_router)drawn_below(stable, 2);
    t->spec.refuse_late = drawn_below(stable, 2) != 0;
    t->spec.ttft_limit_ps = INT64_C(1000) * (20000 + drawn_below(stable, 60000));
    t->spec.tpot_limit_ps = INT64_C(1000) * (600 + drawn_below(stable, 2000));
    t->spec.tenant_tokens_per_s = 2000.0 * (1 + drawn_below(stable, 10));
    t->spec.rollout.share = 0.1 + 0.2 * drawn_below(stable, 5);
    t->spec.rollout.start_ps = INT64_C(1000) * drawn_below(stable, 200000);
    t->spec.rollout.least = 5;
    t->spec.rollout.ttft_ratio = 1 + drawn_below(stable, 4);
    t->spec.rollout.tpot_ratio = 1 + drawn_below(stable, 4);
    t->spec.rollout.refusals = 0.5;
    t->machine[0] = stable->machine;
    t->machine[1] = canary->machine;
    t->machine[1].chip = &stable->chip;
    for (int kind = 0; drawn_below(canary, 3) == 0 && kind < SERVE_KINDS; kind++)
        t->rollout.version[SERVE_CANARY].broken[kind] = drawn_below(canary, 4) == 0;
    t->count = DRAWN_REQUESTS;
    t->request =
        drawn_requests(stable, t->count, INT64_C(1000) * (1000 + drawn_below(stable, 9000)));
}

static void drawn_rollouts_keep_every_promise(void)
{
    int64_t ends[3] = {0}, gates[SERVE_GATES] = {0};
    for (uint64_t entity = 0; entity < DRAWN; entity++) {
        struct trial t = {0};
        struct drawn stable, canary;
        drawn_machine(&stable, entity);
        drawn_machine(&canary, entity % 3 ? entity : entity + 1000);
        draw_trial(&t, &stable, &canary);
        serve(&t);
        check(&t);
        ends[t.played.end]++;
        for (size_t n = 0; n < t.played.events; n++)
            gates[t.played.event[n].gate]++;
        end(&t);
    }
    fprintf(stderr, "%lld undecided, %lld promoted, %lld rolled back; gates", (long long)ends[0],
            (long long)ends[1], (long long)ends[2]);
    for (int gate = 1; gate < SERVE_GATES; gate++)
        fprintf(stderr, " %lld", (long long)gates[gate]);
    fprintf(stderr, "\n");
    CU_ASSERT_TRUE(ends[SERVE_PROMOTED] > 0);
    CU_ASSERT_TRUE(ends[SERVE_ROLLED_BACK] > 0);
    CU_ASSERT_TRUE(gates[SERVE_GATE_CONTRACT] > 0);
}

TEST_MAIN("rollout", TEST(before_it_starts_racks_are_the_usual_ones),
          TEST(a_canary_that_is_alike_or_faster_is_promoted),
          TEST(a_slower_canary_is_rolled_back_by_time_per_token),
          TEST(what_only_shows_when_all_racks_have_it_is_rolled_back_then),
          TEST(a_limit_rolls_back_where_ratios_do_not),
          TEST(a_canary_that_breaks_the_contract_fails_its_requests_once),
          TEST(what_breaks_after_promotion_is_rolled_back_everywhere),
          TEST(a_canary_that_refuses_more_is_rolled_back), TEST(few_requests_decide_nothing),
          TEST(chances_are_those_of_the_binomial_distribution),
          TEST(drawn_rollouts_keep_every_promise))
