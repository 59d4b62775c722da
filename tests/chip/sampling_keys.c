/* SPDX-License-Identifier: BSD-3-Clause */
/* A key is greater for a greater value, then for a lower id, and gives the id back. */
#include "test.h"

#include <string.h>

#include "base/half.h"
#include "chip/numbers.h"
#include "draw.h"

static const struct numbers narrow = {1, false}, wide = {1, true};

/* Numbers that differ by more than the two bits that 18 bits of id take from fp16. */
static const float value[] = {-65504,   -1.5f,    -1, -0x1p-14f, -0x1p-22f, 0,
                              0x1p-22f, 0x1p-14f, 1,  1.5f,      65504};
enum { VALUES = sizeof value / sizeof value[0], IDS = 4 };

static int wrong_orders(const struct numbers *n, int32_t bits, const uint32_t id[IDS])
{
    int wrong = 0;
    for (int a = 0; a < VALUES * IDS; a++)
        for (int b = 0; b < VALUES * IDS; b++) {
            uint64_t x = numbers_key(n, value[a / IDS], id[a % IDS], bits);
            uint64_t y = numbers_key(n, value[b / IDS], id[b % IDS], bits);
            bool greater = a / IDS > b / IDS || (a / IDS == b / IDS && a % IDS < b % IDS);
            wrong += (x > y) != greater || x == 0;
            wrong += numbers_key_id(n, x, bits) != id[a % IDS];
        }
    return wrong;
}

static void keys_order_by_value_then_by_lower_id(void)
{
    for (int32_t bits = 16; bits <= 18; bits += 2) {
        const uint32_t id[IDS] = {0, 1, 40000, (UINT32_C(1) << bits) - 1};
        CU_ASSERT_EQUAL(wrong_orders(&narrow, bits, id), 0);
        CU_ASSERT_EQUAL(wrong_orders(&wide, bits, id), 0);
    }
}

/* Where ids take bits of the value, near values may tie, but none overtakes. */
static void keys_of_any_two_numbers_agree_with_their_order(void)
{
    uint64_t state = 3;
    int wrong = 0;
    for (int n = 0; n < 40000; n++) {
        float a = draw_real(&state, 2), b = draw_real(&state, 2);
        uint32_t i = (uint32_t)draw_between(&state, 0, 65535);
        uint32_t j = (uint32_t)draw_between(&state, 0, 65535);
        bool greater = a > b || (a == b && i < j);
        wrong += (numbers_key(&wide, a, i, 16) > numbers_key(&wide, b, j, 16)) != greater;
        wrong += (numbers_key(&narrow, a, i, 16) > numbers_key(&narrow, b, j, 16)) != greater;
        wrong += numbers_key(&narrow, a, i, 18) > numbers_key(&narrow, b, j, 18) && a < b;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static uint64_t through(const struct numbers *n, uint64_t key, int lost)
{
    uint32_t lane[NUMBERS_MOST_PLANES] = {0};
    void *to[NUMBERS_MOST_PLANES] = {&lane[0], &lane[1], &lane[2], &lane[3]};
    const void *from[NUMBERS_MOST_PLANES] = {&lane[0], &lane[1], &lane[2], &lane[3]};
    uint64_t back;
    numbers_write_keys(n, &key, to);
    if (lost >= 0)
        lane[lost] = 0;
    numbers_read_keys(n, from, &back);
    return back;
}

static void keys_survive_their_planes_and_no_plane_is_spare(void)
{
    uint64_t state = 4;
    for (int n = 0; n < 2000; n++) {
        uint64_t key = draw_bits(&state);
        CU_ASSERT_EQUAL_FATAL(through(&narrow, key & UINT32_MAX, -1), key & UINT32_MAX);
        CU_ASSERT_EQUAL_FATAL(through(&wide, key, -1), key);
    }
    for (int k = 0; k < NUMBERS_MOST_PLANES; k++) {
        CU_ASSERT_NOT_EQUAL(through(&narrow, UINT32_C(0x12345678), k), UINT32_C(0x12345678));
        CU_ASSERT_NOT_EQUAL(through(&wide, UINT64_C(0x123456789abcdef0), k),
                            UINT64_C(0x123456789abcdef0));
    }
}

TEST_MAIN("sampling keys", TEST(keys_order_by_value_then_by_lower_id),
          TEST(keys_of_any_two_numbers_agree_with_their_order),
          TEST(keys_survive_their_planes_and_no_plane_is_spare))
