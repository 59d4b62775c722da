/* SPDX-License-Identifier: BSD-3-Clause */
/* A program corrupted in any of the ten ways is found out, by rule, chip, unit, cycle, op and
 * layer. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "rig.h"

enum { VXM = PROGRAM_QUEUE_VXM, MXM = PROGRAM_QUEUE_MXM, SEND = PROGRAM_QUEUE_SEND };
enum { RECEIVE = PROGRAM_QUEUE_RECEIVE, NO_QUEUE = -1, ANY_CYCLE = -1 };

static int32_t tensor_named(const struct program *p, const char *name)
{
    for (size_t n = 0; n < p->tensors; n++)
        if (strcmp(p->tensor[n].name, name) == 0)
            return (int32_t)n;
    CU_FAIL_FATAL("no such tensor");
    return -1;
}

static void queue_issues_while_busy(struct program p[2])
{
    rig_find(&p[0], VXM + 2, 0)->queue = VXM + 3;
    rig_find(&p[0], VXM + 3, 0)->interval[0] = 40;
}

static void stream_passes_a_producer(struct program p[2])
{
    rig_operand(&p[0], 2, 0, 0)->stream = 3;
}

/* A second output like the last operand, behind it in the table. */
static void repeat_last_operand(struct program *p, struct program_instruction *i)
{
    size_t n = (size_t)i->operand + i->inputs + i->outputs;
    p->operand = base_grow(p->operand, &p->operand_capacity, p->operands + 1, sizeof *p->operand);
    memmove(p->operand + n, p->operand + n - 1, (p->operands - n + 1) * sizeof *p->operand);
    for (size_t k = 0; k < p->instructions; k++)
        if (p->instruction[k].operand >= n)
            p->instruction[k].operand++;
    p->operands++;
    i->outputs++;
}

static void stream_is_driven_twice_at_one_place(struct program p[2])
{
    repeat_last_operand(&p[0], rig_find(&p[0], VXM + 1, 0));
}

static void sample_comes_a_cycle_late(struct program p[2])
{
    rig_find(&p[0], MXM, 0)->cycle++;
}

static void sample_expects_another_vector(struct program p[2])
{
    rig_operand(&p[0], VXM, 0, 0)->index = 1;
    rig_operand(&p[0], VXM, 0, 0)->stride[0] = 0;
}

static void sample_expects_another_order(struct program p[2])
{
    struct program_operand *o = rig_operand(&p[0], MXM + 2, 0, 0);
    o->index = 3;
    o->stride[0] = -1;
}

static void result_is_never_sampled(struct program p[2])
{
    rig_find(&p[0], SEND, 0)->count[0] = 3;
}

static void chained_alu_misses_its_source(struct program p[2])
{
    rig_operand(&p[0], VXM + 1, 0, 0)->stream = 7;
}

static void chained_alu_means_another_result(struct program p[2])
{
    rig_operand(&p[0], VXM + 1, 0, 0)->mark = 7;
}

static void bank_is_read_while_written(struct program p[2])
{
    rig_find(&p[0], 50, 1)->cycle = rig_find(&p[0], 50, 0)->cycle + 4;
}

static void read_goes_to_another_row(struct program p[2])
{
    rig_find(&p[0], 7, 0)->address++;
}

static void read_skips_rows(struct program p[2])
{
    rig_find(&p[0], 7, 0)->stride[1]++;
}

static void write_goes_to_another_row(struct program p[2])
{
    rig_find(&p[0], 70, 0)->address++;
}

static void row_is_written_twice(struct program p[2])
{
    rig_find(&p[0], 50, 0)->stride[0] = 0;
    rig_operand(&p[0], 50, 0, 0)->stride[0] = 0;
}

static void tensors_overlap(struct program p[2])
{
    int32_t z = tensor_named(&p[0], "z");
    p[0].slice[p[0].tensor[z].slice] = 50;
    p[0].tensor[z].address = 103;
}

