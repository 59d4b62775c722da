/* SPDX-License-Identifier: BSD-3-Clause */
/* Emits the four loads and installs, as short as slices and streams allow. */
#include "install.h"

#include <stdio.h>

#include "partition/lone.h"
#include "partition/place.h"

/* The k-th slice from the edge. */
static int32_t slice_from_edge(const struct block *b, bool east, int32_t k)
{
    return east ? 2 * b->chip->mem_slices_per_hemisphere - 1 - k : k;
}

static void install_plane(struct block *b, bool east, int32_t local, int32_t first, int32_t width)
{
    int32_t slice[PROGRAM_QUEUE_VXM], cycles = b->chip->mxm_columns / width;
    int32_t queue = PROGRAM_QUEUE_MXM + PROGRAM_MXM_QUEUES * (2 * east + local);
    char name[24];
    for (int32_t j = 0; j < width; j++)
        slice[j] = slice_from_edge(b, east, first + j);
    snprintf(name, sizeof name, "w.%c%d", east ? 'e' : 'w', (int)local);
    int32_t weights =
        emit_placed(b, PROGRAM_TENSOR_WEIGHT, PROGRAM_DTYPE_INT8, name, slice, width, cycles);
    struct lane_group at = {emit_outward(east), first, emit_mxm_x(b, east),
                            b->chip->mxm_load_skew_cycles};
    struct program_operand in =
        emit_read(b, weights, 0, width, emit_walk(0, 1, 0), emit_pattern(cycles, 1, 1, 0), at);
    struct program_operand want = emit_expect(weights, width, emit_walk(0, 0, 0));
    emit(b,
         (struct program_instruction){.queue = (uint8_t)queue,
                                      .opcode = PROGRAM_MXM_LOAD,
                                      .count = {cycles, 1},
                                      .interval = {1, 0}},
         &in, 1, NULL, 0);
    emit(b,
         (struct program_instruction){.cycle = cycles - 1 + b->chip->mxm_load_skew_cycles + 1,
                                      .queue = (uint8_t)(queue + 1),
                                      .opcode = PROGRAM_MXM_INSTALL,
                                      .count = {1, 1}},
         &want, 1, NULL, 0);
    place_group(b, 0);
}

void install_emit(struct block *b, int32_t near, int32_t far)
{
    emit_op(b, "install", true);
    for (int32_t east = 0; east < 2; east++) {
        install_plane(b, east, 0, 0, near);
        install_plane(b, east, 1, near, far);
    }
}

struct program install_best(const struct lpu_chip *chip)
{
    struct program best = {0};
    for (int32_t near = 1; near <= chip->mxm_load_streams; near++)
        for (int32_t far = 1; far <= chip->mxm_load_streams; far++) {
            if (chip->mxm_columns % near || chip->mxm_columns % far ||
                near + far > chip->streams_per_direction)
                continue;
            struct block b = lone_open(chip);
            install_emit(&b, near, far);
            if (!best.instructions || b.end < best.length_cycles) {
                program_release(&best);
                best = lone_program(&b, 0, b.end);
            }
            block_release(&b);
        }
    return best;
}
