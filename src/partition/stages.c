/* SPDX-License-Identifier: BSD-3-Clause */
/* The cut is a dynamic programme over (stages, blocks): O(stages * blocks^2) at most, usually less:
 * few blocks fit into a stage. */
#include "partition/stages.h"

#include "base/memory.h"

enum { PER_LAYER = 3, CUT_SHIFT = 40 };

int32_t stages_block_count(const struct model *model)
{
    return (int32_t)(PER_LAYER * model->layers + 2);
}

int32_t stages_most(const struct templates *t, const struct model *model)
{
    return (int32_t)((t->shares ? PER_LAYER : PER_LAYER - 1) * model->layers + 2);
}

static enum partition_block block_kind(const struct model *model, int32_t block)
{
    static const enum partition_block of_layer[PER_LAYER] = {
        PARTITION_ATTENTION, PARTITION_MLP_FIRST, PARTITION_MLP_SECOND};
    if (block == 0)
        return PARTITION_EMBED;
    if (block == stages_block_count(model) - 1)
        return PARTITION_HEAD;
    return of_layer[(block - 1) % PER_LAYER];
}

struct stages_unit stages_unit(const struct templates *t, int32_t block, int32_t end, int32_t order)
{
    struct stages_unit u = {.kind = block_kind(t->shape[0].model, block), .next = block + 1};
    u.layer = block ? (block - 1) / PER_LAYER : 0;
    if (u.kind == PARTITION_MLP_FIRST && u.next < end) {
        u.kind = PARTITION_MLP;
        u.next++;
    }
    u.variant = template_variant(t, u.kind, u.layer, order);
    return u;
}

int64_t stages_unit_length(const struct templates *t, enum partition_phase phase,
                           struct stages_unit u)
{
    int64_t length = t->length[template_phase(phase, u.kind)][u.kind][u.variant];
    return length ? length + t->shape[0].chip->mem_write_skew_cycles : 0;
}

static void change_rows(const struct templates *t, struct stages_unit u, int32_t factor,
                        int32_t rows[PROGRAM_QUEUE_VXM])
{
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        rows[s] += factor * t->rows[u.kind][u.variant][s];
}

void stages_add_rows(const struct templates *t, struct stages_unit u,
                     int32_t rows[PROGRAM_QUEUE_VXM])
{
    change_rows(t, u, 1, rows);
}

/* Vectors that a chip with these persistent rows lacks. */
static int64_t lacking(const struct templates *t, const int32_t rows[PROGRAM_QUEUE_VXM])
{
    int64_t vectors = 0;
    for (int32_t s = 0; s < PROGRAM_QUEUE_VXM; s++)
        vectors += rows[s] > t->capacity[s] ? rows[s] - t->capacity[s] : 0;
    return vectors;
}

/* The block at which a stage may begin as its `place`-th choice. */
static int32_t block_at(const struct templates *t, int32_t place)
{
    return t->shares || place < 1 ? place : place + (place - 1) / 2;
}

/* A stage that grows backward, unit by unit, in one order of variants. */
struct growing {
    int32_t rows[PROGRAM_QUEUE_VXM];
    int64_t length;
    struct stages_unit first;
};

static void take_unit(const struct templates *t, struct growing *g, struct stages_unit u,
                      int32_t factor)
{
    change_rows(t, u, factor, g->rows);
    g->length += factor * stages_unit_length(t, PARTITION_DECODE, u);
}

/* A first share that meets its second makes a whole MLP with it. */
static void grow_back(const struct templates *t, struct growing *g, int32_t block, int32_t end,
                      int32_t order)
{
    struct stages_unit u = stages_unit(t, block, end, order);
    if (u.kind == PARTITION_MLP && g->first.kind == PARTITION_MLP_SECOND)
        take_unit(t, g, g->first, -1);
    take_unit(t, g, u, 1);
    g->first = u;
}

/* A stage in the order that fits and is shortest, or else lacks least. */
struct stage_cost {
    int64_t length, missing;
    int32_t order;
    bool begins_inside; /* an MLP */
};

static struct stage_cost best_of(const struct templates *t, const struct growing *g)
{
    struct stage_cost best = {.missing = INT64_MAX};
    for (int32_t order = 0; order < TEMPLATE_ORDERS; order++) {
        int64_t missing = lacking(t, g[order].rows);
        if (missing < best.missing || (missing == best.missing && g[order].length < best.length))
            best = (struct stage_cost){g[order].length, missing, order, false};
    }
    best.begins_inside = g[0].first.kind == PARTITION_MLP_SECOND;
    return best;
}

/* Of the stage of places [from, to). */
static struct stage_cost cost_between(const struct templates *t, int32_t from, int32_t to)
{
    struct growing g[TEMPLATE_ORDERS] = {0};
    for (int32_t place = to - 1; place >= from; place--)
        for (int32_t order = 0; order < TEMPLATE_ORDERS; order++)
            grow_back(t, &g[order], block_at(t, place), block_at(t, to), order);
    return best_of(t, g);
}