static void read_comes_before_its_write(struct program p[2])
{
    rig_find(&p[0], 50, 0)->address = 101;
    rig_find(&p[0], 50, 0)->count[0] = 3;
    rig_operand(&p[0], 50, 0, 1)->index = 1;
}

static void tensor_is_read_after_its_window(struct program p[2])
{
    p[0].tensor[tensor_named(&p[0], "y")].live_to = 700;
}

static void cache_is_read_before_its_rows_are_there(struct program p[2])
{
    rig_find(&p[0], 60, 0)->argument = 16;
}

static void dump_hits_a_tensor(struct program p[2])
{
    rig_find(&p[0], 61, 0)->limit = 203;
}

static void cache_row_is_another_vector(struct program p[2])
{
    rig_find(&p[0], 60, 0)->argument = 1;
}

static void dump_has_no_rows_of_its_own(struct program p[2])
{
    rig_find(&p[0], 61, 0)->limit = 302;
}

static void mask_begins_at_another_position(struct program p[2])
{
    rig_find(&p[0], 32, 0)->argument++;
}

static void mask_ends_early(struct program p[2])
{
    rig_find(&p[0], 32, 0)->limit--;
}

static void token_comes_from_another_group(struct program p[2])
{
    rig_find(&p[0], 30, 0)->low = 1;
}

static void tokens_stand_farther_apart(struct program p[2])
{
    rig_find(&p[0], 30, 0)->stride[1] = 2;
}

static void table_ends_before_the_row(struct program p[2])
{
    p[0].tensor[tensor_named(&p[0], "cos")].count = 10;
    p[0].tensor[tensor_named(&p[0], "cos")].valid = 10;
}

static void zero_row_is_not_zero(struct program p[2])
{
    p[0].vocabulary_count = 2;
    rig_find(&p[0], 30, 0)->limit = 51;
}

static void install_comes_before_its_load_ends(struct program p[2])
{
    rig_find(&p[0], MXM + 1, 0)->cycle = 119;
}

static void install_expects_other_weights(struct program p[2])
{
    rig_operand(&p[0], MXM + 1, 0, 0)->stride[1] = 10;
}

static void load_brings_rows_for_columns(struct program p[2])
{
    rig_find(&p[0], MXM, 0)->flags |= PROGRAM_ROWS;
}

static void load_fills_a_busy_buffer(struct program p[2])
{
    rig_find(&p[0], MXM + 1, 0)->interval[1] = 30;
    rig_find(&p[0], MXM + 1, 0)->cycle = 125;
}

static void compute_expects_other_weights(struct program p[2])
{
    rig_operand(&p[0], MXM + 2, 0, 1)->index = 1;
}

static void compute_starts_during_an_install(struct program p[2])
{
    rig_find(&p[0], MXM + 1, 0)->cycle = 121;
}

static void accumulator_is_not_initialised(struct program p[2])
{
    rig_find(&p[0], MXM + 2, 0)->flags = PROGRAM_LAST;
}

static void sum_is_never_emitted(struct program p[2])
{
    rig_find(&p[0], MXM + 2, 0)->flags = PROGRAM_FIRST;
}

static void fp16_takes_a_busy_plane(struct program p[2])
{
    struct program_operand in = *rig_operand(&p[0], MXM, 0, 0), half = in;
    half.tensor = rig_tensor(&p[0], "pairs", PROGRAM_TENSOR_TRANSIENT, 2, -1, 0, 1 << 20);
    half.streams = 2;
    rig_op(&p[0], "other", 6);
    for (int32_t plane = 2; plane <= 3; plane++)
        rig_add(&p[0],
                (struct program_instruction){.cycle = plane == 2 ? 99 : 105,
                                             .queue = (uint8_t)(MXM + PROGRAM_MXM_QUEUES * plane),
                                             .opcode = PROGRAM_MXM_LOAD,
                                             .flags = plane == 2 ? PROGRAM_FP16 : 0},
                (struct rig_repeat){{20, 1}, {1, 0}}, plane == 2 ? &half : &in, 1, 0);
    p[0].op[p[0].ops - 1].start_cycle = 0;
    rig_seal(&p[0]);
}

