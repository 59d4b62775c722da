/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues of which theory knows the answer: drawn arrivals, the static machine's door, and measures
 * that must give the waiting times of textbooks. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "serve/carousel.h"
#include "serve/draws.h"
#include "serve/measures.h"
#include "test.h"

enum { BATCHES = 40, BATCH = 10000, WARM = 10000, ALL = WARM + BATCHES * BATCH };
enum { STATES = 200, STEP_CYCLES = 20000, SLOT_CYCLES = 100, STEPS = 50 };

/* Of 39 degrees of freedom, two-sided: 99 % of all lie within. */
static const double T99 = 2.708;
static const double SERVICE_PS = 1e9; /* mean service: 1 ms */

struct queue {
    struct serve_request *request;
    struct serve_outcome *outcome;
};

/* Poisson arrivals that keep `servers` busy by the share `load`. */
static struct queue arrivals_of(double load, int servers, uint64_t seed)
{
    struct serve_source source = {.arrivals = SERVE_POISSON,
                                  .rate = load * servers * 1e12 / SERVICE_PS,
                                  .prompt_mean = 1,
                                  .output_mean = 1};
    struct queue q = {base_alloc(ALL, sizeof *q.request), base_alloc(ALL, sizeof *q.outcome)};
    CU_ASSERT_TRUE_FATAL(serve_draws_take(&source, seed, ALL, q.request));
    return q;
}

/* Exponential numbers rounded up are geometric. */
static int64_t tokens_of(bool geometric, uint64_t seed, size_t i)
{
    double mean = -1 / log1p(-1.0 / STEPS);
    double x = base_random_exponential(seed, BASE_RANDOM_PLAY, 1, i);
    return geometric ? (int64_t)ceil(mean * x) : STEPS;
}

/* One server of exponential service, first come, first served (D. V. Lindley's recursion). */
static void serve_one(struct queue *q, uint64_t seed)
{
    int64_t free_ps = 0;
    for (size_t i = 0; i < ALL; i++) {
        int64_t arrival = q->request[i].arrival_ps, start = arrival > free_ps ? arrival : free_ps;
        free_ps =
            start + llround(SERVICE_PS * base_random_exponential(seed, BASE_RANDOM_PLAY, 1, i));
        q->outcome[i] = (struct serve_outcome){.fate = SERVE_FINISHED,
                                               .admitted_ps = start,
                                               .first_token_ps = free_ps,
                                               .finished_ps = free_ps,
                                               .promised_ps = -1};
    }
}

/* The static machine's door: seats are servers, 50 steps a service of constant length, geometric
 * numbers of steps with that mean otherwise. 1 GHz: a service of 1 ms is 10^6 cycles. Slots are
 * short, and PCIe shorter. */
static void serve_seats(struct queue *q, int seats, bool geometric, uint64_t seed)
{
    static const struct lpu_chip chip = {.clock_hz = 1000000000,
                                         .pcie_bytes_per_s = INT64_C(4000000000000)};
    struct serve_machine machine = {.chip = &chip,
                                    .buckets = 1,
                                    .positions = {1 << 20},
                                    .length_cycles = {STEP_CYCLES},
                                    .seats = seats,
                                    .lanes = 1};
    struct serve_frame frame = serve_frame_build(&machine, SLOT_CYCLES, 0, 1);
    struct serve_spec spec = {.lpu_replicas = 1};
    struct serve_door door = {.machine = &machine, .frame = &frame, .spec = &spec};
    for (size_t i = 0; i < ALL; i++)
        q->request[i].output_tokens = (int32_t)tokens_of(geometric, seed, i);
    serve_carousel_run(&door, q->request, ALL, q->outcome);
    serve_frame_release(&frame);
}

static void release(struct queue *q)
{
    base_free(q->request);
    base_free(q->outcome);
}

static struct serve_measures measures_of(const struct queue *q, size_t first, size_t count,
                                         int servers)
{
    struct serve_served served = {.machine = "queue",
                                  .request = q->request + first,
                                  .outcome = q->outcome + first,
                                  .count = count,
                                  .replicas = servers};
    struct serve_measures m;
    struct base_report report = {0};
    CU_ASSERT_TRUE(serve_outcomes_check(&served, &report));
    CU_ASSERT_TRUE(serve_measures_take(&served, &m, &report));
    return m;
}

/* Batch means of the wait in mean service times: theory lies within the 99 % interval, and the
 * interval is narrow enough to mean something. */
static void waits(const struct queue *q, int servers, double theory)
{
    double sum = 0, squares = 0;
    for (size_t b = 0; b < BATCHES; b++) {
        double mean = measures_of(q, WARM + b * BATCH, BATCH, servers).queue.mean_ps / SERVICE_PS;
        sum += mean;
        squares += mean * mean;
    }
    double mean = sum / BATCHES, variance = (squares - sum * mean) / (BATCHES - 1);
    double half = T99 * sqrt(variance / BATCHES);
    printf("  %.4f +- %.4f, theory %.4f\n", mean, half, theory);
    CU_ASSERT_DOUBLE_EQUAL(mean, theory, half);
    CU_ASSERT_TRUE(half < 0.08 * theory);
}

