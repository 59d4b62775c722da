/* SPDX-License-Identifier: BSD-3-Clause */
/* A compiled program corrupted in any of the ten ways of the contract is found out, by that rule.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "rack.h"

/* Two stages of two: sends and receives inside a group and between stages, several rows a piece. */
static const struct rack_case victim = {.stages = 2, .group = 2, .prompt = 33};

static int64_t last_issue(const struct program_instruction *i)
{
    return i->cycle + (int64_t)(i->count[0] - 1) * i->interval[0] +
           (int64_t)(i->count[1] - 1) * i->interval[1];
}

static int32_t repeats(const struct program_instruction *i)
{
    return i->count[0] * i->count[1];
}

/* The first instruction of the opcode that acts at least `least` times. */
static struct program_instruction *find(struct program *p, enum program_opcode opcode,
                                        int32_t least)
{
    for (size_t n = 0; n < p->instructions; n++)
        if (p->instruction[n].opcode == opcode && repeats(&p->instruction[n]) >= least)
            return &p->instruction[n];
    CU_FAIL_FATAL("no such instruction");
    return NULL;
}

static struct program_operand *operand(struct program *p, const struct program_instruction *i,
                                       int32_t k)
{
    return &p->operand[i->operand + (uint32_t)k];
}

/* The next instruction of a queue comes while the one before still repeats. */
static void issue_while_busy(struct program *p)
{
    for (size_t n = 0; n + 1 < p->instructions; n++) {
        struct program_instruction *i = &p->instruction[n];
        if (i->queue != i[1].queue || last_issue(i) == i->cycle)
            continue;
        i[1].cycle = last_issue(i);
        return;
    }
    CU_FAIL_FATAL("no queue repeats");
}

static bool reads_alike(const struct program *p, const struct program_instruction *a,
                        const struct program_instruction *b)
{
    const struct program_operand *x = &p->operand[a->operand], *y = &p->operand[b->operand];
    int64_t way = y->direction == PROGRAM_EAST ? b->queue - a->queue : a->queue - b->queue;
    return b->opcode == PROGRAM_MEM_READ && a->op == b->op && x->tensor == y->tensor &&
           x->direction == y->direction && way > 0 && b->cycle - a->cycle == way &&
           memcmp(a->count, b->count, sizeof a->count) == 0;
}

/* A slice drives onto the stream on which another, farther upstream, drives at the same time. */
static void drive_onto_a_train(struct program *p)
{
    const struct program_instruction *load = find(p, PROGRAM_MXM_LOAD, 2);
    for (size_t n = 0; n < p->instructions; n++)
        for (size_t k = 0; k < p->instructions; k++) {
            struct program_instruction *a = &p->instruction[n], *b = &p->instruction[k];
            if (a->op != load->op || a->opcode != PROGRAM_MEM_READ || !reads_alike(p, a, b))
                continue;
            operand(p, b, 0)->stream = operand(p, a, 0)->stream;
            return;
        }
    CU_FAIL_FATAL("no two slices drive side by side");
}

/* The walk of the first operand of an opcode that goes anywhere stays where it begins. */
static void stand_still(struct program *p, enum program_opcode opcode)
{
    for (size_t n = 0; n < p->instructions; n++) {
        const struct program_instruction *i = &p->instruction[n];
        struct program_operand *o = operand(p, i, 0);
        if (i->opcode != opcode || o->stride[1] == 0 || i->count[1] < 2)
            continue;
        o->stride[0] = o->stride[1] = 0;
        return;
    }
    CU_FAIL_FATAL("nothing walks");
}

static void sample_the_first_vectors_again(struct program *p)
{
    stand_still(p, PROGRAM_MXM_LOAD);
}

/* Whether a read right behind a write of the same slice finds its bank taken. */
static bool shares_bank(const struct program *p, const struct program_instruction *i)
{
    const struct program_instruction *next = i + 1;
    return i->opcode == PROGRAM_MEM_WRITE && next->queue == i->queue &&
           next->opcode == PROGRAM_MEM_READ && i->address_mode == PROGRAM_ADDRESS_STATIC &&
           next->address_mode == PROGRAM_ADDRESS_STATIC &&
           next < p->instruction + p->instructions && i->address / 4096 == next->address / 4096;
}

