/* SPDX-License-Identifier: BSD-3-Clause */
/* Joins planes to numbers and cuts numbers into planes. */
#include "chip/numbers.h"

#include <math.h>
#include <string.h>

#include "base/half.h"

enum { KEY_PIECE_BITS = 16, KEY_BITS = 32 };

/* Pieces of 32 / planes bits; plane by plane, so that loops stay simple. */
static void read_pieces(int32_t lanes, int32_t planes, const void *const plane[], float *real)
{
    memcpy(real, plane[0], (size_t)lanes * sizeof *real);
    for (int32_t k = 1; k < planes; k++) {
        const uint32_t *piece = plane[k];
        int32_t shift = 32 / planes * k;
        for (int32_t l = 0; l < lanes; l++)
            real[l] = base_float_of_bits(base_bits_of_float(real[l]) | piece[l] << shift);
    }
}

static void write_pieces(int32_t lanes, int32_t planes, const float *real, void *const plane[])
{
    uint32_t mask = UINT32_MAX >> (32 - 32 / planes);
    for (int32_t k = 0; k < planes; k++) {
        uint32_t *piece = plane[k];
        int32_t shift = 32 / planes * k;
        for (int32_t l = 0; l < lanes; l++)
            piece[l] = base_bits_of_float(real[l]) >> shift & mask;
    }
}

static uint32_t word_at(const void *const plane[], int32_t lane)
{
    uint32_t word = 0;
    for (int32_t k = 0; k < NUMBERS_MOST_PLANES; k++)
        word |= (uint32_t)((const uint8_t *)plane[k])[lane] << (8 * k);
    return word;
}

static void put_word(void *const plane[], int32_t lane, uint32_t word)
{
    for (int32_t k = 0; k < NUMBERS_MOST_PLANES; k++)
        ((uint8_t *)plane[k])[lane] = (uint8_t)(word >> (8 * k));
}

static void read_bytes(int32_t lanes, const int8_t *byte, float *real)
{
    for (int32_t l = 0; l < lanes; l++)
        real[l] = byte[l];
}

static void read_halves(int32_t lanes, const uint8_t *low, const uint8_t *high, float *real)
{
    for (int32_t l = 0; l < lanes; l++)
        real[l] = base_half_to_float((uint16_t)(low[l] | high[l] << 8));
}

void numbers_read(const struct numbers *n, enum program_dtype dtype,
                  const void *const plane[NUMBERS_MOST_PLANES], float *real)
{
    if (n->wide)
        read_pieces(n->lanes, program_dtype_planes((int32_t)dtype), plane, real);
    else if (dtype == PROGRAM_DTYPE_INT8)
        read_bytes(n->lanes, plane[0], real);
    else if (dtype == PROGRAM_DTYPE_FP16)
        read_halves(n->lanes, plane[0], plane[1], real);
    else
        for (int32_t l = 0; l < n->lanes; l++) {
            uint32_t word = word_at(plane, l);
            real[l] = dtype == PROGRAM_DTYPE_FP32 ? base_float_of_bits(word) : (float)(int32_t)word;
        }
}

static int32_t whole(float value, float limit)
{
    if (!(value > -limit))
        return value <= -limit ? -(int32_t)limit : 0; /* 0: not a number */
    return value < limit ? (int32_t)rintf(value) : (int32_t)limit;
}

static void write_halves(int32_t lanes, const float *real, uint8_t *low, uint8_t *high)
{
    for (int32_t l = 0; l < lanes; l++) {
        uint16_t half = base_half_from_float(real[l]);
        low[l] = (uint8_t)half;
        high[l] = (uint8_t)(half >> 8);
    }
}

void numbers_write(const struct numbers *n, enum program_dtype dtype, const float *real,
                   void *const plane[NUMBERS_MOST_PLANES])
{
    const float most = 2147483520.0f; /* the greatest float that is an int32 */
    if (n->wide)
        write_pieces(n->lanes, program_dtype_planes((int32_t)dtype), real, plane);
    else if (dtype == PROGRAM_DTYPE_INT8)
        for (int32_t l = 0; l < n->lanes; l++)
            ((int8_t *)plane[0])[l] = (int8_t)whole(real[l], BASE_BYTE_LIMIT);
    else if (dtype == PROGRAM_DTYPE_FP16)
        write_halves(n->lanes, real, plane[0], plane[1]);
    else
        for (int32_t l = 0; l < n->lanes; l++)
            put_word(plane, l,
                     dtype == PROGRAM_DTYPE_FP32 ? base_bits_of_float(real[l])
                                                 : (uint32_t)whole(real[l], most));
}

void numbers_read_keys(const struct numbers *n, const void *const plane[NUMBERS_MOST_PLANES],
                       uint64_t *key)
{
    const uint32_t *const *p = (const uint32_t *const *)plane;
    for (int32_t l = 0; l < n->lanes; l++) {
        key[l] = n->wide ? 0 : word_at(plane, l);
        for (int32_t k = 0; n->wide && k < NUMBERS_MOST_PLANES; k++)
            key[l] |= (uint64_t)p[k][l] << (KEY_PIECE_BITS * k);
    }
}

void numbers_write_keys(const struct numbers *n, const uint64_t *key,
                        void *const plane[NUMBERS_MOST_PLANES])
{
    uint32_t *const *p = (uint32_t *const *)plane;
    for (int32_t l = 0; l < n->lanes; l++) {
        if (!n->wide)
            put_word(plane, l, (uint32_t)key[l]);
        for (int32_t k = 0; n->wide && k < NUMBERS_MOST_PLANES; k++)
            p[k][l] = (uint32_t)(key[l] >> (KEY_PIECE_BITS * k)) & UINT16_MAX;
    }
}

/* Bits of a number in the order of its value; `sign` is its top bit. */
static uint32_t in_order(uint32_t bits, uint32_t sign)
{
    return bits & sign ? ~bits & (sign | (sign - 1)) : bits | sign;
}

uint64_t numbers_key(const struct numbers *n, float value, uint32_t id, int32_t id_bits)
{
    if (n->wide)
        return (uint64_t)in_order(base_bits_of_float(value), UINT32_C(1) << 31) << KEY_BITS |
               (uint32_t)~id;
    uint32_t half = in_order(base_half_from_float(value), UINT32_C(1) << 15);
    uint32_t ids = (UINT32_C(1) << id_bits) - 1;
    return half >> (id_bits - 16) << id_bits | (ids & ~id);
}

uint32_t numbers_key_id(const struct numbers *n, uint64_t key, int32_t id_bits)
{
    return n->wide ? ~(uint32_t)key : ~(uint32_t)key & ((UINT32_C(1) << id_bits) - 1);
}
