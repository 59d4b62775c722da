/* SPDX-License-Identifier: BSD-3-Clause */
/* An all-reduce over nodes keeps the contract, and every chip ends with the sum over all chips. */
#include "partition/hierarchy.h"

#include "partition/lone.h"
#include "play.h"
#include "rack.h"
#include "test.h"

enum { LANES = 320, ROWS = 3 };

static void start(struct play *play, struct hierarchy *h, int32_t nodes, int32_t per_node,
                  bool values)
{
    const char *why;
    play_open(play, rack_chip(), nodes, per_node, nodes * per_node);
    *h = (struct hierarchy){.chip = rack_chip(), .topology = &play->topology, .rows = ROWS};
    CU_ASSERT_TRUE_FATAL(hierarchy_plan(h, &why));
    for (int32_t c = 0; c < play->chips; c++) {
        struct block b = lone_open(rack_chip());
        hierarchy_emit(h, c, &b);
        play->program[c] = lone_program(&b, c, h->length_cycles);
        block_release(&b);
    }
    play_start(play, values);
}

/* Sums over 36 chips are exact in fp16. */
static float number(int32_t chip, int32_t row, int32_t lane)
{
    return (float)((chip * 13 + row * 7 + lane) % 41 - 20);
}

static void load(struct play *play)
{
    for (int32_t c = 0; c < play->chips; c++)
        for (int32_t row = 0; row < ROWS; row++) {
            float lane[LANES];
            for (int32_t l = 0; l < LANES; l++)
                lane[l] = number(c, row, l);
            const struct chip_number where = {play_tensor(play, c, "part"), 0, row};
            chip_preload(play->chip[c], &play->program[c], &where, lane);
        }
}

static int32_t wrong(const struct play *play, int32_t chip)
{
    int32_t count = 0;
    for (int32_t row = 0; row < ROWS; row++) {
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

static void run(int32_t nodes, int32_t per_node)
{
    struct play play;
    struct hierarchy h;
    start(&play, &h, nodes, per_node, true);
    load(&play);
    struct play_result r = play_step(&play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, h.length_cycles);
    for (int32_t c = 0; c < play.chips; c++)
        CU_ASSERT_EQUAL(wrong(&play, c), 0);
    play_close(&play);
}

static void every_chip_ends_with_the_sum_of_all(void)
{
    run(9, 2);
    run(12, 3);
}

/* Each stage: a hop, the slots of its vectors, and the way from the links to the VXM and back. */
static void chips_256_need_three_hops(void)
{
    const struct lpu_chip *chip = rack_chip();
    int64_t hops = HIERARCHY_STAGES * (int64_t)chip->c2c_hop_cycles;
    int64_t slots = HIERARCHY_STAGES * 2 * ROWS * machine_link_slot_cycles(chip);
    struct play play;
    struct hierarchy h;
    start(&play, &h, 32, 8, false);
    struct play_result r = play_step(&play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_TRUE(r.length_cycles > hops + slots / 2);
    CU_ASSERT_TRUE(r.length_cycles < hops + slots + HIERARCHY_STAGES * 140);
    play_close(&play);
}

static void racks_whose_cables_end_at_few_chips_are_refused(void)
{
    struct play play;
    const char *why = NULL;
    play_open(&play, rack_chip(), 2, 8, 16);
    struct hierarchy h = {.chip = rack_chip(), .topology = &play.topology, .rows = ROWS};
    CU_ASSERT_FALSE(hierarchy_plan(&h, &why));
    CU_ASSERT_PTR_NOT_NULL(why);
    play_close(&play);
}

TEST_MAIN("all-reduce over nodes", TEST(every_chip_ends_with_the_sum_of_all),
          TEST(chips_256_need_three_hops), TEST(racks_whose_cables_end_at_few_chips_are_refused))
