/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums of a tensor group, as a step has them, of random groups, batches and widths: they keep the
 * contract, and every chip ends with the right numbers, whether or not the group divides the rows.
 */
#include <stdio.h>

#include "base/random.h"
#include "partition/assemble.h"
#include "partition/lone.h"
#include "partition/ops.h"
#include "play.h"
#include "rack.h"
#include "test.h"

enum { LANES = 320, CASES = 40, NODE = 8, MOST_ROWS = 32, MOST_TILES = 26 };

/* What is summed: rows of a decode step, tiles of a row, with or without a residual. */
struct sum {
    int32_t group, rows, tiles, set;
    bool residual;
};

struct sums {
    struct shape shape;
    struct sum sum;
    struct play play;
};

static int32_t draw(uint64_t entity, uint64_t n, int32_t count)
{
    return (int32_t)(base_random_u64(12, BASE_RANDOM_TOKEN, entity, n) % (uint64_t)count);
}

static struct quads quads(struct block *b, const char *name, enum program_tensor_kind kind,
                          int32_t tiles, int32_t buffer)
{
    struct quads quads = {.tiles = tiles};
    for (int32_t q = 0; q < SHAPE_QUADS; q++) {
        int32_t count = shape_tiles_of(tiles, SHAPE_QUADS, q) * b->shape->rows, slice[2];
        char full[24];
        snprintf(full, sizeof full, "%.12s.%d", name, (int)q);
        for (int32_t sub = 0; sub < 2; sub++)
            slice[sub] = buffer >= 0
                             ? ops_residual_slice(b, buffer, q, sub)
                             : emit_inner_slice(b, q % 2, (q / 2 ? OPS_SLOT_Y : OPS_SLOT_X) + sub);
        quads.tensor[q] =
            count > 0 ? emit_placed(b, kind, PROGRAM_DTYPE_FP16, full, slice, 2, count) : -1;
    }
    return quads;
}

/* Emits one rank's share. */
static struct block emit_rank(const struct sums *s, int32_t rank)
{
    struct block b = lone_open(rack_chip());
    const struct sum *sum = &s->sum;
    b.shape = &s->shape;
    b.rank = rank;
    emit_use_set(&b, sum->set);
    struct quads part = quads(&b, "part", PROGRAM_TENSOR_CONSTANT, sum->tiles, -1),
                 old = quads(&b, "old", PROGRAM_TENSOR_CONSTANT, sum->tiles, 0),
                 out = quads(&b, "out", PROGRAM_TENSOR_ACTIVATION, sum->tiles, 1);
    ops_reduce(&b, &part, sum->residual ? &old : NULL, NULL, &out, "sum", 0);
    return b;
}

static struct program program_of(const struct block *b)
{
    int32_t link[NODE];
    struct program p = {
        .chip = b->rank, .rows = 1, .sequences = 1, .embedding_groups = 1, .token = -1};
    for (int32_t peer = 0; peer < NODE; peer++)
        link[peer] = peer < b->rank ? peer : peer - 1;
    assemble_append(&p, b, &(struct assemble_place){.link_of_peer = link});
    assemble_finish(&p);
    return p;
}

/* Compiles all ranks. Returns the length. */
static int64_t compile(struct sums *s, struct sum sum)
{
    int64_t length = 0;
    *s = (struct sums){.sum = sum,
                       .shape = {.chip = rack_chip(),
                                 .group = sum.group,
                                 .rows = sum.rows,
                                 .sequences = sum.rows,
                                 .hidden_tiles = sum.tiles}};
    play_open(&s->play, rack_chip(), 1, NODE, sum.group);
    for (int32_t rank = 0; rank < sum.group; rank++) {
        struct block b = emit_rank(s, rank);
        s->play.program[rank] = program_of(&b);
        length = b.end > length ? b.end : length;
        block_release(&b);
    }
    for (int32_t rank = 0; rank < sum.group; rank++)
        s->play.program[rank].length_cycles = length;
    return length;
}

