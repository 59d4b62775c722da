/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiles every chip's share of collectives and split products. */
#include "cases.h"

#include "partition/lone.h"
#include "partition/split_matmul.h"

enum { NODE = 8 };

void cases_collective(struct play *play, const struct collective *c)
{
    play_open(play, c->chip, 1, NODE, c->group);
    for (int32_t rank = 0; rank < c->group; rank++) {
        struct block b = lone_open(c->chip);
        collective_emit(c, rank, &b);
        play->program[rank] = lone_program(&b, rank, b.end);
        block_release(&b);
    }
}

const char *cases_hierarchy(struct play *play, struct hierarchy *h, const struct lpu_chip *chip,
                            int32_t nodes, int32_t rows)
{
    const char *why;
    play_open(play, chip, nodes, NODE, nodes * NODE);
    *h = (struct hierarchy){.chip = chip, .topology = &play->topology, .rows = rows};
    if (!hierarchy_plan(h, &why)) {
        play_close(play);
        return why;
    }
    for (int32_t c = 0; c < play->chips; c++) {
        struct block b = lone_open(chip);
        hierarchy_emit(h, c, &b);
        play->program[c] = lone_program(&b, c, h->length_cycles);
        block_release(&b);
    }
    return NULL;
}

const char *cases_split_product(struct play *play, const struct lpu_chip *chip,
                                const struct cases_product *p)
{
    play_open(play, chip, p->nodes, NODE, p->nodes * NODE);
    struct split_matmul s = {chip, &play->topology, p->rows, p->k, p->n, p->sharing};
    const char *why = split_matmul_refusal(&s);
    if (why) {
        play_close(play);
        return why;
    }
    for (int32_t c = 0; c < play->chips; c++) {
        struct split_matmul_share share;
        struct block b = lone_open(chip);
        split_matmul_emit(&s, c, &b, &share);
        play->program[c] = lone_program(&b, c, b.end);
        block_release(&b);
    }
    return NULL;
}
