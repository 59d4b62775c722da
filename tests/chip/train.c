/* SPDX-License-Identifier: BSD-3-Clause */
/* A long program of weight loads runs clean, and what it costs is printed. */
#include "test.h"

#include <stdio.h>
#include <time.h>

#include "rig.h"

enum { ROUNDS = 300, PERIOD = 23, MXM = PROGRAM_QUEUE_MXM };

/* ROUNDS weight tiles of 20 rows on 16 streams into a plane, each installed. */
static void install_tiles(struct program *p, int32_t plane)
{
    const struct rig_repeat load = {{20, ROUNDS}, {1, PERIOD}}, one = {{1, ROUNDS}, {0, PERIOD}};
    const struct rig_walk tiles = {0, {1, 20}}, first = {0, {0, 20}};
    const int32_t queue = MXM + PROGRAM_MXM_QUEUES * plane, slice = 16 * (plane % 2);
    struct rig_lane at = {plane < 2 ? PROGRAM_WEST : PROGRAM_EAST, slice, 100, queue};
    char name[24];
    snprintf(name, sizeof name, "w%d", plane);
    int32_t w = rig_tensor(p, name, PROGRAM_TENSOR_WEIGHT, 16, plane < 2 ? slice : 56 + slice, 0,
                           20 * ROUNDS);
    rig_read(p, w, 16, tiles, load, at);
    struct program_operand o = rig_stream(at, 16, w, 0, tiles);
    rig_add(p,
            (struct program_instruction){
                .cycle = 99, .queue = (uint8_t)queue, .opcode = PROGRAM_MXM_LOAD},
            load, &o, 1, 0);
    o = rig_expect(w, 0, first);
    rig_add(p,
            (struct program_instruction){
                .cycle = 120, .queue = (uint8_t)(queue + 1), .opcode = PROGRAM_MXM_INSTALL},
            one, &o, 1, 0);
}

static double milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void the_cost_of_a_step_is_that_of_its_runs(void)
{
    struct program pair[2] = {{.chip = 0}, {.chip = 1}};
    struct base_report report = {0};
    struct rig rig;
    for (int32_t c = 0; c < 2; c++)
        rig_tensor(&pair[c], "zero", PROGRAM_TENSOR_ZERO, 1, -1, 0, 0);
    rig_op(&pair[0], "installs", 0);
    for (int32_t plane = 0; plane < 4; plane++)
        install_tiles(&pair[0], plane);
    rig_seal(&pair[0]);
    rig_seal(&pair[1]);
    CU_ASSERT_TRUE(program_is_valid(&rig_machine, &pair[0], &report));
    base_report_print(&report, stderr);
    rig_start(&rig, &rig_machine);
    rig_step(&rig, pair, 0);
    double start = milliseconds();
    for (int n = 1; n <= 10; n++)
        rig_step(&rig, pair, n);
    printf("%lld vectors in %.2f ms a step\n", (long long)rig.statistics[0].vectors,
           (milliseconds() - start) / 10);
    CU_ASSERT_EQUAL(rig.statistics[0].vectors, 4 * 16 * 20 * ROUNDS);
    CU_ASSERT_EQUAL(rig_violations(&rig), 0);
    rig_print(&rig);
    rig_stop(&rig);
    program_release(&pair[0]);
    program_release(&pair[1]);
}

TEST_MAIN("trains", TEST(the_cost_of_a_step_is_that_of_its_runs))
