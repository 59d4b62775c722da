/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps that follow each other as the compiler says keep every promise; closer ones do not. */
#include <stdio.h>

#include "base/random.h"
#include "partition/interval.h"
#include "rack.h"
#include "test.h"

/* The tiny model on two stages of two chips, three seats. */
static const struct rack_case pipeline = {
    .name = "two stages", .stages = 2, .group = 2, .prompt = 65, .seats = 3};

static void open_rack(struct rack *rack)
{
    rack_compile(rack, &pipeline);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack->plan);
    rack_start(rack);
}

/* Two steps, the second of another sequence. */
static int64_t violations_at(struct rack *rack, enum partition_phase first,
                             enum partition_phase second, int64_t distance)
{
    struct rack_start pair[2] = {{.cycle = 0, .phase = first},
                                 {.cycle = distance, .phase = second, .cache = 1}};
    return rack_overlap_violations(rack, pair, 2);
}

static void the_interval_is_between_the_busiest_unit_and_a_step(void)
{
    struct rack rack;
    open_rack(&rack);
    struct interval_found f = interval_of(plan_interval(rack.plan));
    int64_t length = plan_length_cycles(rack.plan, PARTITION_DECODE);
    struct partition_seats seats = plan_seats(rack.plan);
    CU_ASSERT_TRUE(f.busiest_cycles > 0 && f.busiest_cycles <= f.cycles[PARTITION_DECODE] &&
                   f.cycles[PARTITION_DECODE] <= length);
    CU_ASSERT_TRUE(f.thing[0] && f.first.name[0] && f.second.name[0]);
    CU_ASSERT_EQUAL(seats.by_time, length / f.cycles[PARTITION_DECODE]);
    CU_ASSERT_EQUAL(seats.placed, 3);
    CU_ASSERT_TRUE(seats.by_sram >= 3);
    rack_release(&rack);
}

static void decode_steps_an_interval_apart_keep_every_promise(void)
{
    struct rack rack;
    struct rack_start start[12] = {{0}};
    open_rack(&rack);
    int64_t p = interval_of(plan_interval(rack.plan)).cycles[PARTITION_DECODE];
    for (int32_t n = 0; n < 12; n++)
        start[n] = (struct rack_start){.cycle = n * p, .cache = n % 3, .position = n / 3};
    CU_ASSERT_EQUAL(rack_overlap_violations(&rack, start, 12), 0);
    rack_violations(&rack);
    rack_release(&rack);
}

/* One cycle less is one too few: the compiler's claim is exact there. */
static void decode_steps_closer_than_the_interval_are_found(void)
{
    struct rack rack;
    open_rack(&rack);
    int64_t p = interval_of(plan_interval(rack.plan)).cycles[PARTITION_DECODE];
    const int64_t distance[] = {1, p / 3, p / 2, p - 100, p - 1};
    for (size_t n = 0; n < sizeof distance / sizeof distance[0]; n++) {
        int64_t found = violations_at(&rack, PARTITION_DECODE, PARTITION_DECODE, distance[n]);
        CU_ASSERT_TRUE(found > 0);
    }
    rack_release(&rack);
}

/* Twelve steps of a kind on three seats of two sequences, `interval` apart. */
static int64_t violations_of_batches(struct rack *rack, enum partition_phase kind, int64_t interval)
{
    struct rack_start start[12] = {{0}};
    for (int32_t n = 0; n < 12; n++)
        start[n] = (struct rack_start){
            .cycle = n * interval, .phase = kind, .cache = n % 3 * 2, .position = n / 3};
    return rack_overlap_violations(rack, start, 12);
}

static void batches_and_buckets_have_intervals_that_are_exact(void)
{
    static const struct rack_case crowded = {.name = "batches and buckets",
                                             .stages = 2,
                                             .group = 2,
                                             .prompt = 65,
                                             .seats = 3,
                                             .batch = 2,
                                             .rung = {64, 128}};
    struct rack rack;
    rack_compile(&rack, &crowded);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rack.plan);
    rack_start(&rack);
    struct interval_found f = interval_of(plan_interval(rack.plan));
    for (enum partition_phase kind = 0; kind < PARTITION_PHASES; kind++) {
        if (kind == PARTITION_PREFILL || !f.cycles[kind])
            continue;
        CU_ASSERT_EQUAL(violations_of_batches(&rack, kind, f.cycles[kind]), 0);
        CU_ASSERT_TRUE(violations_of_batches(&rack, kind, f.cycles[kind] - 1) > 0);
        CU_ASSERT_TRUE(f.mixed_cycles >= f.cycles[kind]);
    }
    CU_ASSERT_TRUE(f.cycles[PARTITION_RUNG] < f.cycles[PARTITION_RUNG + 1]);
    CU_ASSERT_TRUE(f.cycles[PARTITION_RUNG + 1] < f.cycles[PARTITION_DECODE]);
    rack_release(&rack);
}

