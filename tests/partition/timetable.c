/* SPDX-License-Identifier: BSD-3-Clause */
/* The same input gives the same programs; slots of links are far enough apart, and both ends of a
 * wire have the same timetable. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rack.h"

static const struct rack_case shapes[] = {
    {.name = "tiny, 2 stages of 2", .stages = 2, .group = 2, .prompt = 33},
    {.name = "tiny, 1 stage of 4", .stages = 1, .group = 4, .prompt = 33},
    {.name = "tiny, 3 stages of 4 in nodes", .stages = 3, .group = 4, .nodes = 3, .prompt = 33},
    {.name = "tiny, 9 stages of 1 in nodes", .stages = 9, .group = 1, .nodes = 5, .prompt = 2},
    {.name = "qwen, 2 stages of 2", .model = &rack_qwen, .stages = 2, .group = 2, .prompt = 33},
    {.name = "wide, 2 stages of 4 in nodes of 8",
     .model = &rack_wide,
     .stages = 2,
     .group = 4,
     .nodes = 2,
     .chips_per_node = 8,
     .prompt = 33},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* Instructions end in padding, tensors and ops contain some: the fields before it, and around it.
 */
enum { INSTRUCTION_BYTES = offsetof(struct program_instruction, immediate) + sizeof(float) };

static bool are_bytes_equal(const void *a, const void *b, size_t bytes)
{
    return bytes == 0 || memcmp(a, b, bytes) == 0;
}

static bool are_instructions_equal(const struct program *a, const struct program *b)
{
    if (a->instructions != b->instructions || a->operands != b->operands)
        return false;
    for (size_t n = 0; n < a->instructions; n++)
        if (memcmp(&a->instruction[n], &b->instruction[n], INSTRUCTION_BYTES) != 0)
            return false;
    return are_bytes_equal(a->operand, b->operand, a->operands * sizeof *a->operand);
}

static bool is_tensor_equal(const struct program_tensor *a, const struct program_tensor *b)
{
    const size_t head = offsetof(struct program_tensor, layer) + sizeof a->layer;
    const size_t rest = offsetof(struct program_tensor, slice);
    return memcmp(a, b, head) == 0 &&
           memcmp((const char *)a + rest, (const char *)b + rest, sizeof *a - rest) == 0;
}

static bool are_tensors_equal(const struct program *a, const struct program *b)
{
    if (a->tensors != b->tensors || a->slices != b->slices)
        return false;
    for (size_t n = 0; n < a->tensors; n++)
        if (!is_tensor_equal(&a->tensor[n], &b->tensor[n]))
            return false;
    return are_bytes_equal(a->slice, b->slice, a->slices * sizeof *a->slice) &&
           are_bytes_equal(a->row, b->row, a->slices * sizeof *a->row);
}

static bool are_ops_equal(const struct program *a, const struct program *b)
{
    if (a->ops != b->ops)
        return false;
    for (size_t n = 0; n < a->ops; n++) {
        const struct program_op *x = &a->op[n], *y = &b->op[n];
        if (memcmp(x->name, y->name, sizeof x->name) != 0 || x->layer != y->layer ||
            x->start_cycle != y->start_cycle || x->end_cycle != y->end_cycle)
            return false;
    }
    return true;
}

static bool are_scalars_equal(const struct program *a, const struct program *b)
{
    return a->chip == b->chip && a->length_cycles == b->length_cycles && a->rows == b->rows &&
           a->kv_tile_positions == b->kv_tile_positions &&
           a->vocabulary_first == b->vocabulary_first &&
           a->vocabulary_count == b->vocabulary_count && a->embedding_groups == b->embedding_groups;
}

static bool are_programs_equal(const struct program *a, const struct program *b)
{
    return are_instructions_equal(a, b) && are_tensors_equal(a, b) && are_ops_equal(a, b) &&
           are_scalars_equal(a, b);
}

