/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers narrower than float: half precision (IEEE 754 binary16) and bfloat16 as bit patterns, and
 * the whole numbers of a byte. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* The range of int8 numbers is symmetric. */
enum { BASE_BYTE_LIMIT = 127 };

static inline uint32_t base_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float base_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* `yes` where a < b, else `no`, without a branch: loops over the functions below become vector
 * code. a and b are below 2^31. */
static inline uint32_t base_half_select(uint32_t a, uint32_t b, uint32_t yes, uint32_t no)
{
    uint32_t mask = 0u - ((a - b) >> 31);
    return (yes & mask) | (no & ~mask);
}

/* Exact; a NaN keeps its payload. Subnormals are exact also where the processor flushes those of
 * float to zero. */
static inline float base_half_to_float(uint16_t half)
{
    uint32_t shifted = (half & 0x7fffu) << 13;
    uint32_t normal = shifted + (112u << 23);
    uint32_t special = shifted + (224u << 23); /* infinity, NaN */
    float subnormal = base_float_of_bits(shifted + (113u << 23)) - 0x1p-14f;
    uint32_t finite = base_half_select(shifted, 1u << 23, base_bits_of_float(subnormal), normal);
    uint32_t magnitude = base_half_select(shifted, 31u << 23, finite, special);
    return base_float_of_bits((half & 0x8000u) << 16 | magnitude);
}

/* Nearest, ties to even; from 65520 on infinity. A NaN becomes quiet and keeps the upper part of
 * its payload. Needs the default rounding mode. */
static inline uint16_t base_half_from_float(float value)
{
    uint32_t bits = base_bits_of_float(value), magnitude = bits & 0x7fffffffu;
    uint32_t limit = 143u << 23; /* 2^16 */
    uint32_t bounded = base_half_select(magnitude, limit, magnitude, limit);
    uint32_t normal = (bounded - (112u << 23) + 0xfffu + (bounded >> 13 & 1u)) >> 13;
    /* 0.5f has the spacing of subnormal halves: the addition rounds. */
    float sum = base_float_of_bits(bounded) + 0.5f;
    uint32_t subnormal = base_bits_of_float(sum) - (126u << 23);
    uint32_t number = base_half_select(bounded, 113u << 23, subnormal, normal);
    uint32_t nan = 0x7e00u | (magnitude >> 13 & 0x3ffu);
    uint32_t half = base_half_select(255u << 23, magnitude, nan, number);
    return (uint16_t)((bits >> 16 & 0x8000u) | half);
}

/* Exact; a NaN keeps its payload. */
static inline float base_bfloat_to_float(uint16_t bfloat)
{
    return base_float_of_bits((uint32_t)bfloat << 16);
}

/* Half to even, clamped to +-BASE_BYTE_LIMIT; a NaN stays one. */
static inline float base_round_to_byte(double value)
{
    double whole = rint(value);
    return (float)(whole > BASE_BYTE_LIMIT    ? BASE_BYTE_LIMIT
                   : whole < -BASE_BYTE_LIMIT ? -BASE_BYTE_LIMIT
                                              : whole);
}

#endif