static void read_a_bank_that_is_written(struct program *p)
{
    for (size_t n = 0; n + 1 < p->instructions; n++)
        if (shares_bank(p, &p->instruction[n])) {
            p->instruction[n + 1].cycle =
                last_issue(&p->instruction[n]) + rack_chip()->mem_write_skew_cycles;
            return;
        }
    CU_FAIL_FATAL("no slice is read after it was written");
}

static void read_the_next_row(struct program *p)
{
    find(p, PROGRAM_MEM_READ, 2)->address++;
}

static void install_the_first_tile_again(struct program *p)
{
    stand_still(p, PROGRAM_MXM_INSTALL);
}

static void send_a_cycle_too_soon(struct program *p)
{
    struct program_instruction *i = find(p, PROGRAM_C2C_SEND, 2);
    i->interval[i->count[0] > 1 ? 0 : 1]--;
}

static void receive_another_vector(struct program *p)
{
    struct program_instruction *i = find(p, PROGRAM_C2C_RECEIVE, 2);
    operand(p, i, i->outputs - 1)->index ^= 1;
}

static void place_beyond_the_slice(struct program *p)
{
    for (size_t n = 0; n < p->tensors; n++)
        if (p->tensor[n].kind == PROGRAM_TENSOR_WEIGHT) {
            p->tensor[n].address += rack_chip()->vectors_per_slice;
            return;
        }
    CU_FAIL_FATAL("no weights");
}

static void promise_another_end(struct program *p)
{
    p->op[find(p, PROGRAM_MXM_COMPUTE, 1)->op].end_cycle++;
}

static const struct corruption {
    const char *name;
    void (*corrupt)(struct program *p);
    enum chip_rule rule;
    enum partition_phase phase;
} corruptions[] = {
    {"issue while busy", issue_while_busy, CHIP_RULE_QUEUE, PARTITION_DECODE},
    {"drive onto a train", drive_onto_a_train, CHIP_RULE_STREAM, PARTITION_DECODE},
    {"sample the first vectors again", sample_the_first_vectors_again, CHIP_RULE_SAMPLE,
     PARTITION_DECODE},
    {"read a bank that is written", read_a_bank_that_is_written, CHIP_RULE_BANK, PARTITION_DECODE},
    {"read the next row", read_the_next_row, CHIP_RULE_RESIDENCY, PARTITION_DECODE},
    {"install the first tile again", install_the_first_tile_again, CHIP_RULE_MXM, PARTITION_DECODE},
    {"send a cycle too soon", send_a_cycle_too_soon, CHIP_RULE_LINK, PARTITION_PREFILL},
    {"receive another vector", receive_another_vector, CHIP_RULE_MESSAGE, PARTITION_DECODE},
    {"place beyond the slice", place_beyond_the_slice, CHIP_RULE_CAPACITY, PARTITION_DECODE},
    {"promise another end", promise_another_end, CHIP_RULE_LENGTH, PARTITION_DECODE},
};
enum { CORRUPTIONS = sizeof corruptions / sizeof corruptions[0] };

/* Compiles anew, corrupts one program of `chip` and runs a step of its phase. */
static bool is_found(const struct corruption *c, int32_t chip)
{
    struct rack rack;
    rack_compile(&rack, &victim);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    c->corrupt(&rack.program[chip][c->phase]);
    rack_start(&rack);
    rack_step(&rack, c->phase, 0, 3);
    bool found = rack_reported(&rack, c->rule);
    if (!found)
        fprintf(stderr, "not found on chip %d: %s\n", chip, c->name);
    rack_release(&rack);
    return found;
}

static void every_corruption_is_found_by_its_rule(void)
{
    bool seen[CHIP_RULES] = {false};
    for (int n = 0; n < CORRUPTIONS; n++) {
        CU_ASSERT_TRUE(is_found(&corruptions[n], 0));
        CU_ASSERT_TRUE(is_found(&corruptions[n], 3));
        seen[corruptions[n].rule] = true;
    }
    for (int rule = 1; rule < CHIP_RULES; rule++)
        CU_ASSERT_TRUE(seen[rule]);
}

TEST_MAIN("corrupted programs", TEST(every_corruption_is_found_by_its_rule))