static void two_compilations_give_the_same_programs(void)
{
    for (int n = 0; n < SHAPES; n++) {
        struct rack first, second;
        rack_compile(&first, &shapes[n]);
        /* Other bytes in memory that is used again must not show. */
        void *used = base_alloc(1 << 20, 1);
        memset(used, 0xa5, 1 << 20);
        base_free(used);
        rack_compile(&second, &shapes[n]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(first.plan);
        CU_ASSERT_PTR_NOT_NULL_FATAL(second.plan);
        for (int32_t c = 0; c < first.topology.chips; c++)
            for (int phase = 0; phase < PARTITION_RUNG; phase++)
                CU_ASSERT_TRUE(
                    are_programs_equal(&first.program[c][phase], &second.program[c][phase]));
        rack_release(&first);
        rack_release(&second);
    }
}

/* One vector on a wire, in cycles and names that both ends share. */
struct slot {
    int32_t chip, link; /* of the sender */
    int64_t departure;
    char tensor[24];
    int32_t layer, sub, index;
};

struct slots {
    struct slot *at;
    size_t count, capacity;
};

static void add_slots(struct slots *slots, const struct program *p,
                      const struct program_instruction *i, struct slot first, int32_t named)
{
    const struct program_operand *o = &p->operand[i->operand + (uint32_t)named];
    const struct program_tensor *t = &p->tensor[o->tensor];
    memcpy(first.tensor, t->name, sizeof first.tensor);
    first.layer = t->layer;
    first.sub = o->sub;
    for (int32_t outer = 0; outer < i->count[1]; outer++)
        for (int32_t inner = 0; inner < i->count[0]; inner++) {
            struct slot s = first;
            s.departure += (int64_t)inner * i->interval[0] + (int64_t)outer * i->interval[1];
            s.index = o->index + inner * o->stride[0] + outer * o->stride[1];
            slots->at = base_grow(slots->at, &slots->capacity, slots->count + 1, sizeof s);
            slots->at[slots->count++] = s;
        }
}

/* All slots of a phase as the senders say, or as the receivers do. */
static struct slots list_slots(const struct rack *rack, int phase, enum program_opcode opcode)
{
    struct slots slots = {0};
    bool sends = opcode == PROGRAM_C2C_SEND;
    for (int32_t c = 0; c < rack->topology.chips; c++) {
        const struct program *p = &rack->program[c][phase];
        for (size_t n = 0; n < p->instructions; n++) {
            const struct program_instruction *i = &p->instruction[n];
            if (i->opcode != opcode)
                continue;
            struct slot s = {.chip = c, .link = i->queue - PROGRAM_QUEUE_SEND};
            s.departure = i->cycle + rack->machine.c2c_send_skew_cycles;
            if (!sends) {
                struct lpu_port far =
                    lpu_topology_peer(&rack->topology, c, i->queue - PROGRAM_QUEUE_RECEIVE);
                s.chip = far.chip;
                s.link = far.link;
                s.departure = i->cycle - rack->machine.c2c_hop_cycles;
            }
            add_slots(&slots, p, i, s, sends ? 0 : 1);
        }
    }
    return slots;
}

static int by_wire_and_time(const void *a, const void *b)
{
    const struct slot *x = a, *y = b;
    if (x->chip != y->chip)
        return x->chip - y->chip;
    if (x->link != y->link)
        return x->link - y->link;
    return x->departure < y->departure ? -1 : x->departure > y->departure;
}

static void sort(struct slots *slots)
{
    if (slots->count)
        qsort(slots->at, slots->count, sizeof *slots->at, by_wire_and_time);
}

static void check_distances(const struct slots *slots)
{
    int64_t least = INT64_MAX;
    for (size_t n = 1; n < slots->count; n++) {
        const struct slot *s = &slots->at[n], *before = s - 1;
        bool same = s->chip == before->chip && s->link == before->link;
        if (same && s->departure - before->departure < least)
            least = s->departure - before->departure;
    }
    CU_ASSERT_TRUE(least >= 24);
    CU_ASSERT_TRUE(slots->count > 0);
}

static bool is_same_vector(const struct slot *a, const struct slot *b)
{
    return by_wire_and_time(a, b) == 0 && strcmp(a->tensor, b->tensor) == 0 &&
           a->layer == b->layer && a->sub == b->sub && a->index == b->index;
}

static void check_ends(const struct slots *sent, const struct slots *received)
{
    CU_ASSERT_EQUAL_FATAL(sent->count, received->count);
    size_t differ = 0;
    for (size_t n = 0; n < sent->count; n++)
        differ += !is_same_vector(&sent->at[n], &received->at[n]);
    CU_ASSERT_EQUAL(differ, 0);
}

static void check_wires(const struct rack *rack, int phase)
{
    struct slots sent = list_slots(rack, phase, PROGRAM_C2C_SEND);
    struct slots received = list_slots(rack, phase, PROGRAM_C2C_RECEIVE);
    sort(&sent);
    sort(&received);
    check_distances(&sent);
    check_ends(&sent, &received);
    base_free(sent.at);
    base_free(received.at);
}

static void vectors_leave_24_cycles_apart_and_arrive_as_they_left(void)
{
    for (int n = 0; n < SHAPES; n++) {
        struct rack rack;
        rack_compile(&rack, &shapes[n]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
        for (int phase = 0; phase < PARTITION_RUNG; phase++)
            check_wires(&rack, phase);
        rack_release(&rack);
    }
}

/* A stage whose rows have several tiles in a quad hands on the first ones while it sums the last.
 */
static void rows_leave_before_their_stage_ends(void)
{
    const struct rack_case c = {.name = "wide, 2 stages of 4 in nodes of 8",
                                .model = &rack_wide,
                                .stages = 2,
                                .group = 4,
                                .nodes = 2,
                                .chips_per_node = 8};
    struct rack rack;
    int64_t first = INT64_MAX;
    rack_compile(&rack, &c);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    struct slots sent = list_slots(&rack, PARTITION_DECODE, PROGRAM_C2C_SEND);
    for (size_t n = 0; n < sent.count; n++) {
        const struct slot *s = &sent.at[n];
        bool leaves = s->chip < 4 && lpu_topology_peer(&rack.topology, s->chip, s->link).chip >= 4;
        first = leaves && s->departure < first ? s->departure : first;
    }
    CU_ASSERT_TRUE(first < plan_stage(rack.plan, 0)->end_cycle[PARTITION_DECODE]);
    base_free(sent.at);
    rack_release(&rack);
}

/* The slot is 23.6 cycles of the wire, rounded up. */
static void a_slot_is_24_cycles(void)
{
    CU_ASSERT_EQUAL(machine_link_slot_cycles(rack_chip()), 24);
}

TEST_MAIN("timetables", TEST(two_compilations_give_the_same_programs),
          TEST(vectors_leave_24_cycles_apart_and_arrive_as_they_left),
          TEST(rows_leave_before_their_stage_ends), TEST(a_slot_is_24_cycles))
