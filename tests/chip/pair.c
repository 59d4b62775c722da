/* SPDX-License-Identifier: BSD-3-Clause */
/* The program pair that the tests corrupt: every unit, every address mode, one message. */
#include "rig.h"

enum { ROWS = 4, LANES = 16, VXM = PROGRAM_QUEUE_VXM, MXM = PROGRAM_QUEUE_MXM };

static const struct rig_repeat rows = {{ROWS, 1}, {1, 0}}, once = {{1, 1}, {0, 0}};
static const struct rig_walk along = {0, {1, 0}}, same = {0, {0, 0}};

static struct rig_lane lane(enum program_direction direction, int32_t stream, int64_t cycle,
                            int32_t queue)
{
    return (struct rig_lane){direction, stream, cycle, queue};
}

/* Two contraction tiles through plane 0: loads, installs, and rows that add up. Results leave plane
 * 0 from cycle 180 on. */
static int32_t product(struct program *p)
{
    rig_op(p, "product", 5);
    const struct rig_repeat load = {{20, 2}, {1, 26}}, install = {{1, 2}, {0, 26}};
    const struct rig_repeat compute = {{ROWS, 2}, {1, 26}};
    const struct rig_walk tiles = {0, {1, 20}}, first = {0, {0, 20}}, twice = {0, {1, 0}};
    int32_t w = rig_tensor(p, "w", PROGRAM_TENSOR_WEIGHT, 16, 0, 0, 40);
    int32_t x = rig_tensor(p, "x", PROGRAM_TENSOR_CONSTANT, 1, 20, 0, ROWS);
    int32_t sum = rig_tensor(p, "sum", PROGRAM_TENSOR_TRANSIENT, 4, -1, 0, ROWS);
    rig_read(p, w, 16, tiles, load, lane(PROGRAM_WEST, 0, 100, MXM));
    struct program_operand in = rig_stream(lane(PROGRAM_WEST, 0, 0, 0), 16, w, 0, tiles);
    rig_add(p, (struct program_instruction){.cycle = 99, .queue = MXM, .opcode = PROGRAM_MXM_LOAD},
            load, &in, 1, 0);
    in = rig_expect(w, 0, first);
    rig_add(
        p,
        (struct program_instruction){.cycle = 120, .queue = MXM + 1, .opcode = PROGRAM_MXM_INSTALL},
        install, &in, 1, 0);
    rig_read(p, x, 1, twice, compute, lane(PROGRAM_WEST, 31, 123, MXM));
    struct program_operand o[3] = {rig_stream(lane(PROGRAM_WEST, 31, 0, 0), 1, x, 0, twice),
                                   rig_expect(w, 0, first),
                                   rig_stream(lane(PROGRAM_EAST, 0, 0, 0), 4, sum, 0, twice)};
    rig_add(p,
            (struct program_instruction){.cycle = 122,
                                         .queue = MXM + 2,
                                         .opcode = PROGRAM_MXM_COMPUTE,
                                         .flags = PROGRAM_FIRST | PROGRAM_LAST,
                                         .address = 8,
                                         .stride = {1, 0}},
            compute, o, 2, 1);
    return sum;
}

static struct program_instruction alu(int32_t unit, enum program_vxm_function function,
                                      int64_t samples, uint8_t flags)
{
    return (struct program_instruction){.cycle = samples - 1,
                                        .queue = (uint8_t)(VXM + unit),
                                        .opcode = PROGRAM_VXM,
                                        .function = (uint8_t)function,
                                        .immediate = function == PROGRAM_VXM_MUL ? 1.0f : 0.0f,
                                        .flags = flags};
}

/* sum * scale through two chained ALUs into y; y[0] into the cache as well. */
static int32_t scaling(struct program *p, int32_t sum)
{
    rig_op(p, "scaling", 5);
    int32_t scale = rig_tensor(p, "scale", PROGRAM_TENSOR_CONSTANT, 2, 40, 0, 1);
    int32_t y = rig_tensor(p, "y", PROGRAM_TENSOR_ACTIVATION, 2, 50, 100, ROWS);
    int64_t c = 122 + 26 + 36 + 46;
    rig_read(p, scale, 2, same, rows, lane(PROGRAM_EAST, 10, c, VXM));
    struct program_operand in[2] = {rig_stream(lane(PROGRAM_EAST, 0, 0, 0), 4, sum, 0, along),
                                    rig_stream(lane(PROGRAM_EAST, 10, 0, 0), 2, scale, 0, same)};
    rig_add(p, alu(0, PROGRAM_VXM_MUL, c, 0), rows, in, 2, 0);
    struct program_operand o[2] = {rig_alu(0),
                                   rig_stream(lane(PROGRAM_EAST, 8, 0, 0), 2, y, 0, along)};
    rig_add(p, alu(1, PROGRAM_VXM_COPY, c + 3, 0), rows, o, 1, 1);
    rig_write(p, y, 2, along, rows, lane(PROGRAM_EAST, 8, c + 6, VXM));
    return y;
}

