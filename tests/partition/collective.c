/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives of a node: they keep the contract, and every chip ends with the right numbers. */
#include "partition/collective.h"

#include <stdio.h>

#include "base/random.h"
#include "partition/lone.h"
#include "play.h"
#include "rack.h"
#include "test.h"

enum { LANES = 320 };

static const struct {
    int32_t group, rows;
} sizes[] = {{8, 1}, {8, 8},  {8, 16}, {8, 100}, {8, 400},
             {2, 6}, {3, 10}, {4, 4},  {5, 61},  {7, 14}};

enum { SIZES = sizeof sizes / sizeof *sizes };

static void start(struct play *play, const struct collective *c)
{
    int64_t end = 0;
    play_open(play, c->chip, 1, 8, c->group);
    for (int32_t rank = 0; rank < c->group; rank++) {
        struct block b = lone_open(c->chip);
        collective_emit(c, rank, &b);
        if (rank)
            CU_ASSERT_EQUAL(b.end, end);
        end = b.end;
        play->program[rank] = lone_program(&b, rank, b.end);
        block_release(&b);
    }
    play_start(play, true);
}

/* What chip `rank` contributes to a lane: sums over 8 chips are exact in fp16, or large numbers
 * cancel between which small ones are lost in some orders. */
static bool exact = true;

static float number(int32_t rank, int32_t shard, int32_t row, int32_t lane)
{
    float n = (float)((rank * 31 + shard * 17 + row * 7 + lane) % 61 - 30);
    if (exact)
        return n;
    return rank == 0 ? 50000.0f : rank == 2 ? -50000.0f : n / 4096.0f;
}

static void load(struct play *play, int32_t rank, const char *name, int32_t shard, int32_t rows)
{
    int32_t tensor = play_tensor(play, rank, name);
    if (tensor < 0)
        return;
    for (int32_t row = 0; row < rows; row++) {
        float lane[LANES];
        for (int32_t l = 0; l < LANES; l++)
            lane[l] = number(rank, shard, row, l);
        const struct chip_number where = {tensor, 0, row};
        chip_preload(play->chip[rank], &play->program[rank], &where, lane);
    }
}

/* Lanes of a shard on one chip that are not the sum over ranks [from, to). */
static int32_t wrong(const struct play *play, int32_t chip, int32_t shard, int32_t rows,
                     int32_t from, int32_t to)
{
    char name[24];
    int32_t count = 0;
    snprintf(name, sizeof name, "sum.%d", (int)shard);
    const struct chip_number at = {play_tensor(play, chip, name), 0, 0};
    CU_ASSERT_TRUE_FATAL(at.tensor >= 0);
    for (int32_t row = 0; row < rows; row++) {
        float lane[LANES];
        const struct chip_number where = {at.tensor, 0, row};
        chip_peek(play->chip[chip], &play->program[chip], &where, lane);
        for (int32_t l = 0; l < LANES; l++) {
            float want = 0;
            for (int32_t rank = from; rank < to; rank++)
                want += number(rank, shard, row, l);
            count += lane[l] != want;
        }
    }
    return count;
}

/* Whether chip `rank` ends with shard `shard`. */
static bool holds(const struct collective *c, int32_t rank, int32_t shard)
{
    switch (c->kind) {
    case COLLECTIVE_ALL_GATHER:
        return shard != rank;
    case COLLECTIVE_REDUCE_SCATTER:
        return shard == rank;
    case COLLECTIVE_ALL_REDUCE:
        return true;
    default:
        return shard == 0;
    }
}

static void check_numbers(const struct play *play, const struct collective *c)
{
    bool gather = c->kind == COLLECTIVE_ALL_GATHER;
    for (int32_t rank = 0; rank < c->group; rank++)
        for (int32_t shard = 0; shard < c->group; shard++)
            if (holds(c, rank, shard))
                CU_ASSERT_EQUAL(wrong(play, rank, shard, collective_shard_rows(c),
                                      gather ? shard : 0, gather ? shard + 1 : c->group),
                                0);
}

/* Loads all parts of all chips, runs, and holds the length against what was compiled. */
static void play_out(struct play *play, const struct collective *c)
{
    start(play, c);
    for (int32_t rank = 0; rank < c->group; rank++) {
        load(play, rank, "part", rank, collective_shard_rows(c));
        for (int32_t shard = 0; shard < c->group; shard++) {
            char name[24];
            snprintf(name, sizeof name, "part.%d", (int)shard);
            load(play, rank, name, shard, collective_shard_rows(c));
        }
    }
    struct play_result r = play_step(play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, collective_cycles(c));
    CU_ASSERT_TRUE(r.length_cycles > c->chip->c2c_hop_cycles);
}

static void run_on(const struct lpu_chip *chip, enum collective_kind kind, int32_t group,
                   int32_t rows)
{
    struct collective c = {chip, kind, group, rows};
    struct play play;
    play_out(&play, &c);
    check_numbers(&play, &c);
    play_close(&play);
}

static void run_sizes(enum collective_kind kind)
{
    for (int n = 0; n < SIZES; n++)
        run_on(rack_chip(), kind, sizes[n].group, sizes[n].rows);
}

static void an_all_gather_brings_every_shard_to_every_chip(void)
{
    run_sizes(COLLECTIVE_ALL_GATHER);
}

static void a_reduce_scatter_leaves_the_sum_of_its_shard_on_each_chip(void)
{
    run_sizes(COLLECTIVE_REDUCE_SCATTER);
}

