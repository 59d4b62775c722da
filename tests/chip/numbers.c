/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers survive their planes, round where a type is narrower, and keys order what they hold. */
#include "test.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "chip/numbers.h"
#include "draw.h"

enum { LANES = 1, DTYPES = 4 };

static const struct numbers narrow = {LANES, false}, wide = {LANES, true};
static const enum program_dtype dtypes[DTYPES] = {PROGRAM_DTYPE_INT8, PROGRAM_DTYPE_FP16,
                                                  PROGRAM_DTYPE_FP32, PROGRAM_DTYPE_INT32};

/* Planes of one lane. */
struct planes {
    uint32_t lane[NUMBERS_MOST_PLANES];
    void *at[NUMBERS_MOST_PLANES];
};

static void clear(struct planes *p)
{
    for (int k = 0; k < NUMBERS_MOST_PLANES; k++) {
        p->lane[k] = 0;
        p->at[k] = &p->lane[k];
    }
}

static float read(const struct numbers *n, enum program_dtype dtype, const struct planes *p)
{
    const void *plane[NUMBERS_MOST_PLANES];
    float real;
    memcpy(plane, p->at, sizeof plane);
    numbers_read(n, dtype, plane, &real);
    return real;
}

static float through(const struct numbers *n, enum program_dtype dtype, float value)
{
    struct planes p;
    clear(&p);
    numbers_write(n, dtype, &value, p.at);
    return read(n, dtype, &p);
}

static void narrow_types_round_to_even_and_clamp(void)
{
    static const struct {
        enum program_dtype dtype;
        float in, out;
    } rows[] = {
        {PROGRAM_DTYPE_INT8, -127, -127},
        {PROGRAM_DTYPE_INT8, 2.5f, 2},
        {PROGRAM_DTYPE_INT8, 3.5f, 4},
        {PROGRAM_DTYPE_INT8, -2.5f, -2},
        {PROGRAM_DTYPE_INT8, 126.5f, 126},
        {PROGRAM_DTYPE_INT8, 126.51f, 127},
        {PROGRAM_DTYPE_INT8, 1e30f, 127},
        {PROGRAM_DTYPE_INT8, -128, -127},
        {PROGRAM_DTYPE_INT8, INFINITY, 127},
        {PROGRAM_DTYPE_INT8, -INFINITY, -127},
        {PROGRAM_DTYPE_INT8, NAN, 0},
        {PROGRAM_DTYPE_FP16, 1 + 0x1p-11f, 1},
        {PROGRAM_DTYPE_FP16, 1 + 0x3p-11f, 1 + 0x1p-9f},
        {PROGRAM_DTYPE_FP16, 65519, 65504},
        {PROGRAM_DTYPE_FP16, -65520, -INFINITY},
        {PROGRAM_DTYPE_FP16, 0x1p-24f, 0x1p-24f},
        {PROGRAM_DTYPE_FP16, 0x1p-25f, 0},
        {PROGRAM_DTYPE_FP32, 0x1.fffffep127f, 0x1.fffffep127f},
        {PROGRAM_DTYPE_FP32, -0x1p-149f, -0x1p-149f},
        {PROGRAM_DTYPE_INT32, 0.5f, 0},
        {PROGRAM_DTYPE_INT32, -1.5f, -2},
        {PROGRAM_DTYPE_INT32, 16777215, 16777215},
        {PROGRAM_DTYPE_INT32, -16777218, -16777218},
        {PROGRAM_DTYPE_INT32, 2147483520.0f, 2147483520.0f},
        {PROGRAM_DTYPE_INT32, 2147483648.0f, 2147483520.0f},
        {PROGRAM_DTYPE_INT32, -2147483648.0f, -2147483520.0f},
        {PROGRAM_DTYPE_INT32, NAN, 0},
    };
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++)
        CU_ASSERT_EQUAL(through(&narrow, rows[n].dtype, rows[n].in), rows[n].out);
    CU_ASSERT_TRUE(isnan(through(&narrow, PROGRAM_DTYPE_FP16, NAN)));
}

/* Integers beyond 2^24 come from the MXM only: no float is equal to them. */
static void whole_numbers_are_rounded_where_floats_end(void)
{
    static const int32_t whole[] = {16777216, 16777217,  16777219,  -16777217,
                                    33554435, INT32_MAX, INT32_MIN, -1};
    for (size_t n = 0; n < sizeof whole / sizeof whole[0]; n++) {
        struct planes p;
        clear(&p);
        for (int k = 0; k < NUMBERS_MOST_PLANES; k++)
            p.lane[k] = (uint32_t)whole[n] >> (8 * k) & UINT8_MAX;
        CU_ASSERT_EQUAL(read(&narrow, PROGRAM_DTYPE_INT32, &p), (float)whole[n]);
    }
}

static void what_was_rounded_once_stays_as_it_is(void)
{
    uint64_t state = 1;
    int wrong = 0;
    for (int n = 0; n < 20000; n++) {
        float value = ldexpf(draw_real(&state, 16), draw_between(&state, -30, 30));
        enum program_dtype dtype = dtypes[n % DTYPES];
        float once = through(&narrow, dtype, value);
        wrong += through(&narrow, dtype, once) != once;
        wrong += dtype == PROGRAM_DTYPE_FP32 && once != value;
        wrong += isfinite(once) && dtype != PROGRAM_DTYPE_INT8 && fabsf(value) < 65504 &&
                 fabsf(once - value) > 0.5f;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void wide_lanes_hold_every_float_in_every_type(void)
{
    uint64_t state = 2;
    int wrong = 0;
    for (int n = 0; n < 20000; n++) {
        float value = base_float_of_bits((uint32_t)draw_bits(&state));
        float back = through(&wide, dtypes[n % DTYPES], value);
        wrong += !isnan(value) && base_bits_of_float(back) != base_bits_of_float(value);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void a_missing_plane_destroys_a_wide_number(void)
{
    const float value = base_float_of_bits(UINT32_C(0x3f9d2c51));
    for (int t = 0; t < DTYPES; t++)
        for (int k = 0; k < program_dtype_planes((int32_t)dtypes[t]); k++) {
            struct planes p;
            clear(&p);
            numbers_write(&wide, dtypes[t], &value, p.at);
            p.lane[k] = 0;
            CU_ASSERT_NOT_EQUAL(read(&wide, dtypes[t], &p), value);
        }
}

TEST_MAIN("numbers", TEST(narrow_types_round_to_even_and_clamp),
          TEST(whole_numbers_are_rounded_where_floats_end),
          TEST(what_was_rounded_once_stays_as_it_is),
          TEST(wide_lanes_hold_every_float_in_every_type),
          TEST(a_missing_plane_destroys_a_wide_number))
