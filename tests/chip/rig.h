/* SPDX-License-Identifier: BSD-3-Clause */
/* Small programs written by hand, and chips to run them: the helpers of the chip's tests. */
#ifndef TESTS_CHIP_RIG_H
#define TESTS_CHIP_RIG_H

#include <stdbool.h>

#include "chip/chip.h"

extern const struct lpu_chip rig_machine;

/* When repeats happen, and which vectors they concern. */
struct rig_repeat {
    int32_t count[2], interval[2];
};
struct rig_walk {
    int32_t index, stride[2];
};

/* Streams that a unit at x samples from cycle `cycle` on. */
struct rig_lane {
    enum program_direction direction;
    int32_t stream;
    int64_t cycle;
    int32_t queue; /* of the consumer */
};

/* Adds an op that the instructions after it belong to. */
void rig_op(struct program *p, const char *name, int32_t layer);

/* Adds a tensor on slices first, first + 1, ..., odd ones a row higher; first < 0: no place.
 * Persistent kinds live for ever.
 */
int32_t rig_tensor(struct program *p, const char *name, enum program_tensor_kind kind, int32_t subs,
                   int32_t first, int32_t address, int32_t count);

struct program_operand rig_stream(struct rig_lane lane, int32_t streams, int32_t tensor,
                                  int32_t sub, struct rig_walk walk);
struct program_operand rig_alu(int32_t alu);
struct program_operand rig_expect(int32_t tensor, int32_t sub, struct rig_walk walk);

/* Appends an instruction with its operands, inputs first. Returns its place until rig_seal. */
struct program_instruction *rig_add(struct program *p, struct program_instruction i,
                                    struct rig_repeat r, const struct program_operand *operand,
                                    int32_t inputs, int32_t outputs);

/* Reads subs 0..n-1 of a tensor to lane.stream, ... so that they are sampled as the lane says. */
void rig_read(struct program *p, int32_t tensor, int32_t n, struct rig_walk walk,
              struct rig_repeat r, struct rig_lane lane);

/* Writes subs 0..n-1 from streams that stand at the unit of lane.queue in lane.cycle. */
void rig_write(struct program *p, int32_t tensor, int32_t n, struct rig_walk walk,
               struct rig_repeat r, struct rig_lane lane);

/* Sorts instructions, sets residency windows of activations, op times and length. */
void rig_seal(struct program *p);

/* n-th instruction of a queue; fails the test where there is none. */
struct program_instruction *rig_find(struct program *p, int32_t queue, int32_t n);
struct program_operand *rig_operand(struct program *p, int32_t queue, int32_t n, int32_t operand);

/* The two chips of the tests: chip 0 computes, keeps a cache, and sends; chip 1 receives. */
void rig_pair(struct program pair[2]);

/* Chips 0 and 1 of a node, alive. */
struct rig {
    struct lpu_topology topology;
    struct lpu_chip machine;
    struct chip *chip[2];
    struct chip_statistics statistics[2];
    int32_t gave_up;
};

void rig_start(struct rig *rig, const struct lpu_chip *machine);
void rig_stop(struct rig *rig);

/* Loads and runs a step at `position` with token 3. Receives that nobody serves are given up. */
void rig_step(struct rig *rig, const struct program pair[2], int32_t position);

int64_t rig_violations(const struct rig *rig);

/* The first violation of a rule, or NULL. */
const struct chip_violation *rig_first(const struct rig *rig, enum chip_rule rule);

/* Prints what was found; for tests that expect nothing. */
void rig_print(const struct rig *rig);

#endif
