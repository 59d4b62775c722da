/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of items on ranks: a partition in order, for any numbers. */
#include <string.h>

#include "base/memory.h"
#include "parallel/parallel.h"
#include "test.h"

static void blocks_tile_the_items_in_rank_order(void)
{
    for (int64_t items = 0; items < 70; items++)
        for (int ranks = 1; ranks < 70; ranks++) {
            int64_t next = 0;
            for (int rank = 0; rank < ranks; rank++) {
                struct parallel_block block = parallel_block_of(items, ranks, rank);
                CU_ASSERT_EQUAL(block.first, next);
                CU_ASSERT(block.count == items / ranks || block.count == items / ranks + 1);
                next += block.count;
            }
            CU_ASSERT_EQUAL(next, items);
        }
}

static void the_owner_of_an_item_has_it_in_its_block(void)
{
    static const int64_t size[] = {1, 7, 8, 72, 576};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
        for (int ranks = 1; ranks < 100; ranks++)
            for (int64_t item = 0; item < size[i]; item++) {
                int owner = parallel_block_owner(size[i], ranks, item);
                struct parallel_block block = parallel_block_of(size[i], ranks, owner);
                CU_ASSERT(block.first <= item && item < block.first + block.count);
            }
}

static void numbers_beyond_32_bits_work(void)
{
    int64_t items = INT64_C(1) << 52;
    struct parallel_block last = parallel_block_of(items, 3, 2);
    CU_ASSERT_EQUAL(last.first + last.count, items);
    CU_ASSERT_EQUAL(parallel_block_owner(items, 3, items - 1), 2);
}

static void idle_ranks_are_spoken_of(void)
{
    static const struct {
        int64_t items;
        int ranks;
        const char *text;
    } cases[] = {
        {576, 8, "576 chips on 8 ranks, 72 each"},
        {8, 1, "8 chips on 1 rank, 8 each"},
        {8, 3, "8 chips on 3 ranks, 2 or 3 each"},
        {8, 10, "8 chips on 10 ranks: ranks 8 to 9 stay idle"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = parallel_block_text(cases[i].items, cases[i].ranks, "chips");
        CU_ASSERT_STRING_EQUAL(text, cases[i].text);
        base_free(text);
    }
}

TEST_MAIN("blocks", TEST(blocks_tile_the_items_in_rank_order),
          TEST(the_owner_of_an_item_has_it_in_its_block), TEST(numbers_beyond_32_bits_work),
          TEST(idle_ranks_are_spoken_of))
