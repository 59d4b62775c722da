/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups that were placed never collide: judged by marking, cycle by cycle and position by
 * position, what each vector and each queue occupies. */
#include "partition/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "rack.h"
#include "test.h"

/* Few streams and slices in few cycles: groups must get out of each other's way. */
enum { STREAMS = 3, CYCLES = 6000, POSITIONS = 93, TENSORS = 8, GROUPS = 60, ROUNDS = 12 };
enum { FREE = 0 };

struct draw {
    uint64_t round, next;
};

static int32_t draw(struct draw *d, int32_t n)
{
    return (int32_t)(base_random_u64(7, BASE_RANDOM_KERNEL, d->round, d->next++) % (uint64_t)n);
}

/* What a cell is taken by: 0, or a number of its own for each vector, access or group. */
struct map {
    int32_t stream[2][STREAMS][POSITIONS][CYCLES];
    int32_t queue[PROGRAM_QUEUES][CYCLES];
    int32_t bank[PROGRAM_QUEUE_VXM][CYCLES];
    int32_t plane[4][CYCLES];
    int32_t collisions;
};

static void take(struct map *m, int32_t *row, int64_t cycle, int32_t owner)
{
    CU_ASSERT_TRUE_FATAL(cycle >= 0 && cycle < CYCLES);
    m->collisions += row[cycle] != FREE && row[cycle] != owner;
    row[cycle] = owner;
}

/* A block of `TENSORS` activations on slices of both hemispheres; two slices hold two. */
static struct block new_block(const struct shape *shape)
{
    static const int32_t slice[TENSORS] = {2, 20, 43, 44, 60, 85, 20, 60};
    struct block b = {.shape = shape, .chip = shape->chip, .busy = reservations_create()};
    for (int n = 0; n < TENSORS; n++) {
        struct tensor_spec spec = {.name = "t",
                                   .kind = PROGRAM_TENSOR_ACTIVATION,
                                   .subs = 1,
                                   .count = 4096,
                                   .valid = 4096,
                                   .slice = &slice[n],
                                   .layer_step = -1};
        emit_tensor(&b, &spec, n < 6 ? 0 : spec.count);
    }
    emit_op(&b, "op", false);
    return b;
}

/* Two nested levels, one of them often idle. */
static struct pattern drawn_pattern(struct draw *d)
{
    int32_t n0 = 1 + draw(d, 6), d0 = 1 + draw(d, 5), n1 = 1 + draw(d, 4);
    return emit_pattern(n0, d0, n1, (n0 - 1) * d0 + 1 + draw(d, 9));
}

static uint8_t towards(int32_t from, int32_t to)
{
    return from <= to ? PROGRAM_EAST : PROGRAM_WEST;
}

static int32_t slice_x(const struct block *b, int32_t tensor)
{
    return program_queue_position(b->chip, b->code.slice[b->code.tensor[tensor].slice]);
}

/* From the VXM to SRAM. */
static void emit_back(struct block *b, int32_t tensor, struct pattern p, int32_t stream,
                      int64_t cycle)
{
    int32_t vxm = emit_vxm_x(b);
    struct lane_group from = {towards(vxm, slice_x(b, tensor)), stream, vxm, cycle};
    struct program_operand carried =
        emit_stream(from.direction, stream, 1, tensor, 0, emit_walk(0, 1, p.n[0]));
    emit_store(b, carried, tensor, 0, emit_walk(0, 1, p.n[0]), p, from);
}

static int32_t draw_elsewhere(const struct block *b, struct draw *d, int32_t tensor)
{
    int32_t other = draw(d, TENSORS);
    return slice_x(b, other) == slice_x(b, tensor) ? draw_elsewhere(b, d, tensor) : other;
}

/* SRAM -> ALU -> SRAM, on two streams and in two slices. */
static void draw_lookup(struct block *b, struct draw *d)
{
    struct pattern p = drawn_pattern(d);
    int32_t tensor = draw(d, TENSORS), in = draw(d, STREAMS), x = slice_x(b, tensor);
    int32_t out = (in + 1 + draw(d, STREAMS - 1)) % STREAMS;
    struct lane_group at = {towards(x, emit_vxm_x(b)), in, emit_vxm_x(b), 200};
    struct program_operand read = emit_read(b, tensor, 0, 1, emit_walk(0, 1, p.n[0]), p, at);
    size_t alu = b->code.instructions;
    struct program_operand result = emit_stream(PROGRAM_EAST, out, 1, 0, 0, emit_walk(0, 1, 0));
    int64_t done = emit_alu(
        b,
        (struct alu){.unit = draw(d, 3), .function = PROGRAM_VXM_COPY, .p = p, .cycle = at.cycle},
        &read, 1, &result, 1);
    emit_back(b, draw_elsewhere(b, d, tensor), p, out, done);
    const struct program_instruction *write = &b->code.instruction[b->code.instructions - 1];
    b->code.operand[b->code.instruction[alu].operand + 1] = b->code.operand[write->operand];
}

