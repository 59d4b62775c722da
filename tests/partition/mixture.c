/* SPDX-License-Identifier: BSD-3-Clause */
/* Experts that rows choose complete addresses and nothing else; whatever chooses otherwise than the
 * program says is found. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "rack.h"

static const struct rack_case pair = {.model = &rack_mixture, .stages = 1, .group = 2};

/* The choice of each slot follows from `first`: see rack.c. */
static void every_routing_takes_the_compiled_length(void)
{
    struct rack rack;
    rack_compile(
        &rack, &(struct rack_case){.model = &rack_mixture, .stages = 2, .group = 2, .prompt = 33});
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    rack_start(&rack);
    rack_prompt(&rack);
    for (int32_t n = 0; n < 12; n++)
        CU_ASSERT_EQUAL(rack_step(&rack, PARTITION_DECODE, 32 + n, 41 * n),
                        plan_length_cycles(rack.plan, PARTITION_DECODE));
    CU_ASSERT_EQUAL(rack_violations(&rack), 0);
    rack_release(&rack);
}

/* Begins a decode step with these experts; whether it may. */
static bool begins(struct rack *rack, const int32_t *expert, int32_t layers)
{
    static const int32_t token[1] = {3};
    const struct program *p = &rack->program[0][PARTITION_DECODE];
    const struct program_runtime runtime = {
        .token = token, .tokens = 1, .expert = expert, .expert_layers = layers};
    return chip_begin(rack->chip[0], p, &runtime, 0, &rack->report);
}

static void experts_that_do_not_fit_are_refused(void)
{
    static const int32_t right[10] = {0, 1, 2, 3, 11, 0, 1, 2, 3, 4},
                         high[10] = {0, 1, 2, 3, 4, 0, 1, 12, 3, 4},
                         low[10] = {-1, 1, 2, 3, 4, 0, 1, 2, 3, 4};
    const struct {
        const int32_t *expert;
        int32_t layers;
        const char *why;
    } wrong[] = {{NULL, 2, "takes experts of 2 layers, not 0"},
                 {right, 1, "takes experts of 2 layers, not 1"},
                 {high, 2, "expert 12 for slot 2 of layer 1; there are 12"},
                 {low, 2, "expert -1 for slot 0 of layer 0; there are 12"}};
    struct rack rack;
    rack_compile(&rack, &pair);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    rack_start(&rack);
    for (size_t n = 0; n < sizeof wrong / sizeof wrong[0]; n++) {
        CU_ASSERT_FALSE(begins(&rack, wrong[n].expert, wrong[n].layers));
        CU_ASSERT_EQUAL_FATAL(rack.report.count, n + 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(rack.report.message[n], wrong[n].why));
    }
    CU_ASSERT_TRUE(begins(&rack, right, 2));
    rack_release(&rack);
}

/* The first read by experts whose stream carries more than one vector of a slot. */
static struct program_instruction *find_read(struct program *p)
{
    for (size_t n = 0; n < p->instructions; n++)
        if (p->instruction[n].address_mode == PROGRAM_ADDRESS_EXPERT && p->instruction[n].width > 1)
            return &p->instruction[n];
    CU_FAIL_FATAL("no read by experts");
    return NULL;
}

static struct program_operand *operand_of(struct program *p, const struct program_instruction *i,
                                          uint32_t k)
{
    return &p->operand[i->operand + k];
}

static void another_slot(struct program *p)
{
    struct program_instruction *i = find_read(p);
    i->count[1] -= i->width;
    i->low++;
}

static void another_stride(struct program *p)
{
    find_read(p)->limit--;
}

static void another_vector(struct program *p)
{
    find_read(p)->address++;
}

static void another_label(struct program *p)
{
    operand_of(p, find_read(p), 0)->index++;
}

static void other_ids(struct program *p)
{
    struct program_operand *ids = operand_of(p, find_read(p), 1);
    for (size_t n = 0; n < p->tensors; n++)
        if (strcmp(p->tensor[n].name, "expert.weight") == 0)
            ids->tensor = (int32_t)n;
}

static void other_repeats_a_slot(struct program *p)
{
    find_read(p)->width--;
}

static bool writes_ids(struct program *p, const struct program_instruction *i, int32_t ids)
{
    return i->opcode == PROGRAM_MEM_WRITE && operand_of(p, i, 1)->tensor == ids;
}

/* The ids are there, but a cycle too late to reach the queues. */
static void too_late(struct program *p)
{
    const struct program_instruction *read = find_read(p);
    int32_t ids = operand_of(p, read, 1)->tensor;
    int64_t known = read->cycle - program_expert_delay_cycles(rack_chip());
    size_t n = 0;
    while (n < p->instructions && !writes_ids(p, &p->instruction[n], ids))
        n++;
    CU_ASSERT_FATAL(n + 1 < p->instructions);
    p->instruction[n].cycle = known;
    for (; n + 1 < p->instructions && p->instruction[n + 1].queue == p->instruction[n].queue &&
           p->instruction[n + 1].cycle < p->instruction[n].cycle;
         n++) {
        struct program_instruction later = p->instruction[n];
        p->instruction[n] = p->instruction[n + 1];
        p->instruction[n + 1] = later;
    }
}

static void check_change(void (*change)(struct program *p), enum chip_rule rule)
{
    struct rack rack;
    struct base_report report = {0};
    rack_compile(&rack, &pair);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    struct program *p = &rack.program[1][PARTITION_DECODE];
    change(p);
    if (program_is_valid(&rack.machine, p, &report)) {
        rack_start(&rack);
        rack_step(&rack, PARTITION_DECODE, 0, 1);
        CU_ASSERT_TRUE(rack_reported(&rack, rule));
    } else {
        CU_ASSERT_EQUAL(rule, CHIP_RULES);
        if (rule != CHIP_RULES)
            base_report_print(&report, stderr);
    }
    base_report_release(&report);
    rack_release(&rack);
}

static void reads_that_choose_otherwise_are_found(void)
{
    check_change(another_slot, CHIP_RULE_RESIDENCY);
    check_change(another_stride, CHIP_RULE_RESIDENCY);
    check_change(another_vector, CHIP_RULE_RESIDENCY);
    check_change(another_label, CHIP_RULE_RESIDENCY);
    check_change(other_ids, CHIP_RULE_RESIDENCY);
    check_change(other_repeats_a_slot, CHIP_RULES);
    check_change(too_late, CHIP_RULE_RESIDENCY);
}

TEST_MAIN("mixtures of experts", TEST(every_routing_takes_the_compiled_length),
          TEST(experts_that_do_not_fit_are_refused), TEST(reads_that_choose_otherwise_are_found))
