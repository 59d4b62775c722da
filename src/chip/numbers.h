/* SPDX-License-Identifier: BSD-3-Clause */
/* How numbers lie in lanes: the machine's bytes, or lanes wide enough for fp32.
 *
 * A number of a type with n planes takes one lane of n vectors. In the machine's own arithmetic a
 * lane is a byte. To be compared with fp32 references the same program runs on lanes of 32 bits: a
 * number of n planes is then a float cut into n pieces of 32 / n bits (a key: four of 16 bits), so
 * that a plane that goes astray still destroys it. */
#ifndef CHIP_NUMBERS_H
#define CHIP_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/program.h"

enum { NUMBERS_MOST_PLANES = 4 };

struct numbers {
    int32_t lanes;
    bool wide;
};

/* Bytes of a vector. */
static inline size_t numbers_vector_bytes(const struct numbers *n)
{
    return (size_t)n->lanes * (n->wide ? sizeof(uint32_t) : 1);
}

/* plane[0 .. program_dtype_planes(dtype) - 1] to real[lanes]; a type other than KEY. */
void numbers_read(const struct numbers *n, enum program_dtype dtype,
                  const void *const plane[NUMBERS_MOST_PLANES], float *real);

/* The reverse: rounded to nearest even where the type is narrower; int8 is clamped to +-127. */
void numbers_write(const struct numbers *n, enum program_dtype dtype, const float *real,
                   void *const plane[NUMBERS_MOST_PLANES]);

void numbers_read_keys(const struct numbers *n, const void *const plane[NUMBERS_MOST_PLANES],
                       uint64_t *key);
void numbers_write_keys(const struct numbers *n, const uint64_t *key,
                        void *const plane[NUMBERS_MOST_PLANES]);

/* The key of a value and an id of `id_bits` bits: greater for a greater value, then a lower id. The
 * machine's keys have 32 bits and hold the value as fp16, less its lowest bits where the id needs
 * more than 16. Not 0, which is the least key, but for some that are no numbers. */
uint64_t numbers_key(const struct numbers *n, float value, uint32_t id, int32_t id_bits);
uint32_t numbers_key_id(const struct numbers *n, uint64_t key, int32_t id_bits);

#endif