/* SRAM -> weight buffer of a plane, or of a pair of planes. */
static void draw_load(struct block *b, struct draw *d)
{
    struct pattern p = drawn_pattern(d);
    bool east = draw(d, 2), both = draw(d, 3) == 0;
    int32_t plane = 2 * east + (both ? 0 : draw(d, 2));
    int32_t tensor = draw(d, TENSORS), x = emit_mxm_x(b, east);
    struct lane_group at = {towards(slice_x(b, tensor), x), draw(d, STREAMS), x, 300};
    struct program_operand in = emit_read(b, tensor, 0, 1, emit_walk(0, 1, p.n[0]), p, at);
    emit(b,
         (struct program_instruction){.cycle = at.cycle - b->chip->mxm_load_skew_cycles,
                                      .queue =
                                          (uint8_t)(PROGRAM_QUEUE_MXM + PROGRAM_MXM_QUEUES * plane),
                                      .opcode = PROGRAM_MXM_LOAD,
                                      .flags = both ? PROGRAM_FP16 : 0,
                                      .count = {p.n[0], p.n[1]},
                                      .interval = {p.d[0], p.d[1]}},
         &in, 1, NULL, 0);
}

static int64_t issue(const struct program_instruction *i, int32_t inner, int32_t outer)
{
    return i->cycle + (int64_t)inner * i->interval[0] + (int64_t)outer * i->interval[1];
}

static int64_t last_issue(const struct program_instruction *i)
{
    return issue(i, i->count[0] - 1, i->count[1] - 1);
}

static bool is_memory(const struct program_instruction *i)
{
    return i->opcode == PROGRAM_MEM_READ || i->opcode == PROGRAM_MEM_WRITE;
}

static int64_t skew_of(const struct block *b, const struct program_instruction *i)
{
    return i->opcode == PROGRAM_MEM_WRITE  ? b->chip->mem_write_skew_cycles
           : i->opcode == PROGRAM_MXM_LOAD ? b->chip->mxm_load_skew_cycles
                                           : b->chip->vxm_skew_cycles;
}

/* Queues, banks and planes. An instruction holds its queue for its whole length, a group its
 * planes. */
static void mark_units(struct map *m, const struct block *b, size_t n, int32_t owner)
{
    const struct program_instruction *i = &b->code.instruction[n];
    for (int64_t c = i->cycle; c <= last_issue(i); c++)
        take(m, m->queue[i->queue], c, owner);
    for (int32_t o = 0; o < i->count[1] && is_memory(i); o++)
        for (int32_t k = 0; k < i->count[0]; k++)
            take(m, m->bank[i->queue],
                 issue(i, k, o) + (i->opcode == PROGRAM_MEM_WRITE ? skew_of(b, i) : 0), owner);
    if (i->opcode != PROGRAM_MXM_LOAD)
        return;
    int32_t plane = program_mxm_plane(i->queue), planes = i->flags & PROGRAM_FP16 ? 2 : 1;
    for (int32_t p = plane; p < plane + planes; p++)
        for (int64_t c = i->cycle; c <= last_issue(i) + b->chip->mxm_install_cycles; c++)
            take(m, m->plane[p], c, owner);
}

/* One vector from where it is driven to where it is sampled, both included. */
static void mark_way(struct map *m, const struct program_operand *o, int32_t from, int32_t to,
                     int64_t cycle, int32_t owner)
{
    for (int32_t x = from;; x += from < to ? 1 : -1) {
        take(m, m->stream[o->direction][o->stream][x], cycle + abs(x - from), owner);
        if (x == to)
            return;
    }
}

/* All vectors from producer to consumer, which follow each other in a group. */
static void mark_stream(struct map *m, const struct block *b, size_t producer, size_t consumer,
                        int32_t *vectors)
{
    const struct program_instruction *p = &b->code.instruction[producer],
                                     *c = &b->code.instruction[consumer];
    int32_t from = program_queue_position(b->chip, p->queue);
    int32_t to = program_queue_position(b->chip, c->queue);
    int32_t delay =
        p->opcode == PROGRAM_MEM_READ ? b->chip->mem_read_cycles : b->chip->vxm_alu_cycles;
    for (int32_t o = 0; o < p->count[1]; o++)
        for (int32_t k = 0; k < p->count[0]; k++) {
            int64_t cycle = issue(p, k, o) + delay;
            CU_ASSERT_EQUAL(cycle + abs(to - from), issue(c, k, o) + skew_of(b, c));
            mark_way(m, &b->code.operand[c->operand], from, to, cycle, ++*vectors);
        }
}

/* Collisions of everything that was placed in blocks of one chip. */
static int32_t judge(const struct block *block, int32_t blocks)
{
    struct map *m = base_alloc(1, sizeof *m);
    int32_t vectors = 0, owner = 0;
    for (const struct block *b = block; b < block + blocks; b++)
        for (size_t n = 0; n < b->code.instructions; n++) {
            mark_units(m, b, n, ++owner);
            if (b->code.instruction[n].inputs)
                mark_stream(m, b, n - 1, n, &vectors);
        }
    int32_t collisions = m->collisions;
    base_free(m);
    return collisions;
}