static void vectors_leave_too_close(struct program p[2])
{
    rig_find(&p[0], SEND, 0)->interval[0] = 23;
}

static void second_transfer_takes_the_slot(struct program p[2])
{
    struct program_operand in = *rig_operand(&p[0], SEND, 0, 0);
    rig_add(&p[0],
            (struct program_instruction){.cycle = 880, .queue = SEND, .opcode = PROGRAM_C2C_SEND},
            (struct rig_repeat){{1, 1}, {0, 0}}, &in, 1, 0);
    p[0].instruction[p[0].instructions - 1].op = rig_find(&p[0], SEND, 0)->op;
    rig_seal(&p[0]);
}

static void receive_comes_too_early(struct program p[2])
{
    rig_find(&p[1], RECEIVE, 0)->cycle--;
}

static void ends_name_different_vectors(struct program p[2])
{
    rig_operand(&p[1], RECEIVE, 0, 1)->sub = 1;
}

static void message_is_never_received(struct program p[2])
{
    rig_find(&p[0], SEND, 0)->queue = SEND;
    rig_find(&p[1], RECEIVE, 0)->queue = RECEIVE + 1;
}

static void link_has_no_cable(struct program p[2])
{
    rig_find(&p[0], SEND, 0)->queue = SEND + 5;
}

static void tensor_leaves_the_slice(struct program p[2])
{
    p[0].tensor[tensor_named(&p[0], "w")].address = 8160;
}

static void op_ends_at_another_time(struct program p[2])
{
    p[0].op[1].end_cycle++;
}

static void step_is_longer_than_compiled(struct program p[2])
{
    p[1].length_cycles--;
}