/* What a rank contributes, or, at -1, the residual: sums are exact in fp16. */
static float number(int32_t rank, int32_t tile, int32_t row, int32_t lane)
{
    return (float)((rank * 31 + tile * 17 + row * 7 + lane + 50) % 61 - 30);
}

static struct chip_number place_of(const struct sums *s, int32_t chip, const char *name,
                                   int32_t tile, int32_t row)
{
    char full[24];
    snprintf(full, sizeof full, "%.12s.%d", name, (int)(tile % SHAPE_QUADS));
    return (struct chip_number){play_tensor(&s->play, chip, full), 0,
                                tile / SHAPE_QUADS * s->sum.rows + row};
}

static void load(struct sums *s, int32_t chip, const char *name, int32_t rank)
{
    for (int32_t tile = 0; tile < s->sum.tiles; tile++)
        for (int32_t row = 0; row < s->sum.rows; row++) {
            const struct chip_number at = place_of(s, chip, name, tile, row);
            float lane[LANES];
            for (int32_t l = 0; l < LANES; l++)
                lane[l] = number(rank, tile, row, l);
            chip_preload(s->play.chip[chip], &s->play.program[chip], &at, lane);
        }
}

/* Lanes of a row that are not the sum. */
static int32_t wrong(const struct sums *s, int32_t chip, int32_t tile, int32_t row)
{
    const struct chip_number at = place_of(s, chip, "out", tile, row);
    float lane[LANES];
    int32_t count = 0;
    chip_peek(s->play.chip[chip], &s->play.program[chip], &at, lane);
    for (int32_t l = 0; l < LANES; l++) {
        float want = 0;
        for (int32_t rank = s->sum.residual ? -1 : 0; rank < s->sum.group; rank++)
            want += number(rank, tile, row, l);
        count += lane[l] != want;
    }
    return count;
}

static void check(struct sum sum)
{
    struct sums s;
    int32_t count = 0;
    int64_t length = compile(&s, sum);
    play_start(&s.play, true);
    for (int32_t chip = 0; chip < sum.group; chip++) {
        load(&s, chip, "part", chip);
        if (sum.residual)
            load(&s, chip, "old", -1);
    }
    struct play_result r = play_step(&s.play);
    for (int32_t chip = 0; chip < sum.group; chip++)
        for (int32_t tile = 0; tile < sum.tiles; tile++)
            for (int32_t row = 0; row < sum.rows; row++)
                count += wrong(&s, chip, tile, row);
    if (count || r.violations)
        fprintf(stderr, "%d rows of %d tiles over %d chips, set %d, residual %d\n", (int)sum.rows,
                (int)sum.tiles, (int)sum.group, (int)sum.set, sum.residual);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(r.violations, 0);
    CU_ASSERT_EQUAL(r.length_cycles, length);
    play_close(&s.play);
}

static void random_groups_batches_and_widths_are_summed(void)
{
    for (uint64_t n = 0; n < CASES; n++)
        check((struct sum){.group = 2 << draw(n, 0, 3),
                           .rows = 1 + draw(n, 1, MOST_ROWS),
                           .tiles = 1 + draw(n, 2, MOST_TILES),
                           .set = draw(n, 3, EMIT_SETS),
                           .residual = draw(n, 4, 2)});
}

static int64_t length_of(int32_t rows)
{
    struct sums s;
    int64_t length = compile(&s, (struct sum){.group = NODE, .rows = rows, .tiles = MOST_TILES});
    play_close(&s.play);
    return length;
}

/* A batch costs no more than the next one that the group divides, and far less than one hop. */
static void a_batch_need_not_divide_by_its_group(void)
{
    int64_t slot = machine_link_slot_cycles(rack_chip());
    for (int32_t rows = 9; rows < 16; rows++) {
        CU_ASSERT_TRUE(length_of(rows) <= length_of(16));
        CU_ASSERT_TRUE(length_of(rows) < 2 * MOST_TILES * rows * slot);
    }
    CU_ASSERT_TRUE(length_of(5) < length_of(16));
}

TEST_MAIN("sums of a tensor group", TEST(random_groups_batches_and_widths_are_summed),
          TEST(a_batch_need_not_divide_by_its_group))
