/* SPDX-License-Identifier: BSD-3-Clause */
/* The static machine's door by hand: what a request waits for, who is next, who is refused. */
#include "serve/carousel.h"

#include "base/memory.h"
#include "test.h"

enum { MOST = 8 };

/* 1 GHz: a cycle is 1,000 ps; an id of 4 bytes takes 4,000 ps. */
static const struct lpu_chip chip = {
    .clock_hz = 1000000000, .pcie_latency_ps = 10000, .pcie_bytes_per_s = 1000000000};

/* Steps of 95 and 99 cycles, 10 apart whatever they are; prompts take decode steps. */
static const struct serve_apart near[] = {
    {0, 0, 0, 10}, {0, 1, 0, 10}, {1, 0, 0, 10}, {1, 1, 0, 10}};
static const struct serve_machine plain = {.chip = &chip,
                                           .buckets = 2,
                                           .positions = {8, 64},
                                           .length_cycles = {95, 99},
                                           .settle_cycles = 1,
                                           .seats = 1,
                                           .lanes = 1,
                                           .apart = near,
                                           .aparts = sizeof near / sizeof near[0]};

/* The same with prefill passes of 4 rows and 300 cycles, 40 apart: a decode step of 95 catches up
 * with a pass unless it begins 220 cycles behind it. */
static const struct serve_apart far[] = {
    {0, 0, 0, 10},           {0, 1, 0, 10},           {1, 0, 0, 10},
    {1, 1, 0, 10},           {0, SERVE_PASS, 0, 15},  {1, SERVE_PASS, 0, 15},
    {SERVE_PASS, 0, 0, 220}, {SERVE_PASS, 1, 0, 220}, {SERVE_PASS, SERVE_PASS, 0, 40}};
static struct serve_machine with_passes(void)
{
    struct serve_machine m = plain;
    m.length_cycles[SERVE_PASS] = 300;
    m.pass_rows = 4;
    m.apart = far;
    m.aparts = sizeof far / sizeof far[0];
    return m;
}

static struct serve_usage serve(const struct serve_machine *machine, const struct serve_spec *spec,
                                int32_t passes, const struct serve_request *request, size_t count,
                                struct serve_outcome *outcome)
{
    struct serve_frame frame = serve_frame_build(machine, 10, passes, 40);
    struct serve_door door = {.machine = machine, .frame = &frame, .spec = spec};
    struct serve_usage usage = serve_carousel_run(&door, request, count, outcome);
    serve_frame_release(&frame);
    return usage;
}

static const struct serve_spec first_come = {.lpu_replicas = 1};

/* In over PCIe in 14,000 ps, so the first step begins in the slot of cycle 20. */
static void a_lone_request_takes_its_steps_and_two_transfers(void)
{
    struct serve_request request = {.arrival_ps = 0, .prompt_tokens = 1, .output_tokens = 3};
    struct serve_outcome o;
    struct serve_usage usage = serve(&plain, &first_come, 0, &request, 1, &o);
    CU_ASSERT_EQUAL(o.fate, SERVE_FINISHED);
    CU_ASSERT_EQUAL(o.admitted_ps, 0);
    CU_ASSERT_EQUAL(o.first_token_ps, 1000 * (20 + 95) + 14000);
    /* 96 cycles later, on the grid: 120 and 220. */
    CU_ASSERT_EQUAL(o.finished_ps, 1000 * (220 + 95) + 14000);
    CU_ASSERT_EQUAL(o.promised_ps, o.finished_ps);
    CU_ASSERT_EQUAL(o.longest_gap_ps, 100000);
    CU_ASSERT_EQUAL(usage.decode_slots, 3);
    CU_ASSERT_EQUAL(usage.slots, 32);
}

/* Seven prompt tokens in steps one slot apart; the step of position 8 is still in the bucket of 8,
 * the next one in that of 64. */
static void prompts_follow_each_other_and_sequences_move_up(void)
{
    struct serve_request request = {.arrival_ps = 0, .prompt_tokens = 8, .output_tokens = 2};
    struct serve_outcome o;
    serve(&plain, &first_come, 0, &request, 1, &o);
    int64_t in = 10000 + 8 * 4000, first = 50 + 7 * 10;
    CU_ASSERT_TRUE(in <= 50000);
    CU_ASSERT_EQUAL(o.first_token_ps, 1000 * (first + 95) + 14000);
    CU_ASSERT_EQUAL(o.finished_ps, 1000 * (first + 100 + 99) + 14000);
}

/* Four passes, two a window; the prompt is there a cycle too late for a window's first: it takes
 * that window's second, the next two, and the first of the third window. */
