/* SPDX-License-Identifier: BSD-3-Clause */
/* Seen from outside, a door whose requests all take one step is a queue of constant service: each
 * request is admitted at the picosecond that the recursion of such queues says. */
#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "serve/carousel.h"
#include "test.h"

enum { REQUESTS = 100000, MOST_SEATS = 8, SERVICE_CYCLES = 1000000, PS_PER_CYCLE = 1000 };

/* 1 GHz, a PCIe that takes a picosecond, and steps that may begin a cycle apart. */
static const struct lpu_chip chip = {.clock_hz = 1000000000,
                                     .pcie_bytes_per_s = INT64_C(1000000000000000)};
static const struct serve_apart apart = {0, 0, 0, 1};

struct queue {
    struct serve_request *request;
    struct serve_outcome *outcome;
};

/* Poisson arrivals that keep `seats` busy by the share `load`. */
static struct queue arrivals_of(double load, int seats, uint64_t seed)
{
    struct queue q = {base_alloc(REQUESTS, sizeof *q.request),
                      base_alloc(REQUESTS, sizeof *q.outcome)};
    double gap_ps = (double)SERVICE_CYCLES * PS_PER_CYCLE / (load * seats);
    int64_t now = 0;
    for (uint64_t n = 0; n < REQUESTS; n++) {
        now += llround(gap_ps * base_random_exponential(seed, BASE_RANDOM_PLAY, 2, n));
        q.request[n] =
            (struct serve_request){.arrival_ps = now, .prompt_tokens = 1, .output_tokens = 1};
    }
    return q;
}

static void serve(struct queue *q, int seats)
{
    const struct serve_machine machine = {.chip = &chip,
                                          .buckets = 1,
                                          .positions = {2},
                                          .length_cycles = {SERVICE_CYCLES - 1},
                                          .settle_cycles = 1,
                                          .seats = seats,
                                          .lanes = 1,
                                          .apart = &apart,
                                          .aparts = 1};
    const struct serve_spec spec = {.policy = SERVE_FIRST_COME, .lpu_replicas = 1};
    struct serve_frame frame =
        serve_frame_build(&machine, serve_machine_train(&machine, false, 1), 0, 1);
    struct serve_door door = {.machine = &machine, .frame = &frame, .spec = &spec};
    serve_carousel_run(&door, q->request, REQUESTS, q->outcome);
    serve_frame_release(&frame);
}

static void release(struct queue *q)
{
    base_free(q->request);
    base_free(q->outcome);
}

/* J. Kiefer and J. Wolfowitz's recursion of M/D/c: the seat that is free first serves who came
 * first. A step begins at the first cycle at which the prompt is there. */
static void seats_are_the_servers_of_a_queue(void)
{
    for (int seats = 1; seats <= MOST_SEATS; seats *= 2) {
        int64_t free_ps[MOST_SEATS] = {0};
        int32_t wrong = 0;
        struct queue q = arrivals_of(0.85, seats, 7);
        serve(&q, seats);
        for (size_t n = 0; n < REQUESTS; n++) {
            int first = 0;
            for (int s = 1; s < seats; s++)
                if (free_ps[s] < free_ps[first])
                    first = s;
            int64_t arrival = q.request[n].arrival_ps;
            int64_t start = arrival > free_ps[first] ? arrival : free_ps[first];
            int64_t there = machine_ps_to_cycle(&chip, start + serve_machine_transfer_ps(&chip, 1));
            wrong += q.outcome[n].admitted_ps != start;
            free_ps[first] = (there + SERVICE_CYCLES) * PS_PER_CYCLE;
        }
        CU_ASSERT_EQUAL(wrong, 0);
        release(&q);
    }
}

TEST_MAIN("door queueing", TEST(seats_are_the_servers_of_a_queue))
