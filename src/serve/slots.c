/* SPDX-License-Identifier: BSD-3-Clause */
/* 64 places a word; a word is filled from the pattern when it is first asked for. */
#include "serve/slots.h"

#include <assert.h>
#include <stddef.h>

#include "base/memory.h"

enum { WORD = 64, FIRST_WORDS = 16 };

struct serve_slots {
    uint64_t *word;     /* word w at w & (words - 1) */
    int64_t words;      /* a power of 2 */
    int64_t first, end; /* words that are kept */
    uint64_t *closed;   /* the pattern, and a word's length of it again */
    int64_t period;
};

struct serve_slots *serve_slots_create(const bool *closed, int64_t period)
{
    struct serve_slots *s = base_alloc(1, sizeof *s);
    int64_t open = 0;
    s->period = period;
    s->words = FIRST_WORDS;
    s->word = base_alloc((size_t)s->words, sizeof *s->word);
    s->closed = base_alloc((size_t)(period / WORD + 3), sizeof *s->closed);
    for (int64_t n = 0; n < period + 2 * WORD; n++)
        s->closed[n / WORD] |= (uint64_t)closed[n % period] << (n % WORD);
    for (int64_t n = 0; n < period; n++)
        open += !closed[n];
    assert(open > 0);
    return s;
}

void serve_slots_release(struct serve_slots *slots)
{
    if (!slots)
        return;
    base_free(slots->word);
    base_free(slots->closed);
    base_free(slots);
}

static uint64_t *word_of(const struct serve_slots *s, int64_t w)
{
    return &s->word[w & (s->words - 1)];
}

/* What the pattern closes of a word. */
static uint64_t pattern(const struct serve_slots *s, int64_t w)
{
    int64_t phase = w * WORD % s->period, at = phase / WORD, shift = phase % WORD;
    uint64_t low = s->closed[at] >> shift;
    return shift ? low | s->closed[at + 1] << (WORD - shift) : low;
}

static void enlarge(struct serve_slots *s)
{
    struct serve_slots old = *s;
    s->words *= 2;
    s->word = base_alloc((size_t)s->words, sizeof *s->word);
    for (int64_t w = s->first; w < s->end; w++)
        *word_of(s, w) = *word_of(&old, w);
    base_free(old.word);
}

static uint64_t *reach(struct serve_slots *s, int64_t w)
{
    assert(w >= s->first);
    while (w - s->first >= s->words)
        enlarge(s);
    for (; s->end <= w; s->end++)
        *word_of(s, s->end) = pattern(s, s->end);
    return word_of(s, w);
}

int64_t serve_slots_next(struct serve_slots *slots, int64_t from, int64_t limit)
{
    int64_t w = from / WORD;
    if (from >= limit)
        return limit;
    uint64_t open = ~*reach(slots, w) & ~UINT64_C(0) << (from % WORD);
    while (!open && (w + 1) * WORD < limit)
        open = ~*reach(slots, ++w);
    int64_t place = open ? w * WORD + __builtin_ctzll(open) : limit;
    return place < limit ? place : limit;
}

void serve_slots_take(struct serve_slots *slots, int64_t place)
{
    uint64_t bit = UINT64_C(1) << (place % WORD), *word = reach(slots, place / WORD);
    assert(!(*word & bit));
    *word |= bit;
}

void serve_slots_forget(struct serve_slots *slots, int64_t before)
{
    int64_t w = before / WORD;
    if (w > slots->first)
        slots->first = w;
    if (slots->end < slots->first)
        slots->end = slots->first;
}