static void prompts_wait_for_windows(void)
{
    struct serve_machine m = with_passes();
    struct serve_frame frame = serve_frame_build(&m, 10, 2, 40);
    struct serve_door door = {.machine = &m, .frame = &frame, .spec = &first_come};
    struct serve_outcome o;
    CU_ASSERT_EQUAL(frame.apart_cycles, 40);
    for (int64_t window = 1; window < 4; window++) {
        int64_t in = 10 + 14 * 4, pass = serve_frame_pass_cycle(&frame, 2 * window);
        struct serve_request request = {
            .arrival_ps = 1000 * (pass + 1 - in), .prompt_tokens = 14, .output_tokens = 1};
        struct serve_usage usage = serve_carousel_run(&door, &request, 1, &o);
        int64_t last = serve_frame_pass_cycle(&frame, 2 * (window + 2) + 1);
        int64_t slot = serve_frame_slot_from(&frame, last + 220);
        CU_ASSERT_EQUAL(o.first_token_ps, 1000 * (10 * slot + 99) + 14000);
        CU_ASSERT_EQUAL(usage.passes_taken, 4);
    }
    serve_frame_release(&frame);
}

static void no_open_slot_meets_a_window(void)
{
    struct serve_machine m = with_passes();
    for (int32_t passes = 1; passes < 8; passes++) {
        struct serve_frame f = serve_frame_build(&m, 10, passes, 5 * passes);
        CU_ASSERT_EQUAL(f.closed_slots, serve_frame_window(&m, 10, passes));
        for (int64_t slot = 100; slot < 100 + f.slots; slot++)
            for (int64_t pass = 0; pass < 600 && !f.closed[slot % f.slots]; pass++) {
                int64_t d = 10 * slot - serve_frame_pass_cycle(&f, pass);
                CU_ASSERT_TRUE(d >= 0 ? serve_machine_allows(&m, SERVE_PASS, 0, d)
                                      : serve_machine_allows(&m, 0, SERVE_PASS, -d));
            }
        serve_frame_release(&f);
    }
}

/* One seat: the second is admitted when the first's last row stands. */
static void a_full_machine_makes_requests_wait(void)
{
    static const struct serve_request request[2] = {{0, 1, 3, 0}, {5, 1, 1, 0}};
    struct serve_outcome o[2];
    serve(&plain, &first_come, 0, request, 2, o);
    CU_ASSERT_EQUAL(o[1].admitted_ps, 1000 * (220 + 96));
    CU_ASSERT_EQUAL(o[1].first_token_ps, 1000 * (330 + 95) + 14000);
    struct serve_machine two = plain;
    two.seats = 2;
    serve(&two, &first_come, 0, request, 2, o);
    CU_ASSERT_EQUAL(o[1].admitted_ps, 5);
    CU_ASSERT_EQUAL(o[1].first_token_ps, 1000 * (30 + 95) + 14000);
}

/* The last three wait together; the last of them has to be done first. */
static void the_earliest_deadline_is_next(void)
{
    static const struct serve_request request[4] = {
        {0, 1, 5, 0}, {1, 1, 30, 0}, {2, 1, 20, 0}, {3, 1, 2, 0}};
    struct serve_spec spec = first_come;
    struct serve_outcome o[4];
    spec.tpot_limit_ps = 200000;
    spec.policy = SERVE_EARLIEST_DEADLINE;
    serve(&plain, &spec, 0, request, 4, o);
    CU_ASSERT_TRUE(o[0].admitted_ps < o[3].admitted_ps);
    CU_ASSERT_TRUE(o[3].admitted_ps < o[2].admitted_ps);
    CU_ASSERT_TRUE(o[2].admitted_ps < o[1].admitted_ps);
}

/* A second's tokens are saved up; of ten tokens a second the request of 1 + 39 takes four. */
static void a_tenant_without_tokens_lets_others_go_first(void)
{
    static const struct serve_request request[3] = {{0, 1, 39, 0}, {1, 1, 2, 0}, {2, 1, 2, 1}};
    struct serve_spec spec = first_come;
    struct serve_outcome o[3];
    spec.policy = SERVE_TENANT_BUDGET;
    spec.tenant_tokens_per_s = 1e7;
    serve(&plain, &spec, 0, request, 3, o);
    CU_ASSERT_TRUE(o[1].admitted_ps < o[2].admitted_ps);
    spec.tenant_tokens_per_s = 10;
    spec.refuse_late = true;
    spec.ttft_limit_ps = INT64_C(1000) * 1000000;
    serve(&plain, &spec, 0, request, 3, o);
    CU_ASSERT_EQUAL(o[0].fate, SERVE_FINISHED);
    CU_ASSERT_EQUAL(o[1].fate, SERVE_OVER_BUDGET);
    CU_ASSERT_EQUAL(o[2].fate, SERVE_FINISHED);
}

