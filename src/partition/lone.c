/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens blocks without a shape and turns them into programs. */
#include "partition/lone.h"

#include "partition/assemble.h"
#include "partition/place.h"

struct block lone_open(const struct lpu_chip *chip)
{
    struct block b = {.chip = chip, .busy = reservations_create()};
    for (int32_t slice = 0; slice < PROGRAM_QUEUE_VXM; slice++)
        b.sram.top[slice] = chip->vectors_per_slice;
    emit_tensor(&b,
                &(struct tensor_spec){
                    .name = "zero", .kind = PROGRAM_TENSOR_ZERO, .subs = 1, .layer_step = -1},
                -1);
    return b;
}

struct program lone_program(const struct block *b, int32_t chip_id, int64_t length_cycles)
{
    struct program p = {.chip = chip_id,
                        .length_cycles = length_cycles,
                        .rows = 1,
                        .sequences = 1,
                        .embedding_groups = 1,
                        .token = -1};
    assemble_append(&p, b, &(struct assemble_place){0});
    assemble_finish(&p);
    return p;
}