/* y through the eastern SXM, copied into z. */
static void swap(struct program *p, int32_t y)
{
    rig_op(p, "swap", 5);
    int32_t z = rig_tensor(p, "z", PROGRAM_TENSOR_ACTIVATION, 1, 70, 100, ROWS);
    int32_t sxm = PROGRAM_QUEUE_SXM + PROGRAM_SXM_QUEUES;
    rig_read(p, y, 1, along, rows, lane(PROGRAM_EAST, 4, 400, sxm));
    struct program_operand o[2] = {rig_stream(lane(PROGRAM_EAST, 4, 0, 0), 1, y, 0, along),
                                   rig_stream(lane(PROGRAM_WEST, 4, 0, 0), 1, z, 0, along)};
    rig_add(p,
            (struct program_instruction){
                .cycle = 399, .queue = (uint8_t)sxm, .opcode = PROGRAM_SXM_PERMUTE},
            rows, o, 1, 1);
    rig_write(p, z, 1, along, rows, lane(PROGRAM_WEST, 4, 403, sxm));
}

/* y[0] becomes cache row `position`; the greatest of four cache rows is kept. */
static void cache(struct program *p, int32_t y)
{
    rig_op(p, "cache", 5);
    int32_t kv = rig_tensor(p, "k", PROGRAM_TENSOR_KV, LANES, 60, 200, ROWS);
    int32_t dump = rig_tensor(p, "dump", PROGRAM_TENSOR_CONSTANT, LANES, 60, 300, 1);
    int32_t most = rig_tensor(p, "most", PROGRAM_TENSOR_ACTIVATION, 1, 10, 100, 1);
    rig_read(p, y, 1, same, once, lane(PROGRAM_EAST, 6, 500, 60));
    for (int32_t s = 0; s < LANES; s++) {
        struct program_operand o[2] = {rig_stream(lane(PROGRAM_EAST, 6, 0, 0), 1, y, 0, same),
                                       rig_expect(kv, s, same)};
        o[1].index_mode = PROGRAM_ADDRESS_KV;
        rig_add(
            p,
            (struct program_instruction){.cycle = 499 + s,
                                         .queue = (uint8_t)(60 + s),
                                         .opcode = PROGRAM_MEM_WRITE,
                                         .address_mode = PROGRAM_ADDRESS_KV,
                                         .address = program_tensor_address(p, &p->tensor[kv], s),
                                         .limit = program_tensor_address(p, &p->tensor[dump], s),
                                         .low = s,
                                         .width = ROWS},
            once, o, 1, 1);
    }
    rig_read(p, kv, 1, along, rows, lane(PROGRAM_WEST, 12, 600, VXM));
    struct program_operand o[2] = {rig_stream(lane(PROGRAM_WEST, 12, 0, 0), 1, kv, 0, along),
                                   rig_stream(lane(PROGRAM_WEST, 13, 0, 0), 1, most, 0, same)};
    rig_add(p, alu(2, PROGRAM_VXM_MAX, 600, PROGRAM_REDUCE), rows, o, 1, 1);
    rig_write(p, most, 1, same, once, lane(PROGRAM_WEST, 13, 606, VXM));
}

static void table(struct program *p, int32_t tensor, int32_t label, int32_t stream, int64_t cycle,
                  struct program_instruction how)
{
    const struct program_tensor *t = &p->tensor[tensor];
    int32_t slice = p->slice[t->slice], x = program_queue_position(&rig_machine, slice);
    struct program_operand o[2] = {rig_stream(lane(PROGRAM_EAST, stream, 0, 0), 1, label, 0, same),
                                   rig_expect(tensor, 0, same)};
    o[1].index_mode = how.address_mode;
    how.cycle = cycle - 4 - (program_queue_position(&rig_machine, VXM) - x);
    how.queue = (uint8_t)slice;
    how.opcode = PROGRAM_MEM_READ;
    how.address = t->address;
    o[1].index = how.address_mode == PROGRAM_ADDRESS_CLAMP ? how.argument : 0;
    o[1].stride[1] = how.stride[1];
    rig_add(p, how, once, o, 0, 2);
}

