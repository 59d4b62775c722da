/* SPDX-License-Identifier: BSD-3-Clause */
/* SRAM holds what was written, row by row, and tells contents apart. */
#include "test.h"

#include <string.h>

#include "chip/contents.h"
#include "draw.h"

/* 130 rows are two whole pages and a part of one; 12 bytes are no whole number of words. */
enum { SLICES = 3, ROWS = 130, BYTES = 12 };

static const uint8_t nothing[BYTES];

static void write(struct contents *c, int32_t slice, int64_t row, uint8_t value)
{
    memset(contents_row(c, slice, row), value, BYTES);
}

static bool holds(const struct contents *c, int32_t slice, int64_t row, uint8_t value)
{
    uint8_t want[BYTES];
    memset(want, value, BYTES);
    return memcmp(contents_look(c, slice, row), want, BYTES) == 0;
}

static void rows_are_zero_until_written_and_apart_afterwards(void)
{
    struct contents c = contents_create(SLICES, ROWS, BYTES);
    int wrong = 0;
    for (int32_t n = 0; n < SLICES * ROWS; n++)
        wrong += !holds(&c, n / ROWS, n % ROWS, 0);
    for (int32_t n = 0; n < SLICES * ROWS; n += 2)
        write(&c, n / ROWS, n % ROWS, (uint8_t)(1 + n % 251));
    for (int32_t n = 0; n < SLICES * ROWS; n++)
        wrong += !holds(&c, n / ROWS, n % ROWS, (uint8_t)(n % 2 ? 0 : 1 + n % 251));
    CU_ASSERT_EQUAL(wrong, 0);
    contents_release(&c);
}

static void rows_beyond_the_slices_read_as_zero_and_take_nothing(void)
{
    static const int32_t outside[][2] = {{-1, 0}, {SLICES, 0}, {0, -1}, {0, ROWS}, {2, 1 << 30}};
    struct contents c = contents_create(SLICES, ROWS, BYTES);
    for (size_t n = 0; n < sizeof outside / sizeof outside[0]; n++) {
        const int32_t *at = outside[n];
        CU_ASSERT_PTR_NULL(contents_row(&c, at[0], at[1]));
        CU_ASSERT_EQUAL(memcmp(contents_look(&c, at[0], at[1]), nothing, BYTES), 0);
        CU_ASSERT_EQUAL(memcmp(contents_lend(&c, at[0], at[1], 9), nothing, BYTES), 0);
        CU_ASSERT_FALSE(contents_is_lent(&c, at[0], at[1], 0));
    }
    CU_ASSERT_PTR_NOT_NULL(contents_row(&c, SLICES - 1, ROWS - 1));
    contents_release(&c);
}

static uint64_t digest_of(const uint8_t *value, int32_t first, int32_t step, bool touch)
{
    struct contents c = contents_create(SLICES, ROWS, BYTES);
    for (int32_t k = 0, n = first; k < SLICES * ROWS; k++, n = (n + step) % (SLICES * ROWS))
        if (touch || value[n])
            write(&c, n / ROWS, n % ROWS, value[n]);
    uint64_t digest = contents_digest(&c);
    contents_release(&c);
    return digest;
}

static void digests_are_equal_whatever_the_way_to_equal_contents(void)
{
    uint8_t value[SLICES * ROWS];
    uint64_t state = 5;
    for (int n = 0; n < 100; n++) {
        for (int32_t k = 0; k < SLICES * ROWS; k++)
            value[k] = (uint8_t)(draw_between(&state, 0, 20) ? 0 : draw_between(&state, 1, 255));
        uint64_t digest = digest_of(value, 0, 1, false);
        CU_ASSERT_EQUAL(digest_of(value, 77, 7, false), digest);
        CU_ASSERT_EQUAL(digest_of(value, SLICES * ROWS - 1, SLICES * ROWS - 1, true), digest);
    }
}

static int equal_pairs(const uint64_t *value, int count)
{
    int equal = 0;
    for (int a = 0; a < count; a++)
        for (int b = 0; b < a; b++)
            equal += value[a] == value[b];
    return equal;
}

static void digests_differ_by_every_bit_and_every_place(void)
{
    struct contents c = contents_create(SLICES, ROWS, BYTES);
    uint64_t bit[8 * BYTES + 1], place[SLICES * ROWS + 1];
    write(&c, 1, 70, 0xa5);
    bit[8 * BYTES] = contents_digest(&c);
    for (int n = 0; n < 8 * BYTES; n++) {
        uint8_t *byte = (uint8_t *)contents_row(&c, 1, 70) + n / 8;
        *byte ^= (uint8_t)(1 << n % 8);
        bit[n] = contents_digest(&c);
        *byte ^= (uint8_t)(1 << n % 8);
    }
    write(&c, 1, 70, 0);
    place[SLICES * ROWS] = contents_digest(&c);
    for (int32_t n = 0; n < SLICES * ROWS; n++) {
        write(&c, n / ROWS, n % ROWS, 0xa5);
        place[n] = contents_digest(&c);
        write(&c, n / ROWS, n % ROWS, 0);
    }
    CU_ASSERT_EQUAL(equal_pairs(bit, 8 * BYTES + 1), 0);
    CU_ASSERT_EQUAL(equal_pairs(place, SLICES * ROWS + 1), 0);
    contents_release(&c);
}

static void a_row_is_lent_until_its_last_reader_is_done(void)
{
    struct contents c = contents_create(SLICES, ROWS, BYTES);
    write(&c, 1, 100, 7);
    CU_ASSERT_FALSE(contents_is_lent(&c, 1, 100, 0));
    CU_ASSERT_PTR_EQUAL(contents_lend(&c, 1, 100, 50), contents_look(&c, 1, 100));
    contents_lend(&c, 1, 100, 20);
    CU_ASSERT_TRUE(contents_is_lent(&c, 1, 100, 50));
    CU_ASSERT_FALSE(contents_is_lent(&c, 1, 100, 51));
    CU_ASSERT_FALSE(contents_is_lent(&c, 0, 100, 0));
    CU_ASSERT_FALSE(contents_is_lent(&c, 1, 3, 0)); /* on a page that nobody wrote */
    contents_take_back(&c);
    CU_ASSERT_FALSE(contents_is_lent(&c, 1, 100, 0));
    contents_release(&c);
}

TEST_MAIN("contents", TEST(rows_are_zero_until_written_and_apart_afterwards),
          TEST(rows_beyond_the_slices_read_as_zero_and_take_nothing),
          TEST(digests_are_equal_whatever_the_way_to_equal_contents),
          TEST(digests_differ_by_every_bit_and_every_place),
          TEST(a_row_is_lent_until_its_last_reader_is_done))
