/* SPDX-License-Identifier: BSD-3-Clause */
/* A program on chip 0 whose numbers are loaded by hand, computed, and read back. */
#ifndef TESTS_CHIP_TRIAL_H
#define TESTS_CHIP_TRIAL_H

#include "chip/chip_values.h"
#include "rig.h"

enum { TRIAL_LANES = 320, TRIAL_VXM = PROGRAM_QUEUE_VXM, TRIAL_MXM = PROGRAM_QUEUE_MXM };

/* Both chips of a rig; program[1] is empty unless the test fills it. */
struct trial {
    struct program program[2];
    struct rig rig;
};

/* One vector after the other in successive cycles; the same vector; a single one. */
extern const struct rig_walk trial_along, trial_same;
extern const struct rig_repeat trial_once;
struct rig_repeat trial_times(int32_t count);

void trial_open(struct trial *t, enum chip_numerics numerics);
void trial_close(struct trial *t);

/* Tensors of chip 0: what is loaded, and what is written. Subs lie in slices from `first` on. */
int32_t trial_loaded(struct trial *t, const char *name, enum program_dtype dtype, int32_t subs,
                     int32_t first, int32_t count);
int32_t trial_written(struct trial *t, const char *name, enum program_dtype dtype, int32_t subs,
                      int32_t first, int32_t count);
int32_t trial_passing(struct trial *t, const char *name, enum program_dtype dtype, int32_t subs,
                      int32_t count);

struct rig_lane trial_lane(enum program_direction direction, int32_t stream, int64_t cycle,
                           int32_t queue);

/* As many streams as a number of the tensor has planes. */
struct program_operand trial_stream(const struct trial *t, enum program_direction direction,
                                    int32_t stream, int32_t tensor, struct rig_walk walk);

/* Numbers of vector `index`, planes from `sub` on: lanes[TRIAL_LANES]. */
void trial_put(struct trial *t, int32_t tensor, int32_t sub, int32_t index, const float *lanes);
void trial_get(const struct trial *t, int32_t tensor, int32_t sub, int32_t index, float *lanes);

/* Puts multiples of 1/64 (int8: whole numbers) into vectors 0, ..., count - 1 of planes from `sub`
 * on, and into lanes[count][TRIAL_LANES]. */
void trial_fill(struct trial *t, int32_t tensor, int32_t sub, int32_t count, float *lanes,
                uint64_t *state);

/* Lanes of a vector that differ from `want`, bit by bit but for the sign of 0. */
int32_t trial_differing(const struct trial *t, int32_t tensor, int32_t sub, int32_t index,
                        const float *want);

/* A step at `position` with token 3; fails the test where a program is not valid or breaks the
 * contract. */
void trial_step(struct trial *t, int32_t position);

#endif