/* Number in the system of M/D/c at moments one service time apart: those who are not in service at
 * the first moment, and Poisson arrivals between (C. D. Crommelin, "Delay probability formulae when
 * the holding times are constant", Post Office Electrical Engineers' Journal 25, 1932). Its
 * stationary distribution is that of any moment. Mean wait in service times, by Little's law. */
static double crommelin_wait(double load, int servers)
{
    static double now[STATES], next[STATES], arrive[STATES];
    double mean = load * servers, queue = 0;
    for (int k = 0; k < STATES; k++) {
        now[k] = k == 0;
        arrive[k] = exp(-mean + k * log(mean) - lgamma(k + 1.0));
    }
    for (int turn = 0; turn < 4000; turn++) {
        memset(next, 0, sizeof next);
        for (int n = 0; n < STATES; n++)
            for (int k = 0, left = n > servers ? n - servers : 0; left + k < STATES; k++)
                next[left + k] += now[n] * arrive[k];
        bool settled = memcmp(now, next, sizeof now) == 0;
        memcpy(now, next, sizeof now);
        if (settled)
            break;
    }
    for (int n = servers; n < STATES; n++)
        queue += (n - servers) * now[n];
    return queue / mean;
}

static void one_seat_waits_as_pollaczek_says(void)
{
    static const double load[] = {0.5, 0.8, 0.9};
    for (size_t i = 0; i < sizeof load / sizeof load[0]; i++) {
        struct queue q = arrivals_of(load[i], 1, 10 + i);
        serve_seats(&q, 1, false, 10 + i);
        waits(&q, 1, load[i] / (2 * (1 - load[i])));
        release(&q);
    }
}

static void several_seats_wait_as_crommelin_says(void)
{
    static const struct {
        int seats;
        double load;
    } machine[] = {{2, 0.7}, {4, 0.8}, {8, 0.9}};
    for (size_t i = 0; i < sizeof machine / sizeof machine[0]; i++) {
        struct queue q = arrivals_of(machine[i].load, machine[i].seats, 30 + i);
        serve_seats(&q, machine[i].seats, false, 30 + i);
        waits(&q, machine[i].seats, crommelin_wait(machine[i].load, machine[i].seats));
        release(&q);
    }
}

static void exponential_service_waits_twice_as_long(void)
{
    static const double load[] = {0.5, 0.8};
    for (size_t i = 0; i < sizeof load / sizeof load[0]; i++) {
        struct queue q = arrivals_of(load[i], 1, 20 + i);
        serve_one(&q, 20 + i);
        waits(&q, 1, load[i] / (1 - load[i]));
        release(&q);
    }
}

/* Pollaczek and Khinchine: load / (1 - load) x (1 + cv^2) / 2, and a geometric number has the
 * squared coefficient of variation 1 - 1 / mean. */
static void outputs_of_many_lengths_wait_as_khinchine_says(void)
{
    const double load = 0.8;
    struct queue q = arrivals_of(load, 1, 60);
    serve_seats(&q, 1, true, 60);
    waits(&q, 1, load / (1 - load) * (2 - 1.0 / STEPS) / 2);
    release(&q);
}

static void crommelins_chain_of_one_server_is_pollaczeks_formula(void)
{
    CU_ASSERT_DOUBLE_EQUAL(crommelin_wait(0.5, 1), 0.5, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(crommelin_wait(0.9, 1), 4.5, 1e-9);
}

/* M/M/1: P(wait > t) = load exp(-(1 - load) t) in service times; Poisson arrivals see what time
 * sees: the queue's length over time is rate x wait, and the server works the share `load`. */
static void tails_lengths_and_shares_are_those_of_theory(void)
{
    const double load = 0.8;
    struct queue q = arrivals_of(load, 1, 40);
    serve_one(&q, 40);
    struct serve_measures m = measures_of(&q, 0, ALL, 1);
    CU_ASSERT_DOUBLE_EQUAL((double)m.queue.p50_ps / SERVICE_PS, log(load / 0.5) / (1 - load), 0.12);
    CU_ASSERT_DOUBLE_EQUAL((double)m.queue.p90_ps / SERVICE_PS, log(load / 0.1) / (1 - load), 0.5);
    CU_ASSERT_DOUBLE_EQUAL((double)m.queue.p99_ps / SERVICE_PS, log(load / 0.01) / (1 - load), 1.5);
    CU_ASSERT_DOUBLE_EQUAL(m.waiting.mean, load * load / (1 - load), 0.12);
    CU_ASSERT_DOUBLE_EQUAL(m.inside.mean, load / (1 - load), 0.12);
    CU_ASSERT_DOUBLE_EQUAL(m.busy_share, load, 0.005);
    release(&q);
}

TEST_MAIN("queueing", TEST(one_seat_waits_as_pollaczek_says),
          TEST(several_seats_wait_as_crommelin_says), TEST(exponential_service_waits_twice_as_long),
          TEST(outputs_of_many_lengths_wait_as_khinchine_says),
          TEST(crommelins_chain_of_one_server_is_pollaczeks_formula),
          TEST(tails_lengths_and_shares_are_those_of_theory))
