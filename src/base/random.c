/* SPDX-License-Identifier: BSD-3-Clause */
/* Counter-based random numbers: key = (seed, purpose), counter = (entity, index). */
#include "base/random.h"

#include <math.h>
#include <Random123/philox.h>

static philox4x32_ctr_t block(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                              uint64_t index)
{
    /* The purpose enters the key by an odd multiplier so that equal seeds do not share a key. */
    uint64_t key = seed + (uint64_t)purpose * UINT64_C(0x9E3779B97F4A7C15);
    philox4x32_key_t k = {{(uint32_t)key, (uint32_t)(key >> 32)}};
    philox4x32_ctr_t c = {
        {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)entity, (uint32_t)(entity >> 32)}};
    return philox4x32(c, k);
}

static double uniform_of(uint32_t high, uint32_t low)
{
    uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return ((double)bits + 0.5) * 0x1.0p-53;
}

struct base_random_pair base_random_pair(uint64_t seed, enum base_random_purpose purpose,
                                         uint64_t entity, uint64_t index)
{
    philox4x32_ctr_t r = block(seed, purpose, entity, index);
    return (struct base_random_pair){
        {(uint64_t)r.v[1] << 32 | r.v[0], (uint64_t)r.v[3] << 32 | r.v[2]}};
}

uint64_t base_random_u64(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                         uint64_t index)
{
    return base_random_pair(seed, purpose, entity, index).bits[0];
}

double base_random_uniform(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                           uint64_t index)
{
    philox4x32_ctr_t r = block(seed, purpose, entity, index);
    return uniform_of(r.v[1], r.v[0]);
}

double base_random_normal(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                          uint64_t index)
{
    philox4x32_ctr_t r = block(seed, purpose, entity, index);
    double u = uniform_of(r.v[1], r.v[0]), v = uniform_of(r.v[3], r.v[2]);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

double base_random_exponential(uint64_t seed, enum base_random_purpose purpose, uint64_t entity,
                               uint64_t index)
{
    return -log(base_random_uniform(seed, purpose, entity, index));
}
