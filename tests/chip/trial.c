/* SPDX-License-Identifier: BSD-3-Clause */
/* Small programs with numbers: what the tests of values share. */
#include "trial.h"

#include <stdio.h>

#include "draw.h"
#include "test.h"

const struct rig_walk trial_along = {0, {1, 0}}, trial_same = {0, {0, 0}};
const struct rig_repeat trial_once = {{1, 1}, {0, 0}};

struct rig_repeat trial_times(int32_t count)
{
    return (struct rig_repeat){{count, 1}, {1, 0}};
}

void trial_open(struct trial *t, enum chip_numerics numerics)
{
    struct base_report report = {0};
    *t = (struct trial){0};
    for (int32_t c = 0; c < 2; c++) {
        t->program[c] = (struct program){.chip = c,
                                         .kv_tile_positions = 16,
                                         .vocabulary_count = 8,
                                         .embedding_groups = 2,
                                         .token = -1,
                                         .key_id_bits = 16};
        rig_tensor(&t->program[c], "zero", PROGRAM_TENSOR_ZERO, 1, -1, 0, 0);
        rig_op(&t->program[c], "trial", 5);
    }
    rig_start(&t->rig, &rig_machine);
    CU_ASSERT_TRUE_FATAL(chip_can_compute(&t->rig.machine, &report));
    for (int32_t c = 0; c < 2; c++)
        chip_compute_values(t->rig.chip[c], numerics);
}

void trial_close(struct trial *t)
{
    rig_stop(&t->rig);
    for (int32_t c = 0; c < 2; c++)
        program_release(&t->program[c]);
}

static int32_t typed(struct trial *t, int32_t tensor, enum program_dtype dtype)
{
    t->program[0].tensor[tensor].dtype = (uint8_t)dtype;
    return tensor;
}

int32_t trial_loaded(struct trial *t, const char *name, enum program_dtype dtype, int32_t subs,
                     int32_t first, int32_t count)
{
    return typed(
        t, rig_tensor(&t->program[0], name, PROGRAM_TENSOR_CONSTANT, subs, first, 0, count), dtype);
}

int32_t trial_written(struct trial *t, const char *name, enum program_dtype dtype, int32_t subs,
                      int32_t first, int32_t count)
{
    return typed(t,
                 rig_tensor(&t->program[0], name, PROGRAM_TENSOR_ACTIVATION, subs, first, 0, count),
                 dtype);
}

int32_t trial_passing(struct trial *t, const char *name, enum program_dtype dtype, int32_t subs,
                      int32_t count)
{
    return typed(t, rig_tensor(&t->program[0], name, PROGRAM_TENSOR_TRANSIENT, subs, -1, 0, count),
                 dtype);
}

struct rig_lane trial_lane(enum program_direction direction, int32_t stream, int64_t cycle,
                           int32_t queue)
{
    return (struct rig_lane){direction, stream, cycle, queue};
}

struct program_operand trial_stream(const struct trial *t, enum program_direction direction,
                                    int32_t stream, int32_t tensor, struct rig_walk walk)
{
    return rig_stream(trial_lane(direction, stream, 0, 0),
                      program_dtype_planes(t->program[0].tensor[tensor].dtype), tensor, 0, walk);
}

void trial_put(struct trial *t, int32_t tensor, int32_t sub, int32_t index, const float *lanes)
{
    chip_preload(t->rig.chip[0], &t->program[0], &(struct chip_number){tensor, sub, index}, lanes);
}

void trial_get(const struct trial *t, int32_t tensor, int32_t sub, int32_t index, float *lanes)
{
    chip_peek(t->rig.chip[0], &t->program[0], &(struct chip_number){tensor, sub, index}, lanes);
}

void trial_fill(struct trial *t, int32_t tensor, int32_t sub, int32_t count, float *lanes,
                uint64_t *state)
{
    bool whole = t->program[0].tensor[tensor].dtype == PROGRAM_DTYPE_INT8;
    for (int32_t n = 0; n < count; n++, lanes += TRIAL_LANES) {
        for (int32_t l = 0; l < TRIAL_LANES; l++)
            lanes[l] = whole ? (float)draw_between(state, -127, 127) : draw_real(state, 2);
        trial_put(t, tensor, sub, n, lanes);
    }
}

int32_t trial_differing(const struct trial *t, int32_t tensor, int32_t sub, int32_t index,
                        const float *want)
{
    float have[TRIAL_LANES];
    int32_t count = 0;
    trial_get(t, tensor, sub, index, have);
    for (int32_t l = 0; l < TRIAL_LANES; l++)
        count += have[l] != want[l];
    return count;
}

void trial_step(struct trial *t, int32_t position)
{
    struct base_report report = {0};
    for (int32_t c = 0; c < 2; c++) {
        rig_seal(&t->program[c]);
        CU_ASSERT_TRUE(program_is_valid(&rig_machine, &t->program[c], &report));
    }
    base_report_print(&report, stderr);
    CU_ASSERT_EQUAL_FATAL(report.count, 0);
    rig_step(&t->rig, t->program, position);
    rig_print(&t->rig);
    CU_ASSERT_EQUAL(rig_violations(&t->rig), 0);
    CU_ASSERT_EQUAL(t->rig.gave_up, 0);
}
