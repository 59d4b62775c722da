/* SPDX-License-Identifier: BSD-3-Clause */
/* A binary heap; a run stays at its place of the pool until its last member. */
#include "chip/acts.h"

#include "base/memory.h"

void acts_release(struct acts *acts)
{
    base_free(acts->heap);
    base_free(acts->pool);
    base_free(acts->spare);
    *acts = (struct acts){0};
}

void acts_clear(struct acts *acts)
{
    acts->count = acts->pooled = acts->spares = 0;
}

static bool is_before(const struct acts_entry *a, const struct acts_entry *b)
{
    return a->cycle != b->cycle ? a->cycle < b->cycle : a->order < b->order;
}

static void rise(struct acts *acts, size_t n)
{
    struct acts_entry entry = acts->heap[n];
    for (size_t up = (n - 1) / 2; n > 0 && is_before(&entry, &acts->heap[up]); up = (n - 1) / 2) {
        acts->heap[n] = acts->heap[up];
        n = up;
    }
    acts->heap[n] = entry;
}

static void sink(struct acts *acts, size_t n)
{
    struct acts_entry entry = acts->heap[n];
    for (size_t down = 2 * n + 1; down < acts->count; down = 2 * n + 1) {
        if (down + 1 < acts->count && is_before(&acts->heap[down + 1], &acts->heap[down]))
            down++;
        if (!is_before(&acts->heap[down], &entry))
            break;
        acts->heap[n] = acts->heap[down];
        n = down;
    }
    acts->heap[n] = entry;
}

static uint32_t take_place(struct acts *acts)
{
    if (acts->spares)
        return acts->spare[--acts->spares];
    acts->pool = base_grow(acts->pool, &acts->pool_capacity, acts->pooled + 1, sizeof *acts->pool);
    return (uint32_t)acts->pooled++;
}

void acts_put(struct acts *acts, const struct run *run, int64_t cycle, uint64_t order)
{
    uint32_t act = take_place(acts);
    acts->pool[act] = (struct act){*run, 0};
    acts->heap = base_grow(acts->heap, &acts->heap_capacity, acts->count + 1, sizeof *acts->heap);
    acts->heap[acts->count] = (struct acts_entry){cycle, order, act};
    rise(acts, acts->count++);
}

const struct act *acts_next(const struct acts *acts, int64_t *cycle)
{
    if (!acts->count)
        return NULL;
    *cycle = acts->heap[0].cycle;
    return &acts->pool[acts->heap[0].act];
}

void acts_pop(struct acts *acts)
{
    struct acts_entry *least = &acts->heap[0];
    struct act *act = &acts->pool[least->act];
    if (++act->k < act->run.count) {
        least->cycle += act->run.step;
    } else {
        acts->spare =
            base_grow(acts->spare, &acts->spare_capacity, acts->spares + 1, sizeof *acts->spare);
        acts->spare[acts->spares++] = least->act;
        *least = acts->heap[--acts->count];
    }
    if (acts->count)
        sink(acts, 0);
}
