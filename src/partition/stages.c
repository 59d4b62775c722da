/* SPDX-License-Identifier: BSD-3-Clause */
/* The cut is a dynamic programme over (stages, blocks): O(stages * blocks^2) on prefix sums. */
#include "partition/stages.h"

#include "base/memory.h"

int32_t stages_block_count(const struct model *model)
{
    return (int32_t)(2 * model->layers + 2);
}

enum partition_block stages_block_kind(const struct model *model, int32_t block)
{
    if (block == 0)
        return PARTITION_EMBED;
    if (block == stages_block_count(model) - 1)
        return PARTITION_HEAD;
    return block % 2 ? PARTITION_ATTENTION : PARTITION_MLP;
}

int32_t stages_block_layer(const struct model *model, int32_t block)
{
    enum partition_block kind = stages_block_kind(model, block);
    if (kind == PARTITION_HEAD)
        return (int32_t)model->layers;
    return kind == PARTITION_EMBED ? 0 : (block - 1) / 2;
}

int64_t stages_block_length(const struct templates *t, enum partition_phase phase, int32_t block)
{
    const struct model *model = t->shape[0].model;
    enum partition_block kind = stages_block_kind(model, block);
    int32_t variant = template_variant(t, kind, stages_block_layer(model, block));
    int64_t length = t->length[template_phase(phase, kind)][kind][variant];
    return length ? length + t->shape[0].chip->mem_write_skew_cycles : 0;
}

void stages_add_rows(const struct templates *t, int32_t block, int32_t rows[PROGRAM_QUEUE_VXM])
{
    const struct model *model = t->shape[0].model;
    enum partition_block kind = stages_block_kind(model, block);
    const int32_t *add = t->rows[kind][template_variant(t, kind, stages_block_layer(model, block))];
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        rows[s] += add[s];
}

/* Vectors that a chip with these persistent rows lacks. */
static int64_t lacking(const struct templates *t, const int32_t rows[PROGRAM_QUEUE_VXM])
{
    int64_t vectors = 0;
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        vectors += rows[s] > t->capacity[s] ? rows[s] - t->capacity[s] : 0;
    return vectors;
}

static int64_t missing(const struct templates *t, int32_t from, int32_t to)
{
    int32_t rows[PROGRAM_QUEUE_VXM] = {0};
    for (int32_t n = from; n < to; n++)
        stages_add_rows(t, n, rows);
    return lacking(t, rows);
}

static int64_t even_cut_missing(const struct templates *t, int32_t stages, int32_t blocks)
{
    int64_t worst = 0;
    for (int32_t s = 0; s < stages; s++) {
        int64_t m = missing(t, blocks * s / stages, blocks * (s + 1) / stages);
        worst = m > worst ? m : worst;
    }
    return worst;
}

/* best[s][n]: least longest stage of blocks [0, n) in s stages; from[s][n]: where its last stage
 * begins. */
struct cut {
    int64_t *best;
    int32_t *from;
    int64_t *length; /* prefix sums */
    int32_t blocks;
};

static void extend_cut(const struct templates *t, struct cut *c, int32_t s, int32_t n)
{
    size_t at = (size_t)s * (size_t)(c->blocks + 1);
    int32_t rows[PROGRAM_QUEUE_VXM] = {0};
    for (int32_t j = n - 1; j >= s - 1; j--) {
        int64_t before = c->best[at - (size_t)(c->blocks + 1) + (size_t)j];
        stages_add_rows(t, j, rows);
        if (lacking(t, rows) > 0)
            break;
        if (before == INT64_MAX)
            continue;
        int64_t own = c->length[n] - c->length[j], longest = own > before ? own : before;
        if (longest < c->best[at + (size_t)n]) {
            c->best[at + (size_t)n] = longest;
            c->from[at + (size_t)n] = j;
        }
    }
}

static bool read_cut(const struct cut *c, int32_t stages, int32_t *first)
{
    size_t row = (size_t)(c->blocks + 1);
    if (c->best[(size_t)stages * row + (size_t)c->blocks] == INT64_MAX)
        return false;
    first[stages] = c->blocks;
    for (int32_t s = stages; s > 0; s--)
        first[s - 1] = c->from[(size_t)s * row + (size_t)first[s]];
    return true;
}

bool stages_cut(const struct templates *t, int32_t stages, int32_t *first, int64_t *missing_rows)
{
    const struct model *model = t->shape[0].model;
    struct cut c = {.blocks = stages_block_count(model)};
    size_t cells = (size_t)(stages + 1) * (size_t)(c.blocks + 1);
    c.best = base_alloc(cells, sizeof *c.best);
    c.from = base_alloc(cells, sizeof *c.from);
    c.length = base_alloc((size_t)c.blocks + 1, sizeof *c.length);
    for (size_t n = 1; n < cells; n++)
        c.best[n] = INT64_MAX;
    for (int32_t n = 0; n < c.blocks; n++)
        c.length[n + 1] = c.length[n] + stages_block_length(t, PARTITION_DECODE, n);
    for (int32_t s = 1; s <= stages; s++)
        for (int32_t n = s; n <= c.blocks; n++)
            extend_cut(t, &c, s, n);
    bool fits = stages <= c.blocks && read_cut(&c, stages, first);
    *missing_rows = fits ? 0 : even_cut_missing(t, stages, c.blocks);
    base_free(c.best);
    base_free(c.from);
    base_free(c.length);
    return fits;
}