/* Two steps at nearly the same time break what one machine can do for one step only. */
static void steps_upon_each_other_break_many_rules(void)
{
    static const enum chip_rule rule[] = {CHIP_RULE_QUEUE,     CHIP_RULE_STREAM, CHIP_RULE_BANK,
                                          CHIP_RULE_RESIDENCY, CHIP_RULE_MXM,    CHIP_RULE_LINK};
    bool found[CHIP_RULES] = {false};
    struct rack rack;
    open_rack(&rack);
    for (int64_t distance = 1; distance < 9000; distance += 333) {
        violations_at(&rack, PARTITION_DECODE, PARTITION_DECODE, distance);
        for (size_t n = 0; n < sizeof rule / sizeof rule[0]; n++)
            found[rule[n]] = found[rule[n]] || rack_reported(&rack, rule[n]);
    }
    for (size_t n = 0; n < sizeof rule / sizeof rule[0]; n++) {
        if (!found[rule[n]])
            fprintf(stderr, "rule %d was never reported\n", (int)rule[n]);
        CU_ASSERT_TRUE(found[rule[n]]);
    }
    rack_release(&rack);
}

/* Whatever the table allows, of any two kinds, the chips find nothing against. */
static void allowed_distances_keep_every_promise(void)
{
    struct rack rack;
    open_rack(&rack);
    const struct distances *distances = interval_distances(plan_interval(rack.plan));
    for (uint64_t draw = 0, taken = 0; taken < 40; draw++) {
        enum partition_phase a = draw & 1, b = draw >> 1 & 1;
        int64_t length = plan_length_cycles(rack.plan, a);
        int64_t d = (int64_t)(base_random_u64(7, BASE_RANDOM_TOKEN, 1, draw) % (uint64_t)length);
        if (!distances_allow(distances, a, b, d))
            continue;
        int64_t found = violations_at(&rack, a, b, d);
        if (found)
            fprintf(stderr, "%d then %d, %lld apart: %lld violations\n", a, b, (long long)d,
                    (long long)found);
        CU_ASSERT_EQUAL(found, 0);
        taken++;
    }
    rack_release(&rack);
}

/* Two passes of one prompt, their pipeline overlapping, and the decode steps behind them. */
static void passes_of_one_prompt_follow_each_other(void)
{
    struct rack rack;
    open_rack(&rack);
    struct interval_found f = interval_of(plan_interval(rack.plan));
    int64_t behind = f.cycles[PARTITION_PREFILL] + plan_length_cycles(rack.plan, PARTITION_PREFILL);
    struct rack_start start[] = {
        {.cycle = 0, .phase = PARTITION_PREFILL},
        {.cycle = f.cycles[PARTITION_PREFILL], .phase = PARTITION_PREFILL, .position = 32},
        {.cycle = behind, .position = 64},
        {.cycle = behind + plan_length_cycles(rack.plan, PARTITION_DECODE), .position = 65}};
    CU_ASSERT_TRUE(f.cycles[PARTITION_PREFILL] < plan_length_cycles(rack.plan, PARTITION_PREFILL));
    CU_ASSERT_EQUAL(rack_overlap_violations(&rack, start, 4), 0);
    rack_violations(&rack);
    rack_release(&rack);
}

/* Steps that are far enough apart, of sequences that share one cache by mistake. */
static void two_sequences_in_one_cache_are_found(void)
{
    struct rack rack;
    struct rack_start start[6] = {{0}};
    open_rack(&rack);
    int64_t p = interval_of(plan_interval(rack.plan)).cycles[PARTITION_DECODE];
    for (int32_t n = 0; n < 6; n++)
        start[n] = (struct rack_start){.cycle = n * p, .position = n / 2};
    CU_ASSERT_TRUE(rack_overlap_violations(&rack, start, 6) > 0);
    CU_ASSERT_TRUE(rack_reported(&rack, CHIP_RULE_RESIDENCY));
    rack_release(&rack);
}

static void a_step_that_needs_the_one_before_it_is_found_too_early(void)
{
    struct rack rack;
    struct rack_start start[2] = {{0}};
    open_rack(&rack);
    start[1] = (struct rack_start){
        .cycle = interval_of(plan_interval(rack.plan)).cycles[PARTITION_DECODE], .position = 2};
    CU_ASSERT_TRUE(rack_overlap_violations(&rack, start, 2) > 0);
    CU_ASSERT_TRUE(rack_reported(&rack, CHIP_RULE_RESIDENCY));
    rack_release(&rack);
}

TEST_MAIN("interval", TEST(the_interval_is_between_the_busiest_unit_and_a_step),
          TEST(decode_steps_an_interval_apart_keep_every_promise),
          TEST(decode_steps_closer_than_the_interval_are_found),
          TEST(batches_and_buckets_have_intervals_that_are_exact),
          TEST(steps_upon_each_other_break_many_rules), TEST(allowed_distances_keep_every_promise),
          TEST(passes_of_one_prompt_follow_each_other), TEST(two_sequences_in_one_cache_are_found),
          TEST(a_step_that_needs_the_one_before_it_is_found_too_early))
