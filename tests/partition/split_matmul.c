/* SPDX-License-Identifier: BSD-3-Clause */
/* A product split over the chips of one node or two keeps the contract, and its sums are right. */
#include "partition/split_matmul.h"

#include "partition/lone.h"
#include "play.h"
#include "rack.h"
#include "test.h"

enum { LANES = 320, DEPTH = 160, LOAD = 20 };

struct trial {
    struct play play;
    struct split_matmul what;
    struct split_matmul_share share[16];
};

static void start(struct trial *t, int32_t nodes, int32_t per_node, struct split_matmul what,
                  bool values)
{
    int64_t end = 0;
    play_open(&t->play, rack_chip(), nodes, per_node, nodes * per_node);
    t->what = what;
    t->what.chip = rack_chip();
    t->what.topology = &t->play.topology;
    CU_ASSERT_PTR_NULL_FATAL(split_matmul_refusal(&t->what));
    for (int32_t c = 0; c < t->play.chips; c++) {
        struct block b = lone_open(rack_chip());
        split_matmul_emit(&t->what, c, &b, &t->share[c]);
        if (c)
            CU_ASSERT_EQUAL(b.end, end);
        end = b.end;
        t->play.program[c] = lone_program(&b, c, b.end);
        block_release(&b);
    }
    play_start(&t->play, values);
}

static float activation(int32_t row, int32_t k)
{
    return (float)((row * 5 + k * 3) % 7 - 3);
}

static float weight(int32_t k, int32_t n)
{
    return (float)((k * 7 + n) % 3 - 1);
}

static void put(struct trial *t, int32_t chip, int32_t tensor, int32_t sub, int32_t index,
                const float *lane)
{
    const struct chip_number where = {tensor, sub, index};
    chip_preload(t->play.chip[chip], &t->play.program[chip], &where, lane);
}

/* The row of the product that stands at place `r` of a chip's rows. */
static int32_t row_at(const struct trial *t, int32_t chip, int32_t r)
{
    int32_t all = t->play.topology.chips_per_node, block = t->what.rows / all;
    return (chip + r / block + 1) % all * block + r % block;
}

static int32_t sharers(const struct trial *t)
{
    return t->what.nodes * t->play.topology.chips_per_node;
}

/* First column of W that a chip's node has. */
static int32_t first_column(const struct trial *t, int32_t chip)
{
    int32_t groups = t->play.chips / sharers(t);
    return chip / sharers(t) * (int32_t)((t->what.n + groups - 1) / groups);
}

static void load(struct trial *t, int32_t chip, const struct matmul_side *s)
{
    const struct matmul *m = &t->share[chip].matmul;
    int32_t first_k = chip % sharers(t) * m->k_tiles * DEPTH;
    float lane[LANES];
    for (int32_t v = 0; 2 * v < m->k_tiles; v++)
        for (int32_t r = 0; r < s->rows; r++) {
            for (int32_t l = 0; l < LANES; l++)
                lane[l] = activation(row_at(t, chip, s->first_row + r), first_k + v * LANES + l);
            put(t, chip, s->x[v], 0, r, lane);
        }
    for (int32_t tile = 0; tile < s->tiles * m->k_tiles; tile++)
        for (int32_t k = 0; k < DEPTH; k++) {
            for (int32_t l = 0; l < LANES; l++)
                lane[l] =
                    weight(first_k + tile % m->k_tiles * DEPTH + k,
                           first_column(t, chip) + (s->first_tile + tile / m->k_tiles) * LANES + l);
            put(t, chip, s->weight, 2 * (k % 8), tile * LOAD + k / 8, lane);
        }
}

static int32_t wrong(const struct trial *t, int32_t chip, int32_t tile)
{
    const struct split_matmul_share *share = &t->share[chip];
    int32_t all = t->play.topology.chips_per_node, block = t->what.rows / all, count = 0;
    int32_t first = chip % all * block + chip % sharers(t) / all * share->owned,
            depth = sharers(t) * share->matmul.k_tiles * DEPTH;
    for (int32_t r = 0; r < share->owned; r++) {
        float lane[LANES];
        const struct chip_number where = {share->total[tile], 0, r};
        chip_peek(t->play.chip[chip], &t->play.program[chip], &where, lane);
        for (int32_t l = 0; l < LANES; l++) {
            float want = 0;
            for (int32_t k = 0; k < depth; k++)
                want +=
                    activation(first + r, k) * weight(k, first_column(t, chip) + tile * LANES + l);
            count += lane[l] != want;
        }
    }
    return count;
}

static void check(int32_t nodes, int32_t per_node, struct split_matmul what)
{
    static struct trial t;
    start(&t, nodes, per_node, what, true);
    for (int32_t c = 0; c < t.play.chips; c++)
        for (int32_t east = 0; east < 2; east++)
            load(&t, c, &t.share[c].side[east]);
    struct play_result r = play_step(&t.play);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, t.play.program[0].length_cycles);
    for (int32_t c = 0; c < t.play.chips; c++)
        for (int32_t tile = 0; tile < t.share[c].matmul.n_tiles; tile++)
            CU_ASSERT_EQUAL(wrong(&t, c, tile), 0);
    play_close(&t.play);
}

static void one_node_ends_with_the_product(void)
{
    check(1, 4, (struct split_matmul){.rows = 8, .k = 1200, .n = 1000, .nodes = 1});
    check(1, 8, (struct split_matmul){.rows = 16, .k = 1280, .n = 640, .nodes = 1});
}

/* More weights than a hemisphere holds: the hemispheres share columns, an odd number of tiles. */
static void wide_products_end_right(void)
{
    check(1, 2, (struct split_matmul){.rows = 4, .k = 9600, .n = 4700, .nodes = 1});
}

static void two_nodes_end_with_the_product(void)
{
    check(2, 4, (struct split_matmul){.rows = 32, .k = 1280, .n = 600, .nodes = 2});
}

static void nodes_with_columns_of_their_own_end_with_the_product(void)
{
    check(3, 4, (struct split_matmul){.rows = 8, .k = 1280, .n = 900, .nodes = 1});
}

static void what_cannot_be_split_is_refused(void)
{
    struct play play;
    play_open(&play, rack_chip(), 1, 8, 8);
    struct split_matmul odd = {rack_chip(), &play.topology, 12, 1280, 640, 1}, large = odd;
    large.rows = 16000;
    CU_ASSERT_PTR_NOT_NULL(split_matmul_refusal(&odd));
    CU_ASSERT_PTR_NOT_NULL(split_matmul_refusal(&large));
    play_close(&play);
}

TEST_MAIN("split products", TEST(one_node_ends_with_the_product), TEST(wide_products_end_right),
          TEST(two_nodes_end_with_the_product),
          TEST(nodes_with_columns_of_their_own_end_with_the_product),
          TEST(what_cannot_be_split_is_refused))
