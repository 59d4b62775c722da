/* SPDX-License-Identifier: BSD-3-Clause */
/* Quantities are exact, print back to themselves, and a wrong unit is answered with the right ones.
 */
#include "test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/units.h"

#define COUNT_OF(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    enum base_units kind;
    const char *text;
    int64_t value;
} whole[] = {
    {BASE_UNITS_COUNT, "128", 128},
    {BASE_UNITS_COUNT, " -7 ", -7},
    {BASE_UNITS_COUNT, "1e3", 1000},
    {BASE_UNITS_COUNT, "2.5e1", 25},
    {BASE_UNITS_COUNT, "9223372036854775807", INT64_MAX},
    {BASE_UNITS_CYCLES, "650 cycles", 650},
    {BASE_UNITS_CYCLES, "1 cycle", 1},
    {BASE_UNITS_CYCLES, "650", 650},
    {BASE_UNITS_BYTES, "2.5 MiB", 2621440},
    {BASE_UNITS_BYTES, "2.5MiB", 2621440},
    {BASE_UNITS_BYTES, "80 GB", INT64_C(80000000000)},
    {BASE_UNITS_BYTES, "4096", 4096},
    {BASE_UNITS_BYTE_RATE, "450 GB/s", INT64_C(450000000000)},
    {BASE_UNITS_BYTE_RATE, "18.4 TB/s", INT64_C(18400000000000)},
    {BASE_UNITS_BYTE_RATE, "400 Gb/s", INT64_C(50000000000)},
    {BASE_UNITS_BIT_RATE, "100 Gb/s", INT64_C(100000000000)},
    {BASE_UNITS_BIT_RATE, "12.5 GB/s", INT64_C(100000000000)},
    {BASE_UNITS_FREQUENCY, "900 MHz", 900000000},
    {BASE_UNITS_FREQUENCY, "1.83 GHz", 1830000000},
    {BASE_UNITS_TIME, "722 ns", 722000},
    {BASE_UNITS_TIME, "2 us", 2000000},
    {BASE_UNITS_TIME, "2 \xc2\xb5s", 2000000},
    {BASE_UNITS_TIME, "0.001 ns", 1},
    {BASE_UNITS_TIME, "-1 ps", -1},
};

static void whole_quantities_are_exact(void)
{
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        int64_t value = 0;
        char *error = NULL;
        bool parsed = base_units_parse_integer(whole[i].kind, whole[i].text, &value, &error);
        CU_ASSERT_TRUE(parsed);
        CU_ASSERT_EQUAL(value, whole[i].value);
        if (!parsed || value != whole[i].value)
            fprintf(stderr, "%s: %lld %s\n", whole[i].text, (long long)value, error ? error : "");
        base_free(error);
    }
}

static const struct {
    enum base_units kind;
    const char *text;
    double value;
} real[] = {
    {BASE_UNITS_SHARE, "45 %", 0.45},
    {BASE_UNITS_SHARE, "0.45", 0.45},
    {BASE_UNITS_SHARE, "100 %", 1.0},
    {BASE_UNITS_POWER, "300 W", 300.0},
    {BASE_UNITS_POWER, "1.2 kW", 1200.0},
    {BASE_UNITS_BYTE_RATE, "3.35 TB/s", 3.35e12},
    {BASE_UNITS_FLOP_RATE, "989 Tflop/s", 989e12},
    {BASE_UNITS_COUNT, "1.5", 1.5},
    {BASE_UNITS_COUNT, "1e-30", 1e-30},
    {BASE_UNITS_COUNT, "25", 25.0},
};

static void real_quantities_are_the_nearest_double(void)
{
    for (size_t i = 0; i < COUNT_OF(real); i++) {
        double value = 0;
        char *error = NULL;
        CU_ASSERT_TRUE(base_units_parse_real(real[i].kind, real[i].text, &value, &error));
        CU_ASSERT_TRUE(value <= real[i].value && value >= real[i].value);
    }
}