/* The token's embedding, the position's table row and the mask, combined. */
static void lookup(struct program *p)
{
    rig_op(p, "lookup", -1);
    int32_t embedding = rig_tensor(p, "embedding", PROGRAM_TENSOR_EMBEDDING, 1, 30, 0, 8);
    int32_t cosine = rig_tensor(p, "cos", PROGRAM_TENSOR_CONSTANT, 1, 31, 0, 64);
    int32_t mask = rig_tensor(p, "mask", PROGRAM_TENSOR_CONSTANT, 1, 32, 0, 9);
    int32_t zeros = rig_tensor(p, "zeros", PROGRAM_TENSOR_CONSTANT, 1, 30, 50, 1);
    int32_t label = rig_tensor(p, "row", PROGRAM_TENSOR_TRANSIENT, 3, -1, 0, INT32_MAX);
    int32_t hidden = rig_tensor(p, "hidden", PROGRAM_TENSOR_ACTIVATION, 1, 48, 100, 1);
    p->tensor[zeros].valid = 0;
    table(p, embedding, label, 16, 700,
          (struct program_instruction){
              .address_mode = PROGRAM_ADDRESS_TOKEN, .limit = 50, .stride = {0, 1}});
    table(p, cosine, label, 17, 700,
          (struct program_instruction){.address_mode = PROGRAM_ADDRESS_POSITION});
    table(p, mask, label, 18, 700,
          (struct program_instruction){
              .address_mode = PROGRAM_ADDRESS_CLAMP, .limit = 8, .argument = -2});
    struct program_operand o[4];
    for (int32_t k = 0; k < 3; k++)
        o[k] = rig_stream(lane(PROGRAM_EAST, 16 + k, 0, 0), 1, label, 0, same);
    o[3] = rig_stream(lane(PROGRAM_EAST, 19, 0, 0), 1, hidden, 0, same);
    rig_add(p, alu(3, PROGRAM_VXM_ADD, 700, 0), once, o, 3, 1);
    rig_write(p, hidden, 1, same, once, lane(PROGRAM_EAST, 19, 703, VXM));
}

/* y[.] sub 0 leaves on link 0 from cycle 800 on, a vector a slot. */
static void depart(struct program *p, int32_t y)
{
    rig_op(p, "depart", 5);
    const struct rig_repeat slots = {{ROWS, 1}, {24, 0}};
    rig_read(p, y, 1, along, slots, lane(PROGRAM_WEST, 20, 800, PROGRAM_QUEUE_SEND));
    struct program_operand in = rig_stream(lane(PROGRAM_WEST, 20, 0, 0), 1, y, 0, along);
    rig_add(p,
            (struct program_instruction){
                .cycle = 799, .queue = PROGRAM_QUEUE_SEND, .opcode = PROGRAM_C2C_SEND},
            slots, &in, 1, 0);
}

static void arrive(struct program *p)
{
    rig_op(p, "arrive", 5);
    const struct rig_repeat slots = {{ROWS, 1}, {24, 0}};
    int32_t y = rig_tensor(p, "y", PROGRAM_TENSOR_TRANSIENT, 2, -1, 0, ROWS);
    int32_t r = rig_tensor(p, "r", PROGRAM_TENSOR_ACTIVATION, 1, 3, 100, ROWS);
    struct program_operand o[2] = {rig_stream(lane(PROGRAM_EAST, 0, 0, 0), 1, r, 0, along),
                                   rig_expect(y, 0, along)};
    rig_add(p,
            (struct program_instruction){
                .cycle = 800 + 650, .queue = PROGRAM_QUEUE_RECEIVE, .opcode = PROGRAM_C2C_RECEIVE},
            slots, o, 0, 2);
    rig_write(p, r, 1, along, slots, lane(PROGRAM_EAST, 0, 1452, PROGRAM_QUEUE_RECEIVE));
}

void rig_pair(struct program pair[2])
{
    for (int32_t c = 0; c < 2; c++) {
        pair[c] = (struct program){
            .chip = c, .kv_tile_positions = 16, .vocabulary_count = 8, .embedding_groups = 1};
        rig_tensor(&pair[c], "zero", PROGRAM_TENSOR_ZERO, 1, -1, 0, 0);
    }
    int32_t y = scaling(&pair[0], product(&pair[0]));
    swap(&pair[0], y);
    cache(&pair[0], y);
    lookup(&pair[0]);
    depart(&pair[0], y);
    arrive(&pair[1]);
    for (int32_t c = 0; c < 2; c++)
        rig_seal(&pair[c]);
}