static const struct corruption {
    const char *name;
    void (*corrupt)(struct program pair[2]);
    enum chip_rule rule;
    int32_t chip, queue;
    int64_t cycle;
    const char *op;
    int32_t layer;
} corruptions[] = {
    {"queue issues while busy", queue_issues_while_busy, CHIP_RULE_QUEUE, 0, VXM + 3, 699, "lookup",
     -1},
    {"stream passes a producer", stream_passes_a_producer, CHIP_RULE_STREAM, 0, MXM, 100, "product",
     5},
    {"stream is driven twice at one place", stream_is_driven_twice_at_one_place, CHIP_RULE_STREAM,
     0, VXM + 1, 236, "scaling", 5},
    {"sample comes a cycle late", sample_comes_a_cycle_late, CHIP_RULE_SAMPLE, 0, MXM, 101,
     "product", 5},
    {"sample expects another vector", sample_expects_another_vector, CHIP_RULE_SAMPLE, 0, VXM, 230,
     "scaling", 5},
    {"sample expects another order", sample_expects_another_order, CHIP_RULE_SAMPLE, 0, MXM + 2,
     123, "product", 5},
    {"result is never sampled", result_is_never_sampled, CHIP_RULE_SAMPLE, 0, 50, 820, "depart", 5},
    {"chained ALU misses its source", chained_alu_misses_its_source, CHIP_RULE_SAMPLE, 0, VXM + 1,
     233, "scaling", 5},
    {"chained ALU means another result", chained_alu_means_another_result, CHIP_RULE_SAMPLE, 0,
     VXM + 1, 233, "scaling", 5},
    {"bank is read while written", bank_is_read_while_written, CHIP_RULE_BANK, 0, 50, 246, "swap",
     5},
    {"read goes to another row", read_goes_to_another_row, CHIP_RULE_RESIDENCY, 0, 7, 87, "product",
     5},
    {"read skips rows", read_skips_rows, CHIP_RULE_RESIDENCY, 0, 7, 87, "product", 5},
    {"write goes to another row", write_goes_to_another_row, CHIP_RULE_RESIDENCY, 0, 70, 420,
     "swap", 5},
    {"row is written twice", row_is_written_twice, CHIP_RULE_RESIDENCY, 0, 50, ANY_CYCLE, "scaling",
     5},
    {"tensors overlap", tensors_overlap, CHIP_RULE_RESIDENCY, 0, 50, ANY_CYCLE, "", 5},
    {"read comes before its write", read_comes_before_its_write, CHIP_RULE_RESIDENCY, 0, 50, 358,
     "swap", 5},
    {"tensor is read after its window", tensor_is_read_after_its_window, CHIP_RULE_RESIDENCY, 0, 50,
     816, "depart", 5},
    {"cache is read before its rows are there", cache_is_read_before_its_rows_are_there,
     CHIP_RULE_RESIDENCY, 0, 60, 579, "cache", 5},
    {"dump hits a tensor", dump_hits_a_tensor, CHIP_RULE_RESIDENCY, 0, 61, ANY_CYCLE, "", 5},
    {"cache row is another vector", cache_row_is_another_vector, CHIP_RULE_RESIDENCY, 0, 60, 499,
     "cache", 5},
    {"dump has no rows of its own", dump_has_no_rows_of_its_own, CHIP_RULE_RESIDENCY, 0, 61, 0, "",
     5},
    {"mask begins at another position", mask_begins_at_another_position, CHIP_RULE_RESIDENCY, 0, 32,
     684, "lookup", -1},
    {"mask ends early", mask_ends_early, CHIP_RULE_RESIDENCY, 0, 32, 684, "lookup", -1},
    {"token comes from another group", token_comes_from_another_group, CHIP_RULE_RESIDENCY, 0, 30,
     682, "lookup", -1},
    {"tokens stand farther apart", tokens_stand_farther_apart, CHIP_RULE_RESIDENCY, 0, 30, 682,
     "lookup", -1},
    {"table ends before the row", table_ends_before_the_row, CHIP_RULE_RESIDENCY, 0, 31, 683,
     "lookup", -1},
    {"zero row is not zero", zero_row_is_not_zero, CHIP_RULE_RESIDENCY, 0, 30, 682, "lookup", -1},
    {"install comes before its load ends", install_comes_before_its_load_ends, CHIP_RULE_MXM, 0,
     MXM + 1, 119, "product", 5},
    {"install expects other weights", install_expects_other_weights, CHIP_RULE_MXM, 0, MXM + 1, 146,
     "product", 5},
    {"load brings rows for columns", load_brings_rows_for_columns, CHIP_RULE_MXM, 0, MXM + 1,
     ANY_CYCLE, "product", 5},
    {"load fills a busy buffer", load_fills_a_busy_buffer, CHIP_RULE_MXM, 0, MXM, 126, "product",
     5},
    {"compute expects other weights", compute_expects_other_weights, CHIP_RULE_MXM, 0, MXM + 2, 122,
     "product", 5},
    {"compute starts during an install", compute_starts_during_an_install, CHIP_RULE_MXM, 0,
     MXM + 2, 122, "product", 5},
    {"accumulator is not initialised", accumulator_is_not_initialised, CHIP_RULE_MXM, 0, MXM + 2,
     122, "product", 5},
    {"sum is never emitted", sum_is_never_emitted, CHIP_RULE_MXM, 0, MXM + 2, 151, "product", 5},
    {"fp16 takes a busy plane", fp16_takes_a_busy_plane, CHIP_RULE_MXM, 0,
     MXM + 3 * PROGRAM_MXM_QUEUES, 105, "other", 6},
    {"vectors leave too close", vectors_leave_too_close, CHIP_RULE_LINK, 0, SEND, 823, "depart", 5},
    {"second transfer takes the slot", second_transfer_takes_the_slot, CHIP_RULE_LINK, 0, SEND, 881,
     "depart", 5},
    {"receive comes too early", receive_comes_too_early, CHIP_RULE_MESSAGE, 1, RECEIVE, 1449,
     "arrive", 5},
    {"ends name different vectors", ends_name_different_vectors, CHIP_RULE_MESSAGE, 1, RECEIVE,
     1450, "arrive", 5},
    {"message is never received", message_is_never_received, CHIP_RULE_MESSAGE, 1, RECEIVE + 1,
     1450, "arrive", 5},
    {"link has no cable", link_has_no_cable, CHIP_RULE_MESSAGE, 0, SEND + 5, 800, "depart", 5},
    {"tensor leaves the slice", tensor_leaves_the_slice, CHIP_RULE_CAPACITY, 0, NO_QUEUE, 0, "", 5},
    {"op ends at another time", op_ends_at_another_time, CHIP_RULE_LENGTH, 0, NO_QUEUE, 247,
     "scaling", 5},
    {"step is longer than compiled", step_is_longer_than_compiled, CHIP_RULE_LENGTH, 1, NO_QUEUE,
     1528, "", -1},
};

