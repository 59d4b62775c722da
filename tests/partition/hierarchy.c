/* SPDX-License-Identifier: BSD-3-Clause */
/* An all-reduce over nodes keeps the contract, and every chip ends with the sum over all chips. */
#include "partition/hierarchy.h"

#include "base/random.h"
#include "partition/lone.h"
#include "play.h"
#include "rack.h"
#include "test.h"

enum { LANES = 320 };

static void start(struct play *play, struct hierarchy *h, int32_t nodes, int32_t per_node,
                  int32_t rows, bool values)
{
    const char *why;
    play_open(play, rack_chip(), nodes, per_node, nodes * per_node);
    *h = (struct hierarchy){.chip = rack_chip(), .topology = &play->topology, .rows = rows};
    CU_ASSERT_TRUE_FATAL(hierarchy_plan(h, &why));
    for (int32_t c = 0; c < play->chips; c++) {
        struct block b = lone_open(rack_chip());
        hierarchy_emit(h, c, &b);
        play->program[c] = lone_program(&b, c, h->length_cycles);
        block_release(&b);
    }
    play_start(play, values);
}

/* Sums over 264 chips are exact in fp16. */
static float number(int32_t chip, int32_t row, int32_t lane)
{
    return (float)((chip * 13 + row * 7 + lane) % 15 - 7);
}

static void load(struct play *play, int32_t rows)
{
    for (int32_t c = 0; c < play->chips; c++)
        for (int32_t row = 0; row < rows; row++) {
            float lane[LANES];
            for (int32_t l = 0; l < LANES; l++)
                lane[l] = number(c, row, l);
            const struct chip_number where = {play_tensor(play, c, "part"), 0, row};
            chip_preload(play->chip[c], &play->program[c], &where, lane);
        }
}

static int32_t wrong(const struct play *play, int32_t chip, int32_t rows)
{
    int32_t count = 0;
    for (int32_t row = 0; row < rows; row++) {
        float lane[LANES];
        const struct chip_number where = {play_tensor(play, chip, "sum"), 0, row};
        chip_peek(play->chip[chip], &play->program[chip], &where, lane);
        for (int32_t l = 0; l < LANES; l++) {
            float want = 0;
            for (int32_t c = 0; c < play->chips; c++)
                want += number(c, row, l);
            count += lane[l] != want;
        }
    }
    return count;
}

static void run(int32_t nodes, int32_t per_node, int32_t rows)
{
    struct play play;
    struct hierarchy h;
    start(&play, &h, nodes, per_node, rows, true);
    load(&play, rows);
    struct play_result r = play_step(&play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, h.length_cycles);
    for (int32_t c = 0; c < play.chips; c++)
        CU_ASSERT_EQUAL(wrong(&play, c, rows), 0);
    play_close(&play);
}

/* Nodes that take several sums a chip, with as many cables as nodes or twice as many. */
static void chips_add_what_they_take(void)
{
    run(9, 2, 3);
    run(12, 3, 3);
    run(7, 4, 2);
    run(16, 8, 2);
    run(33, 8, 1);
}

/* At most one sum a chip, and chips that take none. */
static void a_single_sum_is_forwarded_as_it_comes(void)
{
    run(2, 8, 3);
    run(3, 2, 3);
    run(8, 8, 2);
    run(9, 8, 2);
}

static void rows_that_the_links_cannot_take_at_once_go_in_waves(void)
{
    struct play play;
    struct hierarchy h;
    start(&play, &h, 4, 2, 40, false);
    int64_t again = h.stage[HIERARCHY_STAGES - 1].departs;
    CU_ASSERT_TRUE(hierarchy_departure(&h, 1) - h.start == h.period);
    CU_ASSERT_TRUE(hierarchy_departure(&h, 39) - h.start > again);
    play_close(&play);
    run(4, 2, 40);
    run(9, 2, 70);
}

static int32_t draw(uint64_t entity, uint64_t n, int32_t count)
{
    return (int32_t)(base_random_u64(13, BASE_RANDOM_TOKEN, entity, n) % (uint64_t)count);
}

/* As many nodes as their cables join. */
static void random_racks_are_summed(void)
{
    enum { CASES = 12, MOST_CHIPS = 120 };
    for (uint64_t n = 0; n < CASES; n++) {
        int32_t per_node = 2 + draw(n, 0, 7), nodes = 2 + draw(n, 1, 4 * per_node);
        nodes = nodes * per_node > MOST_CHIPS ? MOST_CHIPS / per_node : nodes;
        run(nodes, per_node, 1 + draw(n, 2, 1 + 400 / (nodes * per_node)));
    }
}

static int64_t length(int32_t nodes, int32_t rows)
{
    struct play play;
    struct hierarchy h;
    start(&play, &h, nodes, 8, rows, false);
    struct play_result r = play_step(&play);
    CU_ASSERT_EQUAL(r.violations, 0);
    play_close(&play);
    return r.length_cycles;
}

/* Each sum: the slot of the second plane, half of the chip and back, the tree; beside them the ways
 * between links and SRAM. */
static void all_of_256_chips_take_three_hops_and_half_a_chip_five_times(void)
{
    enum { TREES = 24, WAYS = 13 };
    const struct lpu_chip *chip = rack_chip();
    int64_t slot = machine_link_slot_cycles(chip), half = chip->mem_slices_per_hemisphere + 1;
    int64_t row = HIERARCHY_STAGES * (chip->c2c_hop_cycles + slot) + 5 * half + TREES + WAYS;
    CU_ASSERT_EQUAL(length(32, 1), row);
    CU_ASSERT_EQUAL(length(32, 4), row + 3 * 2 * slot);
    CU_ASSERT_TRUE(length(8, 1) <= row - slot - 2 * half);
}

static void what_is_no_rack_of_nodes_is_refused(void)
{
    struct play play;
    const char *why = NULL;
    play_open(&play, rack_chip(), 1, 8, 8);
    struct hierarchy h = {.chip = rack_chip(), .topology = &play.topology, .rows = 1};
    CU_ASSERT_FALSE(hierarchy_plan(&h, &why));
    CU_ASSERT_PTR_NOT_NULL(why);
    play_close(&play);
}

TEST_MAIN("all-reduce over nodes", TEST(chips_add_what_they_take),
          TEST(a_single_sum_is_forwarded_as_it_comes),
          TEST(rows_that_the_links_cannot_take_at_once_go_in_waves), TEST(random_racks_are_summed),
          TEST(all_of_256_chips_take_three_hops_and_half_a_chip_five_times),
          TEST(what_is_no_rack_of_nodes_is_refused))
