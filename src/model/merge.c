/* SPDX-License-Identifier: BSD-3-Clause */
/* A linked list of symbols and a heap of pairs. A pair that was overtaken by a merge beside it
 * stays in the heap and is recognised, when its turn comes, by a piece that its symbol no longer
 * wants. */
#include "model/merge.h"

#include <string.h>

#include "base/memory.h"

enum { NONE = -1 };

/* `wanted` is the piece that this symbol and the next one form, NONE: none. */
struct symbol {
    int32_t id, previous, next, wanted;
};

struct pair {
    double score;
    int32_t left, wanted;
};

struct merger {
    const struct vocabulary *vocabulary;
    struct symbol *symbol;
    struct pair *heap;
    size_t pairs, capacity;
    char *text; /* of a pair; vocabulary->longest bytes */
};

static bool is_before(const struct pair *a, const struct pair *b)
{
    return a->score != b->score ? a->score > b->score : a->left < b->left;
}

static void swap(struct pair *a, struct pair *b)
{
    struct pair kept = *a;
    *a = *b;
    *b = kept;
}

static void push(struct merger *merger, struct pair pair)
{
    size_t i = merger->pairs++;
    merger->heap = base_grow(merger->heap, &merger->capacity, merger->pairs, sizeof *merger->heap);
    merger->heap[i] = pair;
    for (; i > 0 && is_before(&merger->heap[i], &merger->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&merger->heap[i], &merger->heap[(i - 1) / 2]);
}

/* Needs pairs > 0. */
static struct pair pop(struct merger *merger)
{
    struct pair *heap = merger->heap, first = heap[0];
    size_t count = --merger->pairs, i = 0;
    heap[0] = heap[count];
    for (size_t child = 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (!is_before(&heap[child], &heap[i]))
            break;
        swap(&heap[child], &heap[i]);
        i = child;
    }
    return first;
}

/* The piece that two pieces form; NONE where there is none. */
static int32_t joined(const struct merger *merger, int32_t left, int32_t right)
{
    const struct vocabulary *vocabulary = merger->vocabulary;
    const struct piece *a = &vocabulary->piece[left], *b = &vocabulary->piece[right];
    if (!vocabulary_is_plain(vocabulary, left) || !vocabulary_is_plain(vocabulary, right) ||
        a->bytes > vocabulary->longest - b->bytes)
        return NONE;
    memcpy(merger->text, a->text, (size_t)a->bytes);
    memcpy(merger->text + a->bytes, b->text, (size_t)b->bytes);
    return vocabulary_find(vocabulary, merger->text, (size_t)a->bytes + (size_t)b->bytes);
}

/* Looks anew at the pair that starts at symbol `left`, where there is one. */
static void consider(struct merger *merger, int32_t left)
{
    if (left == NONE)
        return;
    struct symbol *symbol = &merger->symbol[left];
    symbol->wanted = NONE;
    if (symbol->next != NONE)
        symbol->wanted = joined(merger, symbol->id, merger->symbol[symbol->next].id);
    if (symbol->wanted != NONE)
        push(merger,
             (struct pair){merger->vocabulary->piece[symbol->wanted].score, left, symbol->wanted});
}

static void merge(struct merger *merger, int32_t left)
{
    struct symbol *symbol = &merger->symbol[left];
    struct symbol *gone = &merger->symbol[symbol->next];
    symbol->id = symbol->wanted;
    symbol->next = gone->next;
    if (gone->next != NONE)
        merger->symbol[gone->next].previous = left;
    gone->wanted = NONE;
    consider(merger, left);
    consider(merger, symbol->previous);
}

static void link_symbols(struct merger *merger, const int32_t *ids, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        merger->symbol[i] = (struct symbol){ids[i], i - 1, i + 1 < count ? i + 1 : NONE, NONE};
    for (int32_t i = 0; i < count; i++)
        consider(merger, i);
}

int32_t merge_pieces(const struct vocabulary *vocabulary, int32_t *ids, int32_t count)
{
    struct merger merger = {.vocabulary = vocabulary};
    merger.symbol = base_alloc((size_t)count, sizeof *merger.symbol);
    merger.text = base_alloc((size_t)vocabulary->longest, 1);
    link_symbols(&merger, ids, count);
    while (merger.pairs > 0) {
        struct pair pair = pop(&merger);
        if (merger.symbol[pair.left].wanted == pair.wanted)
            merge(&merger, pair.left);
    }
    int32_t kept = 0;
    for (int32_t i = 0; count > 0 && i != NONE; i = merger.symbol[i].next)
        ids[kept++] = merger.symbol[i].id;
    base_free(merger.text);
    base_free(merger.heap);
    base_free(merger.symbol);
    return kept;
}