static bool is_as_said(const struct chip_violation *v, const struct corruption *c)
{
    return v->rule == c->rule && v->chip == c->chip && v->queue == c->queue &&
           (c->cycle == ANY_CYCLE || v->cycle == c->cycle) && strcmp(v->op, c->op) == 0 &&
           v->layer == c->layer;
}

static bool is_found(const struct rig *rig, const struct corruption *c)
{
    for (int32_t chip = 0; chip < 2; chip++) {
        size_t kept;
        int64_t total;
        const struct chip_violation *v = chip_violations(rig->chip[chip], &kept, &total);
        for (size_t n = 0; n < kept; n++)
            if (is_as_said(&v[n], c))
                return true;
    }
    return false;
}

static bool is_found_when_run(const struct corruption *c, const struct lpu_chip *machine)
{
    struct program pair[2];
    struct rig rig;
    struct base_report report = {0};
    rig_pair(pair);
    c->corrupt(pair);
    for (int32_t chip = 0; chip < 2; chip++)
        CU_ASSERT_TRUE(program_is_valid(machine, &pair[chip], &report));
    base_report_print(&report, stderr);
    base_report_release(&report);
    rig_start(&rig, machine);
    rig_step(&rig, pair, 16);
    bool found = is_found(&rig, c);
    if (!found) {
        fprintf(stderr, "not found: %s\n", c->name);
        rig_print(&rig);
    }
    rig_stop(&rig);
    program_release(&pair[0]);
    program_release(&pair[1]);
    return found;
}

static void every_corruption_is_found_with_its_place(void)
{
    bool seen[CHIP_RULES] = {false};
    for (size_t n = 0; n < sizeof corruptions / sizeof corruptions[0]; n++) {
        CU_ASSERT_TRUE(is_found_when_run(&corruptions[n], &rig_machine));
        seen[corruptions[n].rule] = true;
    }
    for (int rule = 1; rule < CHIP_RULES; rule++)
        CU_ASSERT_TRUE(seen[rule]);
}

static void nothing(struct program pair[2])
{
    (void)pair;
}

static void a_queue_holds_only_so_many_instructions(void)
{
    struct lpu_chip small = rig_machine;
    small.queue_capacity_instructions = 3;
    const struct corruption c = {
        "queue is too small", nothing, CHIP_RULE_CAPACITY, 0, 50, 0, "", -1};
    CU_ASSERT_TRUE(is_found_when_run(&c, &small));
}

static void a_violation_reads_as_one_line(void)
{
    const struct chip_violation v = {.rule = CHIP_RULE_SAMPLE,
                                     .chip = 2,
                                     .queue = MXM,
                                     .cycle = 1234,
                                     .layer = 5,
                                     .op = "ffn_down",
                                     .expected = "w[1][7]",
                                     .found = "nothing on stream 3"};
    char *text = chip_violation_text(&v);
    CU_ASSERT_STRING_EQUAL(text, "rule 3 (sample): chip 2, MXM 0 load, cycle 1234, op ffn_down, "
                                 "layer 5: expected w[1][7], found nothing on stream 3");
    base_free(text);
}

TEST_MAIN("chip breaks", TEST(every_corruption_is_found_with_its_place),
          TEST(a_queue_holds_only_so_many_instructions), TEST(a_violation_reads_as_one_line))
