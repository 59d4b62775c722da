/* SPDX-License-Identifier: BSD-3-Clause */
/* Executes one step of programs that nobody else compiled on chips of one process, under the
 * contract. */
#ifndef BENCH_PLAY_H
#define BENCH_PLAY_H

#include "base/program.h"
#include "chip/chip_values.h"

/* Chips of a rack, a program each. */
struct play {
    const struct lpu_chip *machine;
    struct lpu_topology topology;
    int32_t chips;           /* that have programs: 0, 1, ..., chips - 1 */
    struct program *program; /* owned; filled by the caller before play_start */
    struct chip **chip;
};

/* Of one step over all chips. */
struct play_result {
    int64_t length_cycles; /* executed: the longest chip's */
    int64_t instructions, vectors, violations;
};

/* `nodes` nodes of `per_node` chips; `chips` of them take part. Exits with a message where the
 * machine cannot be wired so. */
void play_open(struct play *play, const struct lpu_chip *machine, int32_t nodes, int32_t per_node,
               int32_t chips);

/* All chips of a rack; those whose program stays empty are not made. */
void play_open_rack(struct play *play, const struct lpu_chip *machine, const struct lpu_rack *rack);

/* Checks and loads the programs; with `values` chips compute numbers. Exits where a program is not
 * valid. */
void play_start(struct play *play, bool values);

/* One step, of tokens 0 at position 0 and the first experts where it has any; the first violations
 * are printed. */
struct play_result play_step(struct play *play);

void play_close(struct play *play);

/* The tensor of a chip's program by name; -1: none. */
int32_t play_tensor(const struct play *play, int32_t chip, const char *name);

/* The chip of a scenario file, such as configs/rack.cfg; exits with a message where it is none. */
struct lpu_chip play_machine(const char *file);

#endif
