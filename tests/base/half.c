/* SPDX-License-Identifier: BSD-3-Clause */
/* Half precision: every half, and rounding as exact arithmetic in double has it. */
#include "test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/half.h"
#include "base/random.h"

enum { HALVES = 1 << 16, DRAWS = 1000000 };

static bool is_nan_half(uint16_t half)
{
    return (half & 0x7fff) > 0x7c00;
}

/* The value by the definition of binary16; for halves that are no NaN. */
static double exact_value(uint16_t half)
{
    int exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    double magnitude = exponent == 31  ? INFINITY
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

/* The nearest half, ties to even, in exact arithmetic; rint rounds ties to even. */
static uint16_t exact_half(float value)
{
    double magnitude = fabs((double)value);
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (magnitude >= 65520)
        return sign | 0x7c00;
    int exponent = -14;
    while (ldexp(1, exponent + 1) <= magnitude)
        exponent++;
    double units = rint(ldexp(magnitude, 10 - exponent)); /* may reach 2048: the next exponent */
    return (uint16_t)(sign | ((exponent + 14) * 1024 + (int)units));
}

static void every_half_has_its_exact_value(void)
{
    int wrong = 0;
    for (int i = 0; i < HALVES; i++) {
        float value = base_half_to_float((uint16_t)i);
        double exact = is_nan_half((uint16_t)i) ? 0 : exact_value((uint16_t)i);
        bool is_same = (double)value == exact && !signbit(value) == !signbit(exact);
        wrong += is_nan_half((uint16_t)i) ? !isnan(value) : !is_same;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void every_half_comes_back(void)
{
    int wrong = 0;
    for (int i = 0; i < HALVES; i++) {
        uint16_t expected = (uint16_t)(is_nan_half((uint16_t)i) ? i | 0x200 : i);
        wrong += base_half_from_float(base_half_to_float((uint16_t)i)) != expected;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* The tie between each finite half and the next one, and the floats beside it. */
static void ties_go_to_even(void)
{
    int wrong = 0;
    for (int i = 0; i < 0x7c00; i++) {
        double low = exact_value((uint16_t)i);
        double high = i == 0x7bff ? 65536 : exact_value((uint16_t)(i + 1));
        float tie = (float)((low + high) / 2);
        wrong += (double)tie != (low + high) / 2;
        wrong += base_half_from_float(tie) != i + (i & 1);
        wrong += base_half_from_float(nextafterf(tie, 0)) != i;
        wrong += base_half_from_float(nextafterf(tie, INFINITY)) != i + 1;
        wrong += base_half_from_float(-tie) != (0x8000 | (i + (i & 1)));
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void floats_round_to_the_nearest_half(void)
{
    int wrong = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        uint64_t draw = base_random_u64(1, BASE_RANDOM_KERNEL, 0, i);
        uint32_t any = (uint32_t)draw;
        /* exponents around the range of halves, 2^-30 to 2^18, more often than all others */
        uint32_t near = (any & 0x807fffffu) | (97 + (uint32_t)(draw >> 32) % 49) << 23;
        float value = base_float_of_bits(i % 4 ? near : any);
        uint16_t half = base_half_from_float(value);
        wrong += isnan(value) ? !is_nan_half(half) : half != exact_half(value);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void the_edges_of_the_range_are_known(void)
{
    static const struct {
        float value;
        uint16_t half;
    } row[] = {
        {0.0f, 0x0000},       {-0.0f, 0x8000},        {1.0f, 0x3c00},         {65504.0f, 0x7bff},
        {65519.996f, 0x7bff}, {65520.0f, 0x7c00},     {3e38f, 0x7c00},        {-INFINITY, 0xfc00},
        {0x1p-24f, 0x0001},   {0x1p-25f, 0x0000},     {0x1.8p-25f, 0x0001},   {0x1p-14f, 0x0400},
        {0x1p-149f, 0x0000},  {0x1.ffcp-15f, 0x0400}, {0x1.ff8p-15f, 0x03ff},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        CU_ASSERT_EQUAL(base_half_from_float(row[i].value), row[i].half);
    CU_ASSERT_EQUAL(base_half_from_float(base_float_of_bits(0x7f800001)), 0x7e00);
    CU_ASSERT_EQUAL(base_half_from_float(base_float_of_bits(0xffc00000)), 0xfe00);
}

static void bfloats_are_the_upper_half_of_a_float(void)
{
    CU_ASSERT_EQUAL(base_bfloat_to_float(0x3f80), 1.0f);
    CU_ASSERT_EQUAL(base_bfloat_to_float(0xc049), -3.140625f);
    CU_ASSERT_EQUAL(base_bfloat_to_float(0x0001), 0x1p-133f);
    CU_ASSERT_EQUAL(base_bfloat_to_float(0xff80), -INFINITY);
    CU_ASSERT_TRUE(isnan(base_bfloat_to_float(0x7fc1)));
}

static void bytes_round_half_to_even_and_are_clamped(void)
{
    for (int whole = -BASE_BYTE_LIMIT; whole <= BASE_BYTE_LIMIT; whole++)
        for (int part = -2; part <= 2; part++) {
            int away = abs(part) == 2 && whole % 2 ? part / 2 : 0;
            int want = whole + away;
            want = want > BASE_BYTE_LIMIT ? BASE_BYTE_LIMIT : want;
            want = want < -BASE_BYTE_LIMIT ? -BASE_BYTE_LIMIT : want;
            CU_ASSERT_EQUAL(base_round_to_byte(whole + part / 4.0), want);
        }
    CU_ASSERT_EQUAL(base_round_to_byte(1e300), BASE_BYTE_LIMIT);
    CU_ASSERT_EQUAL(base_round_to_byte(-INFINITY), -BASE_BYTE_LIMIT);
    CU_ASSERT_TRUE(isnan(base_round_to_byte(NAN)));
}

TEST_MAIN("half", TEST(every_half_has_its_exact_value), TEST(every_half_comes_back),
          TEST(ties_go_to_even), TEST(floats_round_to_the_nearest_half),
          TEST(the_edges_of_the_range_are_known), TEST(bfloats_are_the_upper_half_of_a_float),
          TEST(bytes_round_half_to_even_and_are_clamped))
