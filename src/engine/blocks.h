/* SPDX-License-Identifier: BSD-3-Clause */
/* Contiguous blocks of items over partitions, sizes differing by at most one, larger ones first. */
#ifndef ENGINE_BLOCKS_H
#define ENGINE_BLOCKS_H

#include <stdint.h>

/* The first item of a partition; of partition `partitions`: the number of items. */
static inline int32_t engine_block_first(int32_t items, int32_t partitions, int32_t partition)
{
    int32_t each = items / partitions, more = items % partitions;
    return partition * each + (partition < more ? partition : more);
}

/* The partition of item 0 <= item < items. */
static inline int32_t engine_block_owner(int32_t items, int32_t partitions, int32_t item)
{
    int32_t each = items / partitions, more = items % partitions;
    int32_t in_long = more * (each + 1);
    return item < in_long ? item / (each + 1) : more + (item - in_long) / each;
}

#endif
