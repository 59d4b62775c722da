/* SPDX-License-Identifier: BSD-3-Clause */
/* Vectors on their way keep what they were: over links, and from rows that are overwritten. */
#include "test.h"

#include <string.h>

#include "chip/values_room.h"
#include "trial.h"

/* From slice 0 to the VXM. */
enum { ROWS = 4, AT = 200, FAR = 44, SLOT = 24 };

static void check_in_both(void (*check)(enum chip_numerics numerics))
{
    check(CHIP_INT8);
    check(CHIP_FP32);
}

/* Slots of SLOT cycles; chip 1 takes what comes into r. */
static int32_t add_receive(struct program *p, struct rig_repeat slots, int64_t issue)
{
    int32_t y = rig_tensor(p, "x", PROGRAM_TENSOR_TRANSIENT, 1, -1, 0, ROWS);
    int32_t r = rig_tensor(p, "r", PROGRAM_TENSOR_ACTIVATION, 1, 3, 100, ROWS);
    struct program_operand o[2] = {
        rig_stream(trial_lane(PROGRAM_EAST, 0, 0, 0), 1, r, 0, trial_along),
        rig_expect(y, 0, trial_along)};
    rig_add(p,
            (struct program_instruction){
                .cycle = issue, .queue = PROGRAM_QUEUE_RECEIVE, .opcode = PROGRAM_C2C_RECEIVE},
            slots, o, 0, 2);
    rig_write(
        p, r, 1, trial_along, slots,
        trial_lane(PROGRAM_EAST, 0, issue + rig_machine.c2c_receive_cycles, PROGRAM_QUEUE_RECEIVE));
    return r;
}

/* Chip 0 sends vectors of x in such slots; chip 1 takes ROWS of them into the tensor returned. */
static int32_t link_chips(struct trial *t, int32_t x, struct rig_repeat sent)
{
    const struct rig_repeat taken = {{ROWS, 1}, {SLOT, 0}};
    struct program_operand o = trial_stream(t, PROGRAM_WEST, 20, x, trial_along);
    rig_read(&t->program[0], x, 1, trial_along, sent,
             trial_lane(PROGRAM_WEST, 20, AT, PROGRAM_QUEUE_SEND));
    rig_add(&t->program[0],
            (struct program_instruction){
                .cycle = AT - 1, .queue = PROGRAM_QUEUE_SEND, .opcode = PROGRAM_C2C_SEND},
            sent, &o, 1, 0);
    return add_receive(&t->program[1], taken, AT + rig_machine.c2c_hop_cycles);
}

/* Vectors of r, which chip 1 has received, that are not those of x. */
static int32_t lost_vectors(const struct trial *t, int32_t r, float x[ROWS][TRIAL_LANES])
{
    float have[TRIAL_LANES];
    int32_t lost = 0;
    for (int32_t n = 0; n < ROWS; n++) {
        chip_peek(t->rig.chip[1], &t->program[1], &(struct chip_number){r, 0, n}, have);
        lost += memcmp(have, x[n], sizeof have) != 0;
    }
    return lost;
}

static void check_link(enum chip_numerics numerics)
{
    struct trial t;
    float x[ROWS][TRIAL_LANES];
    uint64_t state = 21;
    trial_open(&t, numerics);
    int32_t in = trial_loaded(&t, "x", PROGRAM_DTYPE_INT8, 1, 20, ROWS);
    int32_t r = link_chips(&t, in, (struct rig_repeat){{ROWS, 1}, {SLOT, 0}});
    for (int32_t step = 0; step < 2; step++) {
        trial_fill(&t, in, 0, ROWS, x[0], &state);
        trial_step(&t, step);
        CU_ASSERT_EQUAL(lost_vectors(&t, r, x), 0);
    }
    trial_close(&t);
}

static void vectors_sent_over_a_link_arrive_in_order_step_by_step(void)
{
    check_in_both(check_link);
}

/* Reports of chip 1 that a promised vector was not there. */
static int32_t missing_vectors(const struct rig *rig)
{
    size_t kept;
    int64_t total;
    int32_t missing = 0;
    const struct chip_violation *v = chip_violations(rig->chip[1], &kept, &total);
    for (size_t n = 0; n < kept; n++)
        missing += v[n].rule == CHIP_RULE_MESSAGE && !strcmp(v[n].found, "none") &&
                   !strcmp(v[n].expected, "a vector on link 0");
    return missing;
}

/* Chip 0 sends one vector less than chip 1 waits for. */
static void check_missing(enum chip_numerics numerics)
{
    struct trial t;
    float x[ROWS][TRIAL_LANES];
    uint64_t state = 23;
    trial_open(&t, numerics);
    int32_t in = trial_loaded(&t, "x", PROGRAM_DTYPE_INT8, 1, 20, ROWS);
    int32_t r = link_chips(&t, in, (struct rig_repeat){{ROWS - 1, 1}, {SLOT, 0}});
    trial_fill(&t, in, 0, ROWS, x[0], &state);
    rig_seal(&t.program[0]);
    rig_seal(&t.program[1]);
    rig_step(&t.rig, t.program, 0);
    CU_ASSERT_EQUAL(t.rig.gave_up, 1);
    CU_ASSERT_EQUAL(missing_vectors(&t.rig), 1);
    memset(x[ROWS - 1], 0, sizeof x[0]);
    CU_ASSERT_EQUAL(lost_vectors(&t, r, x), 0);
    trial_close(&t);
}