/* The second one's first token comes as in the test of waiting: a picosecond decides. */
static void who_would_be_late_is_refused_to_the_picosecond(void)
{
    static const struct serve_request request[3] = {{0, 1, 3, 0}, {5, 1, 1, 0}, {6, 1, 1, 0}};
    struct serve_spec spec = first_come;
    struct serve_outcome o[3];
    spec.refuse_late = true;
    spec.ttft_limit_ps = 1000 * (330 + 95) + 14000 - 5;
    serve(&plain, &spec, 0, request, 2, o);
    CU_ASSERT_EQUAL(o[1].fate, SERVE_FINISHED);
    spec.ttft_limit_ps--;
    serve(&plain, &spec, 0, request, 3, o);
    CU_ASSERT_EQUAL(o[1].fate, SERVE_TOO_LATE);
    CU_ASSERT_EQUAL(o[1].promised_ps, -1);
    CU_ASSERT_EQUAL(o[2].fate, SERVE_FINISHED); /* it came a picosecond later */
    spec.ttft_limit_ps = 0;
    spec.tpot_limit_ps = 99999;
    serve(&plain, &spec, 0, request, 3, o);
    CU_ASSERT_EQUAL(o[0].fate, SERVE_TOO_LATE);
    CU_ASSERT_EQUAL(o[1].fate, SERVE_FINISHED);
}

static void what_no_bucket_holds_is_refused(void)
{
    static const struct serve_request request[2] = {{0, 32, 32, 0}, {0, 32, 33, 0}};
    struct serve_outcome o[2];
    serve(&plain, &first_come, 0, request, 2, o);
    CU_ASSERT_EQUAL(o[0].fate, SERVE_FINISHED);
    CU_ASSERT_EQUAL(o[1].fate, SERVE_TOO_LONG);
}

static void replicas_share_requests(void)
{
    static const struct serve_request request[4] = {
        {0, 1, 40, 0}, {1, 1, 1, 0}, {1000000, 1, 1, 0}, {1000001, 1, 1, 0}};
    struct serve_spec spec = first_come;
    struct serve_outcome o[4];
    spec.lpu_replicas = 2;
    serve(&plain, &spec, 0, request, 4, o);
    for (int n = 0; n < 4; n++)
        CU_ASSERT_EQUAL(o[n].replica, n % 2);
    spec.router = SERVE_LEAST_LOADED;
    serve(&plain, &spec, 0, request, 4, o);
    CU_ASSERT_EQUAL(o[0].replica, 0);
    for (int n = 1; n < 4; n++)
        CU_ASSERT_EQUAL(o[n].replica, 1);
}

/* Two lanes share a seat: the second joins the step that the first has next, in its own slot it
 * would have stood at cycle 60. */
static void lanes_join_the_next_step_of_their_seat(void)
{
    static const struct serve_request request[2] = {{0, 1, 3, 0}, {40000, 1, 3, 0}};
    struct serve_machine m = plain;
    struct serve_outcome alone, o[2];
    m.lanes = 2;
    serve(&m, &first_come, 0, request, 1, &alone);
    struct serve_usage usage = serve(&m, &first_come, 0, request, 2, o);
    CU_ASSERT_EQUAL(o[0].finished_ps, alone.finished_ps);
    CU_ASSERT_EQUAL(o[1].first_token_ps, 1000 * (120 + 99) + 14000);
    CU_ASSERT_EQUAL(o[1].finished_ps, 1000 * (320 + 99) + 14000);
    CU_ASSERT_EQUAL(usage.decode_steps, 6);
    CU_ASSERT_EQUAL(usage.decode_slots, 4);
}

TEST_MAIN("carousel", TEST(a_lone_request_takes_its_steps_and_two_transfers),
          TEST(prompts_follow_each_other_and_sequences_move_up), TEST(prompts_wait_for_windows),
          TEST(no_open_slot_meets_a_window), TEST(a_full_machine_makes_requests_wait),
          TEST(the_earliest_deadline_is_next), TEST(a_tenant_without_tokens_lets_others_go_first),
          TEST(who_would_be_late_is_refused_to_the_picosecond),
          TEST(what_no_bucket_holds_is_refused), TEST(replicas_share_requests),
          TEST(lanes_join_the_next_step_of_their_seat))
