/* SPDX-License-Identifier: BSD-3-Clause */
/* Contiguous blocks of items on ranks. */
#include <assert.h>
#include <inttypes.h>

#include "base/memory.h"
#include "parallel/parallel.h"

struct parallel_block parallel_block_of(int64_t items, int ranks, int rank)
{
    assert(items >= 0 && ranks > 0 && rank >= 0 && rank < ranks);
    int64_t size = items / ranks, larger = items % ranks;
    int64_t larger_before = rank < larger ? rank : larger;
    return (struct parallel_block){size * rank + larger_before, size + (rank < larger)};
}

int parallel_block_owner(int64_t items, int ranks, int64_t item)
{
    assert(ranks > 0 && item >= 0 && item < items);
    int64_t size = items / ranks, larger = items % ranks;
    int64_t in_larger = larger * (size + 1);
    if (item < in_larger)
        return (int)(item / (size + 1));
    return (int)(larger + (item - in_larger) / size);
}

char *parallel_block_text(int64_t items, int ranks, const char *noun)
{
    int64_t size = items / ranks, larger = items % ranks;
    if (items < ranks)
        return base_format("%" PRId64 " %s on %d ranks: ranks %" PRId64 " to %d stay idle", items,
                           noun, ranks, items, ranks - 1);
    if (larger == 0)
        return base_format("%" PRId64 " %s on %d rank%s, %" PRId64 " each", items, noun, ranks,
                           ranks == 1 ? "" : "s", size);
    return base_format("%" PRId64 " %s on %d ranks, %" PRId64 " or %" PRId64 " each", items, noun,
                       ranks, size, size + 1);
}