static void a_vector_that_nobody_sends_is_reported_and_is_zero(void)
{
    check_in_both(check_missing);
}

static void a_queue_drops_what_earlier_steps_left_and_keeps_what_later_ones_sent(void)
{
    const uint16_t sent[] = {10, 11, 12, 13, 14};
    struct values_queue q = {0};
    values_queue_put(&q, 4, sizeof sent[0], &sent[0], 2);
    values_queue_put(&q, 5, sizeof sent[0], &sent[2], 1);
    CU_ASSERT_PTR_NULL(values_queue_take(&q, 3, sizeof sent[0]));
    CU_ASSERT_EQUAL(*(const uint16_t *)values_queue_take(&q, 4, sizeof sent[0]), 10);
    CU_ASSERT_EQUAL(*(const uint16_t *)values_queue_take(&q, 5, sizeof sent[0]), 12);
    CU_ASSERT_PTR_NULL(values_queue_take(&q, 6, sizeof sent[0]));
    values_queue_put(&q, 7, sizeof sent[0], &sent[3], 2);
    CU_ASSERT_EQUAL(*(const uint16_t *)values_queue_take(&q, 7, sizeof sent[0]), 13);
    CU_ASSERT_EQUAL(*(const uint16_t *)values_queue_take(&q, 7, sizeof sent[0]), 14);
    values_queue_release(&q);
}

/* The western SXM takes a source and gives `row`, which is written in cycle `at`. */
static void write_row(struct trial *t, int32_t source, int32_t row, int64_t at)
{
    const struct program_operand o[2] = {trial_stream(t, PROGRAM_WEST, 8, source, trial_same),
                                         trial_stream(t, PROGRAM_EAST, 9, row, trial_same)};
    struct program *p = &t->program[0];
    rig_read(p, source, 1, trial_same, trial_once,
             trial_lane(PROGRAM_WEST, 8, at - 4, PROGRAM_QUEUE_SXM));
    rig_add(p,
            (struct program_instruction){
                .cycle = at - 5, .queue = PROGRAM_QUEUE_SXM, .opcode = PROGRAM_SXM_PERMUTE},
            trial_once, o, 1, 1);
    rig_write(p, row, 1, trial_same, trial_once,
              trial_lane(PROGRAM_EAST, 9, at - 1, PROGRAM_QUEUE_SXM));
}

/* The VXM samples `row` in cycle AT, FAR cycles after it has left its slice, into y. */
static void read_row(struct trial *t, int32_t row, int32_t y)
{
    const struct program_operand o[2] = {trial_stream(t, PROGRAM_EAST, 2, row, trial_same),
                                         trial_stream(t, PROGRAM_EAST, 4, y, trial_same)};
    struct program *p = &t->program[0];
    rig_read(p, row, 1, trial_same, trial_once, trial_lane(PROGRAM_EAST, 2, AT, TRIAL_VXM));
    rig_add(
        p, (struct program_instruction){.cycle = AT - 1, .queue = TRIAL_VXM, .opcode = PROGRAM_VXM},
        trial_once, o, 1, 1);
    rig_write(p, y, 1, trial_same, trial_once, trial_lane(PROGRAM_EAST, 4, AT + 3, TRIAL_VXM));
}

/* Another tensor takes the row over, `late` cycles after the read. */
static void check_overwritten_after(enum chip_numerics numerics, int32_t late)
{
    const int64_t read = AT - FAR - rig_machine.mem_read_cycles;
    struct trial t;
    float x[2][TRIAL_LANES];
    uint64_t state = 22;
    trial_open(&t, numerics);
    int32_t before = trial_loaded(&t, "before", PROGRAM_DTYPE_INT8, 1, 5, 1);
    int32_t after = trial_loaded(&t, "after", PROGRAM_DTYPE_INT8, 1, 6, 1);
    int32_t row = trial_written(&t, "row", PROGRAM_DTYPE_INT8, 1, 0, 1);
    int32_t again = trial_written(&t, "again", PROGRAM_DTYPE_INT8, 1, 0, 1);
    int32_t y = trial_written(&t, "y", PROGRAM_DTYPE_INT8, 1, 60, 1);
    trial_fill(&t, before, 0, 1, x[0], &state);
    trial_fill(&t, after, 0, 1, x[1], &state);
    write_row(&t, before, row, read - 1);
    read_row(&t, row, y);
    write_row(&t, after, again, read + late);
    trial_step(&t, 0);
    CU_ASSERT_EQUAL(trial_differing(&t, y, 0, 0, x[0]), 0);
    CU_ASSERT_EQUAL(trial_differing(&t, again, 0, 0, x[1]), 0);
    trial_close(&t);
}

static void check_overwritten(enum chip_numerics numerics)
{
    static const int32_t late[] = {3, 4, 20, FAR + 3, FAR + 4, FAR + 30};
    for (size_t n = 0; n < sizeof late / sizeof late[0]; n++)
        check_overwritten_after(numerics, late[n]);
}

static void a_read_keeps_its_contents_though_the_row_is_overwritten_on_the_way(void)
{
    check_in_both(check_overwritten);
}

TEST_MAIN("values under way", TEST(vectors_sent_over_a_link_arrive_in_order_step_by_step),
          TEST(a_vector_that_nobody_sends_is_reported_and_is_zero),
          TEST(a_queue_drops_what_earlier_steps_left_and_keeps_what_later_ones_sent),
          TEST(a_read_keeps_its_contents_though_the_row_is_overwritten_on_the_way))
