/* SPDX-License-Identifier: BSD-3-Clause */
/* Wires carry one train at a time, trains start as early as they can, and ways book all their
 * wires. */
#include "test.h"

#include "base/random.h"
#include "interconnect/timetable.h"

enum { SLOT = 24, WIRES = 5 };

static void a_free_wire_takes_a_train_at_once(void)
{
    struct timetable *t = timetable_create(WIRES, SLOT);
    CU_ASSERT_EQUAL(timetable_earliest(t, 2, 100, 7), 100);
    CU_ASSERT_TRUE(timetable_book(t, 2, 100, 7));
    CU_ASSERT_EQUAL(timetable_booked_cycles(t, 2), 7 * SLOT);
    CU_ASSERT_EQUAL(timetable_booked_cycles(t, 1), 0);
    timetable_release(t);
}

static void a_taken_slot_is_refused_and_the_next_free_one_found(void)
{
    struct timetable *t = timetable_create(WIRES, SLOT);
    CU_ASSERT_TRUE(timetable_book(t, 0, 100, 2));
    CU_ASSERT_FALSE(timetable_book(t, 0, 147, 1));
    CU_ASSERT_FALSE(timetable_book(t, 0, 77, 1));
    CU_ASSERT_TRUE(timetable_book(t, 0, 76, 1));
    CU_ASSERT_EQUAL(timetable_earliest(t, 0, 60, 1), 148);
    CU_ASSERT_EQUAL(timetable_earliest(t, 0, 0, 3), 0);
    CU_ASSERT_EQUAL(timetable_earliest(t, 0, 0, 4), 148);
    CU_ASSERT_TRUE(timetable_is_valid(t));
    timetable_release(t);
}

static void a_way_starts_when_its_last_wire_allows(void)
{
    const struct timetable_leg leg[2] = {{0, 0}, {1, 652}};
    struct timetable *t = timetable_create(WIRES, SLOT);
    CU_ASSERT_TRUE(timetable_book(t, 1, 660, 1));
    CU_ASSERT_EQUAL(timetable_book_way(t, leg, 2, 0, 2), 684 - 652);
    CU_ASSERT_EQUAL(timetable_booked_cycles(t, 0), 2 * SLOT);
    CU_ASSERT_EQUAL(timetable_booked_cycles(t, 1), 3 * SLOT);
    timetable_release(t);
}

static void random_ways_never_overlap_and_lose_no_slot(void)
{
    struct timetable *t = timetable_create(WIRES, SLOT);
    int64_t cycles[WIRES] = {0};
    for (uint64_t n = 0; n < 2000; n++) {
        uint64_t draw = base_random_u64(7, BASE_RANDOM_LINK, 0, n);
        int32_t vectors = 1 + (int32_t)(draw % 20), first = (int32_t)(draw >> 8) % WIRES;
        const struct timetable_leg leg[2] = {{first < 0 ? -first : first, 0},
                                             {(first < 0 ? -first : first) / 2, 650}};
        size_t legs = leg[0].wire == leg[1].wire ? 1 : 2;
        int64_t from = (int64_t)(draw >> 40) % 10000;
        CU_ASSERT_TRUE(timetable_book_way(t, leg, legs, from, vectors) >= from);
        for (size_t k = 0; k < legs; k++)
            cycles[leg[k].wire] += vectors * SLOT;
    }
    CU_ASSERT_TRUE(timetable_is_valid(t));
    for (int32_t w = 0; w < WIRES; w++)
        CU_ASSERT_EQUAL(timetable_booked_cycles(t, w), cycles[w]);
    timetable_release(t);
}

TEST_MAIN("timetable", TEST(a_free_wire_takes_a_train_at_once),
          TEST(a_taken_slot_is_refused_and_the_next_free_one_found),
          TEST(a_way_starts_when_its_last_wire_allows),
          TEST(random_ways_never_overlap_and_lose_no_slot))