static const struct {
    enum base_units kind;
    const char *text;
    const char *fragment[3];
} refused[] = {
    {BASE_UNITS_TIME, "722 nss", {"unknown unit \"nss\"", "ps, ns, us, ms, s", "\"722 ns\""}},
    {BASE_UNITS_TIME, "722 GHz", {"unit of a frequency", "a time is written in", "us"}},
    {BASE_UNITS_TIME, "722", {"has no unit", "ps, ns, us", "\"722 ns\""}},
    {BASE_UNITS_TIME, "0.5 ps", {"not a whole number of ps", "0.5", "ps"}},
    {BASE_UNITS_TIME, "1e300 s", {"too large", "9223372036854775807", "ps"}},
    {BASE_UNITS_TIME, "10000000 s", {"too large", "9223372036854775807", "ps"}},
    {BASE_UNITS_FREQUENCY, "900 mhz", {"unknown unit \"mhz\"", "MHz", "a frequency"}},
    {BASE_UNITS_BYTES, "0.3 B", {"not a whole number of B", "0.3", "B"}},
    {BASE_UNITS_BYTES, "5 W", {"unit of a power", "a size", "KiB"}},
    {BASE_UNITS_COUNT, "five", {"not a number", "\"128\"", "five"}},
    {BASE_UNITS_COUNT, "", {"not a number", "\"128\"", "\"\""}},
    {BASE_UNITS_COUNT, "5 MiB", {"plain number", "without", "MiB"}},
    {BASE_UNITS_COUNT, "9223372036854775808", {"too large", "9223372036854775807", ""}},
    {BASE_UNITS_COUNT, "1.5", {"not a whole number", "", ""}},
    {BASE_UNITS_COUNT, "1,5", {"without the unit \",5\"", "", ""}},
};

static void refusals_say_what_would_be_right(void)
{
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        int64_t value = 0;
        char *error = NULL;
        CU_ASSERT_FALSE(base_units_parse_integer(refused[i].kind, refused[i].text, &value, &error));
        for (size_t j = 0; error && j < COUNT_OF(refused[i].fragment); j++) {
            bool said = strstr(error, refused[i].fragment[j]) != NULL;
            CU_ASSERT_TRUE(said);
            if (!said)
                fprintf(stderr, "%s: %s\n", refused[i].fragment[j], error);
        }
        CU_ASSERT_PTR_NOT_NULL(error);
        base_free(error);
    }
}

static void whole_quantities_print_back(void)
{
    static const int64_t values[] = {0,           1,         -1,        999,          1000,   1023,
                                     1024,        2621440,   900000000, 1830000000,   722000, 328,
                                     80000000000, 123456789, INT64_MAX, INT64_MIN + 1};
    for (int kind = 0; kind < BASE_UNITS_KINDS; kind++)
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            int64_t back = 0;
            char *error = NULL, *text = base_units_print_integer((enum base_units)kind, values[i]);
            CU_ASSERT_TRUE(base_units_parse_integer((enum base_units)kind, text, &back, &error));
            CU_ASSERT_EQUAL(back, values[i]);
            base_free(error);
            base_free(text);
        }
}

static void real_quantities_print_back(void)
{
    static const double values[] = {0, 1, 0.45, 1.0 / 3, 3.35e12, 989e12, 185, 1e-9, 12345.678e9};
    for (int kind = 0; kind < BASE_UNITS_KINDS; kind++)
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            double back = -1;
            char *error = NULL, *text = base_units_print_real((enum base_units)kind, values[i]);
            CU_ASSERT_TRUE(base_units_parse_real((enum base_units)kind, text, &back, &error));
            CU_ASSERT_TRUE(back <= values[i] && back >= values[i]);
            base_free(error);
            base_free(text);
        }
}

static void print_is_short(enum base_units kind, int64_t value, const char *expected)
{
    char *text = base_units_print_integer(kind, value);
    CU_ASSERT_STRING_EQUAL(text, expected);
    base_free(text);
}

static void prints_are_what_a_person_would_write(void)
{
    print_is_short(BASE_UNITS_FREQUENCY, 900000000, "900 MHz");
    print_is_short(BASE_UNITS_BYTES, 2621440, "2.5 MiB");
    print_is_short(BASE_UNITS_TIME, 722000, "722 ns");
    print_is_short(BASE_UNITS_BIT_RATE, INT64_C(100000000000), "100 Gb/s");
    print_is_short(BASE_UNITS_COUNT, 128, "128");
    char *text = base_units_print_real(BASE_UNITS_BYTE_RATE, 3.35e12);
    CU_ASSERT_STRING_EQUAL(text, "3.35 TB/s");
    base_free(text);
}

TEST_MAIN("units", TEST(whole_quantities_are_exact), TEST(real_quantities_are_the_nearest_double),
          TEST(refusals_say_what_would_be_right), TEST(whole_quantities_print_back),
          TEST(real_quantities_print_back), TEST(prints_are_what_a_person_would_write))
