/* SPDX-License-Identifier: BSD-3-Clause */
/* The static machine's door: seats, queueing and finishing times in closed form. */
#include "serve/carousel.h"
#include "test.h"

/* 1 GB/s: an id of 4 bytes takes 4 ns = 4000 ps. */
static struct serve_carousel carousel(int64_t latency, int64_t interval)
{
    return (struct serve_carousel){.latency_ps = latency,
                                   .interval_ps = interval,
                                   .chunk_ps = 500000,
                                   .chunk_tokens = 128,
                                   .pcie_latency_ps = 10000000,
                                   .pcie_bytes_per_s = 1000000000};
}

static void seats_are_latency_over_interval(void)
{
    struct serve_carousel one = carousel(100, 100), some = carousel(100, 30);
    CU_ASSERT_EQUAL(serve_carousel_seats(&one), 1);
    CU_ASSERT_EQUAL(serve_carousel_seats(&some), 3);
}

static void the_last_prompt_token_needs_no_chunk(void)
{
    struct serve_carousel machine = carousel(100, 100);
    static const int32_t tokens[] = {1, 2, 129, 130}, chunks[] = {0, 1, 1, 2};
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        CU_ASSERT_EQUAL(serve_carousel_chunks(&machine, tokens[i]), chunks[i]);
}

static void a_lone_request_takes_its_steps_and_two_transfers(void)
{
    struct serve_carousel machine = carousel(100000, 100000);
    struct serve_request request = {.arrival_ps = 7, .prompt_tokens = 130, .output_tokens = 64};
    struct serve_times times;
    serve_carousel_admit(&machine, &request, 1, &times);
    int64_t in = 10000000 + 130 * 4000, out = 10000000 + 4000;
    int64_t first = in + 2 * 500000 + 100000 + out;
    CU_ASSERT_EQUAL(times.admitted_ps, 7);
    CU_ASSERT_EQUAL(times.first_token_ps, 7 + first);
    CU_ASSERT_EQUAL(times.finished_ps, 7 + first + 63 * 100000);
    CU_ASSERT_EQUAL(serve_carousel_first_token_ps(&machine, 130), first);
}

static void a_full_machine_makes_requests_wait(void)
{
    struct serve_carousel machine = carousel(100000, 50000);
    struct serve_request request[3] = {{0, 1, 10, 0}, {0, 1, 20, 0}, {5, 1, 1, 0}};
    struct serve_times times[3];
    serve_carousel_admit(&machine, request, 3, times);
    CU_ASSERT_EQUAL(times[0].admitted_ps, 0);
    CU_ASSERT_EQUAL(times[1].admitted_ps, 0);
    CU_ASSERT_EQUAL(times[2].admitted_ps, 10000000 + 4000 + 10 * 100000);
    CU_ASSERT_EQUAL(times[2].first_token_ps, times[2].finished_ps);
}

static void a_free_machine_waits_for_requests(void)
{
    struct serve_carousel machine = carousel(100000, 100000);
    struct serve_request request[2] = {{0, 1, 1, 0}, {INT64_C(1000000000000), 1, 1, 0}};
    struct serve_times times[2];
    serve_carousel_admit(&machine, request, 2, times);
    CU_ASSERT_EQUAL(times[1].admitted_ps, request[1].arrival_ps);
}

TEST_MAIN("carousel", TEST(seats_are_latency_over_interval),
          TEST(the_last_prompt_token_needs_no_chunk),
          TEST(a_lone_request_takes_its_steps_and_two_transfers),
          TEST(a_full_machine_makes_requests_wait), TEST(a_free_machine_waits_for_requests))