static int64_t even_cut_missing(const struct templates *t, int32_t stages, int32_t places)
{
    int64_t worst = 0;
    for (int32_t s = 0; s < stages; s++) {
        int64_t m = cost_between(t, places * s / stages, places * (s + 1) / stages).missing;
        worst = m > worst ? m : worst;
    }
    return worst;
}

/* own[n * places + j]: cost of a stage of places [j, n), for first_fit[n] <= j < n. best[s][n]:
 * least cost of the blocks before place n in s stages: MLPs cut in two, then the longest stage;
 * from[s][n]: where its last stage begins. */
struct cut {
    int32_t places;
    struct stage_cost *own;
    int32_t *first_fit;
    int64_t *best;
    int32_t *from;
};

/* All stages that end before place n and fit. */
static void weigh_stages(const struct templates *t, struct cut *c, int32_t n)
{
    struct growing g[TEMPLATE_ORDERS] = {0};
    struct stage_cost *own = &c->own[(size_t)n * (size_t)c->places];
    for (c->first_fit[n] = n; c->first_fit[n] > 0; c->first_fit[n]--) {
        int32_t j = c->first_fit[n] - 1;
        for (int32_t order = 0; order < TEMPLATE_ORDERS; order++)
            grow_back(t, &g[order], block_at(t, j), block_at(t, n), order);
        own[j] = best_of(t, g);
        if (own[j].missing > 0)
            return;
    }
}

static int64_t cost_with(const struct stage_cost *own, int64_t before)
{
    const int64_t one_cut = INT64_C(1) << CUT_SHIFT;
    int64_t cuts = before / one_cut + own->begins_inside, longest = before % one_cut;
    return cuts * one_cut + (own->length > longest ? own->length : longest);
}

static void extend_cut(struct cut *c, int32_t s, int32_t n)
{
    size_t row = (size_t)c->places + 1, at = (size_t)s * row;
    for (int32_t j = n - 1; j >= s - 1 && j >= c->first_fit[n]; j--) {
        int64_t before = c->best[at - row + (size_t)j];
        if (before == INT64_MAX)
            continue;
        int64_t cost = cost_with(&c->own[(size_t)n * (size_t)c->places + (size_t)j], before);
        if (cost < c->best[at + (size_t)n]) {
            c->best[at + (size_t)n] = cost;
            c->from[at + (size_t)n] = j;
        }
    }
}

/* Of at most `stages` stages; release with close_cut. */
static struct cut open_cut(const struct templates *t, int32_t stages)
{
    struct cut c = {.places = stages_most(t, t->shape[0].model)};
    size_t row = (size_t)c.places + 1, cells = (size_t)(stages + 1) * row;
    c.own = base_alloc(row * (size_t)c.places, sizeof *c.own);
    c.first_fit = base_alloc(row, sizeof *c.first_fit);
    c.best = base_alloc(cells, sizeof *c.best);
    c.from = base_alloc(cells, sizeof *c.from);
    for (size_t n = 1; n < cells; n++)
        c.best[n] = INT64_MAX;
    for (int32_t n = 1; n <= c.places; n++)
        weigh_stages(t, &c, n);
    for (int32_t s = 1; s <= stages; s++)
        for (int32_t n = s; n <= c.places; n++)
            extend_cut(&c, s, n);
    return c;
}

static void close_cut(struct cut *c)
{
    base_free(c->own);
    base_free(c->first_fit);
    base_free(c->best);
    base_free(c->from);
}

static bool is_cut(const struct cut *c, int32_t stages)
{
    size_t row = (size_t)c->places + 1;
    return stages <= c->places && c->best[(size_t)stages * row + (size_t)c->places] != INT64_MAX;
}

bool stages_cut(const struct templates *t, int32_t stages, struct stages_piece *piece,
                int64_t *missing)
{
    struct cut c = open_cut(t, stages);
    bool fits = is_cut(&c, stages);
    int32_t end = c.places;
    for (int32_t s = stages; s > 0 && fits; s--) {
        int32_t from = c.from[(size_t)s * ((size_t)c.places + 1) + (size_t)end];
        piece[s - 1] =
            (struct stages_piece){block_at(t, from), block_at(t, end) - block_at(t, from),
                                  c.own[(size_t)end * (size_t)c.places + (size_t)from].order};
        end = from;
    }
    *missing = fits ? 0 : even_cut_missing(t, stages, c.places);
    close_cut(&c);
    return fits;
}

int32_t stages_least(const struct templates *t)
{
    int32_t most = stages_most(t, t->shape[0].model), least = 1;
    struct cut c = open_cut(t, most);
    while (least <= most && !is_cut(&c, least))
        least++;
    close_cut(&c);
    return least <= most ? least : 0;
}
