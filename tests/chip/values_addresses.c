/* SPDX-License-Identifier: BSD-3-Clause */
/* Run-time values choose the rows that memory reads and writes. */
#include "test.h"

#include <string.h>

#include "trial.h"

enum { AT = 200, LANES_OF_CACHE = 16, TILE = 16 };

static void check_in_both(void (*check)(enum chip_numerics numerics))
{
    check(CHIP_INT8);
    check(CHIP_FP32);
}

static const float zeros[TRIAL_LANES];

/* One row of a table, chosen at run time, through ALU 0 into y; `how` has mode and parameters. */
static void look_up(struct trial *t, int32_t table, int32_t y, struct program_instruction how)
{
    struct program *p = &t->program[0];
    int32_t label = trial_passing(t, "label", PROGRAM_DTYPE_INT8, 1, 1), sub = how.low;
    int32_t slice = p->slice[p->tensor[table].slice + sub];
    const struct rig_walk named = {how.address_mode == PROGRAM_ADDRESS_CLAMP ? how.argument : 0,
                                   {how.stride[0], how.stride[1]}};
    int32_t way = program_queue_position(&rig_machine, TRIAL_VXM) -
                  program_queue_position(&rig_machine, slice);
    struct program_operand read[2] = {trial_stream(t, PROGRAM_EAST, 3, label, trial_same),
                                      rig_expect(table, sub, named)};
    struct program_operand copy[2] = {trial_stream(t, PROGRAM_EAST, 3, label, trial_same),
                                      trial_stream(t, PROGRAM_EAST, 4, y, trial_same)};
    read[1].index_mode = how.address_mode;
    how.cycle = AT - rig_machine.mem_read_cycles - way;
    how.queue = (uint8_t)slice;
    how.opcode = PROGRAM_MEM_READ;
    how.address = program_tensor_address(p, &p->tensor[table], sub);
    rig_add(p, how, trial_once, read, 0, 2);
    rig_add(
        p, (struct program_instruction){.cycle = AT - 1, .queue = TRIAL_VXM, .opcode = PROGRAM_VXM},
        trial_once, copy, 1, 1);
    rig_write(p, y, 1, trial_same, trial_once, trial_lane(PROGRAM_EAST, 4, AT + 3, TRIAL_VXM));
}

/* What a step at `position` with token 3 finds in a table of 12 rows, in the sub that is for its
 * group of tokens. */
static void find(struct trial *t, float table[][TRIAL_LANES], struct program_instruction how,
                 enum chip_numerics numerics, int32_t position, float found[TRIAL_LANES])
{
    uint64_t state = 19;
    trial_open(t, numerics);
    int32_t rows = trial_loaded(t, "table", PROGRAM_DTYPE_INT8, 2, 30, 12);
    int32_t zero = trial_loaded(t, "zeros", PROGRAM_DTYPE_INT8, 2, 30, 1);
    int32_t y = trial_written(t, "y", PROGRAM_DTYPE_INT8, 1, 60, 1);
    t->program[0].tensor[zero].address = 40;
    t->program[0].tensor[zero].valid = 0;
    trial_fill(t, rows, how.low, 12, table[0], &state);
    look_up(t, rows, y, how);
    trial_step(t, position);
    trial_get(t, y, 0, 0, found);
    trial_close(t);
}

static void check_tables(enum chip_numerics numerics)
{
    static const struct {
        struct program_instruction how;
        int32_t position, row; /* -1: zeros */
    } rows[] = {
        {{.address_mode = PROGRAM_ADDRESS_POSITION}, 0, 0},
        {{.address_mode = PROGRAM_ADDRESS_POSITION}, 11, 11},
        {{.address_mode = PROGRAM_ADDRESS_CLAMP, .limit = 11, .argument = -4}, 2, 0},
        {{.address_mode = PROGRAM_ADDRESS_CLAMP, .limit = 11, .argument = -4}, 7, 3},
        {{.address_mode = PROGRAM_ADDRESS_CLAMP, .limit = 11, .argument = -4}, 500, 11},
        {{.address_mode = PROGRAM_ADDRESS_TOKEN, .limit = 40, .stride = {0, 1}, .low = 1}, 0, 1},
        {{.address_mode = PROGRAM_ADDRESS_TOKEN, .limit = 40, .stride = {0, 4}, .low = 1}, 0, 4},
        {{.address_mode = PROGRAM_ADDRESS_TOKEN, .limit = 40, .stride = {0, 1}, .low = 0}, 0, -1},
    };
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        struct trial t;
        float table[12][TRIAL_LANES], found[TRIAL_LANES];
        find(&t, table, rows[n].how, numerics, rows[n].position, found);
        const float *want = rows[n].row < 0 ? zeros : table[rows[n].row];
        CU_ASSERT_EQUAL(memcmp(found, want, sizeof found), 0);
    }
}

