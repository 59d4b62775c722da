/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from a machine's description: intervals, buckets, cycles of moments. */
#include "serve/machine.h"

#include "drawn.h"
#include "test.h"

enum { MACHINES = 100, MOMENTS = 1000 };

static bool may_repeat(const struct serve_machine *m, bool passes, int64_t interval)
{
    for (int a = 0; a < SERVE_KINDS; a++)
        for (int b = 0; b < SERVE_KINDS; b++)
            for (int64_t d = interval; d < 2000; d += interval)
                if ((a == SERVE_PASS) == passes && (b == SERVE_PASS) == passes &&
                    !serve_machine_allows(m, a, b, d))
                    return false;
    return true;
}

static void trains_keep_clear_of_all_ranges(void)
{
    for (uint64_t entity = 0; entity < MACHINES; entity++) {
        struct drawn d;
        drawn_machine(&d, entity);
        for (int passes = 0; passes < 2; passes++) {
            int64_t least = 1 + drawn_below(&d, 200), interval = least;
            while (!may_repeat(&d.machine, passes, interval))
                interval++;
            CU_ASSERT_EQUAL(serve_machine_train(&d.machine, passes, least), interval);
        }
    }
}

/* 900 MHz: cycles are no whole picoseconds. */
static void the_cycle_of_a_moment_is_the_first_not_before_it(void)
{
    const struct lpu_chip chip = {.clock_hz = 900000000};
    struct drawn d = {.entity = 7};
    for (int n = 0; n < MOMENTS; n++) {
        int64_t ps = drawn_below(&d, INT32_MAX) * (int64_t)(1 + drawn_below(&d, 2000000));
        int64_t cycle = machine_ps_to_cycle(&chip, ps);
        CU_ASSERT_TRUE(machine_cycles_to_ps(&chip, cycle) >= ps);
        CU_ASSERT_TRUE(cycle == 0 || machine_cycles_to_ps(&chip, cycle - 1) < ps);
        CU_ASSERT_EQUAL(machine_ps_to_cycle(&chip, machine_cycles_to_ps(&chip, cycle)), cycle);
    }
    CU_ASSERT_EQUAL(machine_ps_to_cycle(&chip, 0), 0);
}

static void decode_steps_take_the_smallest_bucket_or_the_largest(void)
{
    struct serve_machine m = {.buckets = 3, .positions = {32, 64, 128}, .lanes = 1};
    static const int32_t positions[] = {1, 32, 33, 64, 65, 128};
    static const int bucket[] = {0, 0, 1, 1, 2, 2};
    for (size_t n = 0; n < sizeof bucket / sizeof bucket[0]; n++)
        CU_ASSERT_EQUAL(serve_machine_decode(&m, positions[n]), bucket[n]);
    m.lanes = 2;
    CU_ASSERT_EQUAL(serve_machine_decode(&m, 1), 2);
    CU_ASSERT_TRUE(serve_machine_holds(&m, 128) && !serve_machine_holds(&m, 129));
}

static void the_last_prompt_token_needs_no_pass(void)
{
    struct serve_machine m = {.buckets = 1, .lanes = 1, .pass_rows = 128};
    static const int32_t tokens[] = {1, 2, 129, 130}, passes[] = {0, 1, 1, 2};
    for (size_t n = 0; n < sizeof tokens / sizeof tokens[0]; n++)
        CU_ASSERT_EQUAL(serve_machine_passes(&m, tokens[n]), passes[n]);
    m.pass_rows = 0;
    CU_ASSERT_EQUAL(serve_machine_passes(&m, 130), 129);
}

TEST_MAIN("machine", TEST(trains_keep_clear_of_all_ranges),
          TEST(the_cycle_of_a_moment_is_the_first_not_before_it),
          TEST(decode_steps_take_the_smallest_bucket_or_the_largest),
          TEST(the_last_prompt_token_needs_no_pass))
