/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings find what passes a position: the nearest drive upstream, as long as it is under way. */
#include "test.h"

#include <string.h>

#include "chip/rings.h"
#include "draw.h"

enum { LANES = 4, WIDTH = 20, SPAN = 60, ROWS = 8 };

static void drive(struct rings *r, struct ring_drive d, int64_t value)
{
    memcpy(rings_drive(r, &d), &value, sizeof value);
}

/* The value that passes, or -1. */
static int64_t sample(const struct rings *r, int32_t lane, int64_t phase, int32_t x,
                      enum program_direction direction)
{
    const void *vector = rings_sample(r, lane, phase, x, direction);
    int64_t value = -1;
    if (vector)
        memcpy(&value, vector, sizeof value);
    return value;
}

static void the_nearest_drive_upstream_wins(void)
{
    struct rings r = rings_create(LANES, SPAN, sizeof(int64_t));
    drive(&r, (struct ring_drive){0, 50, 7, 1, 3}, 30);
    drive(&r, (struct ring_drive){0, 50, 7, 1, 12}, 120);
    drive(&r, (struct ring_drive){0, 50, 7, 1, 8}, 80);
    static const struct {
        int32_t x, east, west;
    } rows[] = {{2, -1, 30}, {3, 30, 30}, {7, 30, 80}, {8, 80, 80}, {11, 80, 120}, {13, 120, -1}};
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        CU_ASSERT_EQUAL(sample(&r, 1, 7, rows[n].x, PROGRAM_EAST), rows[n].east);
        CU_ASSERT_EQUAL(sample(&r, 1, 7, rows[n].x, PROGRAM_WEST), rows[n].west);
    }
    rings_release(&r);
}

static void other_phases_and_lanes_carry_nothing(void)
{
    struct rings r = rings_create(LANES, SPAN, sizeof(int64_t));
    drive(&r, (struct ring_drive){0, 50, 7, 1, 3}, 30);
    CU_ASSERT_EQUAL(sample(&r, 0, 7, 5, PROGRAM_EAST), -1);
    CU_ASSERT_EQUAL(sample(&r, 2, 7, 5, PROGRAM_EAST), -1);
    CU_ASSERT_EQUAL(sample(&r, 1, 6, 5, PROGRAM_EAST), -1);
    CU_ASSERT_EQUAL(sample(&r, 1, 7 + r.places, 5, PROGRAM_EAST), -1); /* the same place */
    CU_ASSERT_EQUAL(sample(&r, 1, 7, 5, PROGRAM_EAST), 30);
    rings_release(&r);
}

static int alive(const struct rings *r)
{
    int count = 0;
    for (const struct ring_node *n = r->oldest; n; n = n->later)
        count++;
    return count;
}

static void a_second_drive_at_one_place_replaces_the_first(void)
{
    struct rings r = rings_create(LANES, SPAN, sizeof(int64_t));
    const struct ring_drive d = {0, 50, 7, 1, 3};
    const int64_t row = 99;
    drive(&r, d, 1);
    drive(&r, d, 2);
    CU_ASSERT_EQUAL(sample(&r, 1, 7, 3, PROGRAM_EAST), 2);
    rings_refer(&r, &d, &row);
    CU_ASSERT_PTR_EQUAL(rings_sample(&r, 1, 7, 3, PROGRAM_EAST), &row);
    drive(&r, d, 3);
    CU_ASSERT_EQUAL(sample(&r, 1, 7, 3, PROGRAM_EAST), 3);
    CU_ASSERT_EQUAL(row, 99);
    CU_ASSERT_EQUAL(alive(&r), 1);
    rings_release(&r);
}

static void drives_make_room_as_soon_as_nobody_can_sample_them(void)
{
    struct rings r = rings_create(LANES, SPAN, sizeof(int64_t));
    drive(&r, (struct ring_drive){0, 10, 1, 0, 0}, 1);
    drive(&r, (struct ring_drive){0, 12, 2, 0, 0}, 2);
    drive(&r, (struct ring_drive){10, 30, 3, 0, 0}, 3);
    CU_ASSERT_EQUAL(alive(&r), 3);
    CU_ASSERT_EQUAL(sample(&r, 0, 1, 5, PROGRAM_EAST), 1);
    drive(&r, (struct ring_drive){11, 31, 4, 0, 0}, 4);
    CU_ASSERT_EQUAL(alive(&r), 3);
    CU_ASSERT_EQUAL(sample(&r, 0, 1, 5, PROGRAM_EAST), -1);
    CU_ASSERT_EQUAL(sample(&r, 0, 2, 5, PROGRAM_EAST), 2);
    rings_clear(&r);
    CU_ASSERT_EQUAL(alive(&r), 0);
    CU_ASSERT_EQUAL(sample(&r, 0, 2, 5, PROGRAM_EAST), -1);
    rings_release(&r);
}

static void referred_rows_keep_their_contents_when_overwritten(void)
{
    struct rings r = rings_create(LANES, SPAN, sizeof(int64_t));
    int64_t row[2] = {5, 6};
    rings_refer(&r, &(struct ring_drive){0, 50, 1, 0, 0}, &row[0]);
    rings_refer(&r, &(struct ring_drive){0, 50, 2, 0, 0}, &row[1]);
    rings_refer(&r, &(struct ring_drive){0, 50, 3, 1, 4}, &row[0]);
    rings_settle(&r, &row[0]);
    row[0] = 50, row[1] = 60;
    CU_ASSERT_EQUAL(sample(&r, 0, 1, 9, PROGRAM_EAST), 5);
    CU_ASSERT_EQUAL(sample(&r, 1, 3, 9, PROGRAM_EAST), 5);
    CU_ASSERT_EQUAL(sample(&r, 0, 2, 9, PROGRAM_EAST), 60); /* was not settled */
    rings_refer(&r, &(struct ring_drive){0, 50, 4, 0, 0}, &row[0]);
    CU_ASSERT_EQUAL(sample(&r, 0, 4, 9, PROGRAM_EAST), 50);
    rings_release(&r);
}

TEST_MAIN("rings", TEST(the_nearest_drive_upstream_wins),
          TEST(other_phases_and_lanes_carry_nothing),
          TEST(a_second_drive_at_one_place_replaces_the_first),
          TEST(drives_make_room_as_soon_as_nobody_can_sample_them),
          TEST(referred_rows_keep_their_contents_when_overwritten))