static void run_time_values_choose_the_row_of_a_table(void)
{
    check_in_both(check_tables);
}

/* Slices 60 to 75 are east: they own rows 16 to 31 (local rows 0 to 15) and 48 to 63. */
static void add_cache_writes(struct trial *t, int32_t x, int32_t cache, int32_t dump)
{
    rig_read(&t->program[0], x, 1, trial_same, trial_once, trial_lane(PROGRAM_EAST, 6, AT, 60));
    for (int32_t s = 0; s < LANES_OF_CACHE; s++) {
        struct program *p = &t->program[0];
        struct program_operand o[2] = {trial_stream(t, PROGRAM_EAST, 6, x, trial_same),
                                       rig_expect(cache, s, trial_same)};
        o[1].index_mode = PROGRAM_ADDRESS_KV;
        rig_add(
            p,
            (struct program_instruction){.cycle = AT - 1 + s,
                                         .queue = (uint8_t)(60 + s),
                                         .opcode = PROGRAM_MEM_WRITE,
                                         .address_mode = PROGRAM_ADDRESS_KV,
                                         .address = program_tensor_address(p, &p->tensor[cache], s),
                                         .limit = program_tensor_address(p, &p->tensor[dump], s),
                                         .low = s,
                                         .width = p->tensor[cache].count},
            trial_once, o, 1, 1);
    }
}

/* Where `x` is after a step at `row`: in the slice that owns it and row `local`, else (-1) dumped
 * by all. */
static void check_cache_row(enum chip_numerics numerics, int32_t row, int32_t local)
{
    struct trial t;
    float x[1][TRIAL_LANES];
    uint64_t state = 20;
    trial_open(&t, numerics);
    int32_t in = trial_loaded(&t, "x", PROGRAM_DTYPE_INT8, 1, 10, 1);
    int32_t cache = rig_tensor(&t.program[0], "k", PROGRAM_TENSOR_KV, LANES_OF_CACHE, 60, 100, 2);
    int32_t dump =
        rig_tensor(&t.program[0], "dump", PROGRAM_TENSOR_CONSTANT, LANES_OF_CACHE, 60, 200, 1);
    trial_fill(&t, in, 0, 1, x[0], &state);
    add_cache_writes(&t, in, cache, dump);
    trial_step(&t, row);
    for (int32_t s = 0; s < LANES_OF_CACHE; s++) {
        bool owns = local >= 0 && s == row % TILE;
        for (int32_t n = 0; n < 2; n++)
            CU_ASSERT_EQUAL(trial_differing(&t, cache, s, n, owns && n == local ? x[0] : zeros), 0);
        CU_ASSERT_EQUAL(trial_differing(&t, dump, s, 0, owns ? zeros : x[0]), 0);
    }
    trial_close(&t);
}

static void check_cache(enum chip_numerics numerics)
{
    check_cache_row(numerics, 5, -1);
    check_cache_row(numerics, 16, 0);
    check_cache_row(numerics, 29, 0);
    check_cache_row(numerics, 32, -1);
    check_cache_row(numerics, 63, 1);
}

static void the_slice_that_owns_a_cache_row_keeps_it_and_others_dump_it(void)
{
    check_in_both(check_cache);
}

TEST_MAIN("values at run-time addresses", TEST(run_time_values_choose_the_row_of_a_table),
          TEST(the_slice_that_owns_a_cache_row_keeps_it_and_others_dump_it))