static void an_all_reduce_leaves_all_sums_on_all_chips(void)
{
    run_sizes(COLLECTIVE_ALL_REDUCE);
}

static void a_one_shot_all_reduce_leaves_all_sums_on_all_chips(void)
{
    run_sizes(COLLECTIVE_ONE_SHOT);
}

static int32_t draw(uint64_t entity, uint64_t n, int32_t count)
{
    return (int32_t)(base_random_u64(14, BASE_RANDOM_TOKEN, entity, n) % (uint64_t)count);
}

static void random_groups_and_rows_keep_all_promises(void)
{
    enum { CASES = 24, MOST_ROWS = 240 };
    for (uint64_t n = 0; n < CASES; n++)
        run_on(rack_chip(), (enum collective_kind)draw(n, 0, COLLECTIVE_ONE_SHOT + 1),
               2 + draw(n, 1, 7), 1 + draw(n, 2, MOST_ROWS));
}

/* Slots shorter than SRAM takes to give back what it has just taken. */
static void links_may_be_faster_than_memory(void)
{
    struct lpu_chip chip = *rack_chip();
    for (int64_t times = 4; times <= 16; times *= 2) {
        chip.c2c_bits_per_s = times * rack_chip()->c2c_bits_per_s;
        for (enum collective_kind kind = 0; kind <= COLLECTIVE_ONE_SHOT; kind++) {
            run_on(&chip, kind, 8, 12);
            run_on(&chip, kind, 4, 300);
        }
    }
}

/* Lanes of a chip's shard 0 that are not those of chip 0, to the bit. */
static int32_t other_bits(const struct play *play, int32_t chip, int32_t rows)
{
    int32_t count = 0;
    for (int32_t row = 0; row < rows; row++) {
        float lane[2][LANES];
        for (int32_t k = 0; k < 2; k++) {
            int32_t c = k ? chip : 0;
            const struct chip_number where = {play_tensor(play, c, "sum.0"), 0, row};
            chip_peek(play->chip[c], &play->program[c], &where, lane[k]);
        }
        for (int32_t l = 0; l < LANES; l++)
            count += lane[0][l] < lane[1][l] || lane[0][l] > lane[1][l];
    }
    return count;
}

static void all_chips_of_a_group_round_alike(void)
{
    exact = false;
    for (int32_t group = 3; group <= 8; group++) {
        struct collective c = {rack_chip(), COLLECTIVE_ONE_SHOT, group, 4};
        struct play play;
        play_out(&play, &c);
        for (int32_t chip = 1; chip < group; chip++)
            CU_ASSERT_EQUAL(other_bits(&play, chip, c.rows), 0);
        play_close(&play);
    }
    exact = true;
}

static void few_rows_go_in_one_hop_and_many_in_two(void)
{
    struct collective few = {rack_chip(), COLLECTIVE_ALL_REDUCE, 8, 2}, many = few;
    many.rows = 4096;
    CU_ASSERT_EQUAL(collective_best_reduce(&few), COLLECTIVE_ONE_SHOT);
    CU_ASSERT_EQUAL(collective_best_reduce(&many), COLLECTIVE_ALL_REDUCE);
    many.kind = COLLECTIVE_ONE_SHOT, few.kind = COLLECTIVE_ALL_REDUCE;
    CU_ASSERT_TRUE(collective_cycles(&few) > 2 * few.chip->c2c_hop_cycles);
    CU_ASSERT_TRUE(collective_cycles(&many) > 4096 * 2 * machine_link_slot_cycles(many.chip));
}

/* One reduction is one hop or two, two gathers are two: widths and tokens decide. */
static void what_a_split_costs_follows_from_its_collectives(void)
{
    const struct lpu_chip *chip = rack_chip();
    struct collective_split narrow = collective_split_cost(chip, 8, 1, 1000, 320),
                            wide = collective_split_cost(chip, 8, 1, 28672, 28672);
    CU_ASSERT_TRUE(narrow.by_rows < narrow.by_columns);
    CU_ASSERT_TRUE(narrow.by_rows > chip->c2c_hop_cycles);
    CU_ASSERT_TRUE(narrow.by_columns > 2 * chip->c2c_hop_cycles);
    CU_ASSERT_TRUE(wide.by_rows > narrow.by_rows && wide.by_columns > narrow.by_columns);
}

/* Two phases of many rows: links are busy all the time but for the ways in and out. */
static void long_collectives_fill_the_links(void)
{
    struct collective c = {rack_chip(), COLLECTIVE_ALL_REDUCE, 8, 8192};
    int64_t slots = 2 * 2 * collective_shard_rows(&c) * machine_link_slot_cycles(c.chip);
    CU_ASSERT_TRUE(collective_cycles(&c) < slots + slots / 20 + 2 * c.chip->c2c_hop_cycles);
    CU_ASSERT_TRUE(collective_cycles(&c) >= slots + c.chip->c2c_hop_cycles);
}

TEST_MAIN("collectives", TEST(an_all_gather_brings_every_shard_to_every_chip),
          TEST(a_reduce_scatter_leaves_the_sum_of_its_shard_on_each_chip),
          TEST(an_all_reduce_leaves_all_sums_on_all_chips),
          TEST(a_one_shot_all_reduce_leaves_all_sums_on_all_chips),
          TEST(random_groups_and_rows_keep_all_promises), TEST(links_may_be_faster_than_memory),
          TEST(all_chips_of_a_group_round_alike), TEST(few_rows_go_in_one_hop_and_many_in_two),
          TEST(what_a_split_costs_follows_from_its_collectives),
          TEST(long_collectives_fill_the_links))