/* A read comes after every write that was placed before it. */
static bool are_reads_late_enough(const struct block *b)
{
    int64_t written[TENSORS] = {0};
    for (size_t n = 0; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        if (!is_memory(i))
            continue;
        int64_t *last = &written[b->code.operand[i->operand + i->inputs + i->outputs - 1u].tensor];
        if (i->opcode == PROGRAM_MEM_READ && i->cycle <= *last)
            return false;
        int64_t end = last_issue(i) + b->chip->mem_write_skew_cycles;
        if (i->opcode == PROGRAM_MEM_WRITE && end > *last)
            *last = end;
    }
    return true;
}

static bool are_windows_wide_enough(const struct block *b)
{
    for (size_t n = 0; n < b->code.instructions; n++) {
        const struct program_instruction *i = &b->code.instruction[n];
        if (!is_memory(i))
            continue;
        const struct program_tensor *t =
            &b->code.tensor[b->code.operand[i->operand + i->inputs + i->outputs - 1u].tensor];
        if (i->cycle < t->live_from || last_issue(i) + 1 >= t->live_to || t->live_to > b->end + 2)
            return false;
    }
    return true;
}

static void draw_group(struct block *b, struct draw *d)
{
    if (draw(d, 3))
        draw_lookup(b, d);
    else
        draw_load(b, d);
}

/* Fills a block with random groups; forgetful: each group is placed as if it were alone. */
static struct block drawn_block(const struct shape *shape, uint64_t round, bool forgetful)
{
    struct block b = new_block(shape);
    struct draw d = {.round = round};
    for (int g = 0; g < GROUPS; g++) {
        draw_group(&b, &d);
        if (forgetful) {
            reservations_release(b.busy);
            b.busy = reservations_create();
        }
        int64_t earliest = draw(&d, 200);
        CU_ASSERT_TRUE(place_group(&b, earliest) >= earliest);
    }
    return b;
}

static void placed_groups_never_collide(void)
{
    const struct shape shape = {.chip = rack_chip()};
    int64_t longest = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct block b = drawn_block(&shape, round, false);
        CU_ASSERT_EQUAL(judge(&b, 1), 0);
        CU_ASSERT_TRUE(are_reads_late_enough(&b));
        CU_ASSERT_TRUE(are_windows_wide_enough(&b));
        longest = b.end > longest ? b.end : longest;
        block_release(&b);
    }
    CU_ASSERT_TRUE(longest < CYCLES);
}

static void groups_placed_blindly_do(void)
{
    const struct shape shape = {.chip = rack_chip()};
    for (uint64_t round = 0; round < 2; round++) {
        struct block b = drawn_block(&shape, round, true);
        CU_ASSERT_TRUE(judge(&b, 1) > 100);
        block_release(&b);
    }
}

/* Groups among those of a block that began `offset` earlier; blind: they do not know of it. */
static int32_t collisions_over(const struct shape *shape, uint64_t round, int64_t offset,
                               bool blind)
{
    struct block both[2] = {drawn_block(shape, round, false), new_block(shape)};
    struct reservations_under under = {blind ? NULL : both[0].busy, -offset, {0}};
    struct draw d = {.round = round + ROUNDS};
    reservations_release(both[1].busy);
    both[1].busy = reservations_create_over(&under);
    for (int g = 0; g < GROUPS / 4; g++) {
        draw_group(&both[1], &d);
        place_group(&both[1], draw(&d, 200));
    }
    for (size_t n = 0; n < both[1].code.instructions; n++)
        both[1].code.instruction[n].cycle += offset;
    int32_t collisions = judge(both, 2);
    block_release(&both[0]);
    block_release(&both[1]);
    return collisions;
}

static void groups_keep_clear_of_a_block_that_runs_meanwhile(void)
{
    const struct shape shape = {.chip = rack_chip()};
    int32_t blind = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        int64_t offset = 150 * (int64_t)round;
        CU_ASSERT_EQUAL(collisions_over(&shape, round, offset, false), 0);
        blind += collisions_over(&shape, round, offset, true);
    }
    CU_ASSERT_TRUE(blind > 100);
}

static void a_lone_group_starts_when_it_is_asked_to(void)
{
    const struct shape shape = {.chip = rack_chip()};
    for (int64_t earliest = 0; earliest < 50; earliest += 7) {
        struct block b = new_block(&shape);
        struct draw d = {.round = 99};
        draw_lookup(&b, &d);
        CU_ASSERT_EQUAL(place_group(&b, earliest), earliest);
        block_release(&b);
    }
}

TEST_MAIN("places", TEST(placed_groups_never_collide), TEST(groups_placed_blindly_do),
          TEST(groups_keep_clear_of_a_block_that_runs_meanwhile),
          TEST(a_lone_group_starts_when_it_is_asked_to))
