/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorted ranges with an index by pair of phases; whatever is asked is a binary search. */
#include "partition/distances.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

/* More cycles than any program has. */
#define MOST_CYCLES (INT64_C(1) << 40)

struct distances {
    struct distances_range *range;
    size_t count;
    size_t first[PARTITION_PHASES * PARTITION_PHASES + 1]; /* of each pair */
};

static size_t pair_of(enum partition_phase first, enum partition_phase second)
{
    return (size_t)first * PARTITION_PHASES + (size_t)second;
}

static bool is_valid(const struct distances_range *r)
{
    return r->first < PARTITION_PHASES && r->second < PARTITION_PHASES && r->from >= 0 &&
           r->from < r->to && r->to <= MOST_CYCLES;
}

bool distances_are_valid(const struct distances_range *range, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        if (!is_valid(&range[n]))
            return false;
        if (n == 0)
            continue;
        size_t before = pair_of(range[n - 1].first, range[n - 1].second);
        size_t pair = pair_of(range[n].first, range[n].second);
        if (pair < before || (pair == before && range[n].from <= range[n - 1].to))
            return false;
    }
    return true;
}

struct distances *distances_create(const struct distances_range *range, size_t count)
{
    struct distances *d = base_alloc(1, sizeof *d);
    assert(distances_are_valid(range, count));
    d->range = base_alloc(count, sizeof *range);
    d->count = count;
    if (count)
        memcpy(d->range, range, count * sizeof *range);
    for (size_t n = 0, pair = 0; pair <= (size_t)PARTITION_PHASES * PARTITION_PHASES; pair++) {
        while (n < count && pair_of(range[n].first, range[n].second) < pair)
            n++;
        d->first[pair] = n;
    }
    return d;
}

void distances_release(struct distances *distances)
{
    if (!distances)
        return;
    base_free(distances->range);
    base_free(distances);
}

const struct distances_range *distances_ranges(const struct distances *distances, size_t *count)
{
    *count = distances->count;
    return distances->range;
}

/* The range that forbids a distance; NULL: none. */
static const struct distances_range *forbidding(const struct distances *d,
                                                enum partition_phase first,
                                                enum partition_phase second, int64_t cycles)
{
    size_t pair = pair_of(first, second), low = d->first[pair], high = d->first[pair + 1];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (d->range[middle].to <= cycles)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < d->first[pair + 1] && d->range[low].from <= cycles;
    return found ? &d->range[low] : NULL;
}

bool distances_allow(const struct distances *distances, enum partition_phase first,
                     enum partition_phase second, int64_t cycles)
{
    return !forbidding(distances, first, second, cycles);
}

int64_t distances_next(const struct distances *distances, enum partition_phase first,
                       enum partition_phase second, int64_t cycles)
{
    const struct distances_range *r = forbidding(distances, first, second, cycles);
    return r ? r->to : cycles;
}

int64_t distances_before(const struct distances *distances, enum partition_phase first,
                         enum partition_phase second, int64_t cycles)
{
    const struct distances_range *r = forbidding(distances, first, second, cycles);
    return r ? r->from - 1 : cycles;
}

bool distances_allow_train(const struct distances *d, enum partition_phase first,
                           enum partition_phase second, int64_t interval)
{
    size_t pair = pair_of(first, second);
    for (size_t n = d->first[pair]; n < d->first[pair + 1]; n++) {
        int64_t multiple = (d->range[n].from + interval - 1) / interval * interval;
        if ((multiple > 0 ? multiple : interval) < d->range[n].to)
            return false;
    }
    return true;
}
