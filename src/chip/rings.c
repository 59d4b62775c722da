/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of drives in rings over phases; nodes are used again. */
#include "chip/rings.h"

#include "base/memory.h"

struct rings rings_create(int32_t lanes, int64_t span, size_t data_bytes)
{
    struct rings r = {.lanes = lanes, .places = 1, .data_bytes = data_bytes};
    while (r.places < span)
        r.places *= 2;
    r.place = base_alloc((size_t)lanes * (size_t)r.places, sizeof(struct ring_node *));
    return r;
}

static size_t place_of(const struct rings *r, int32_t lane, int64_t phase)
{
    return (size_t)lane * (size_t)r->places + (size_t)(phase & (r->places - 1));
}

static void retire_oldest(struct rings *r)
{
    struct ring_node *node = r->oldest, **link = &r->place[node->place];
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    r->oldest = node->later;
    node->next = r->spare;
    r->spare = node;
}

void rings_clear(struct rings *rings)
{
    while (rings->oldest)
        retire_oldest(rings);
}

void rings_release(struct rings *rings)
{
    if (!rings->place)
        return;
    rings_clear(rings);
    for (struct ring_node *node = rings->spare, *next; node; node = next) {
        next = node->next;
        base_free(node);
    }
    base_free(rings->place);
    *rings = (struct rings){0};
}

static struct ring_node *take_node(struct rings *r)
{
    struct ring_node *node = r->spare;
    if (node)
        r->spare = node->next;
    else
        node = base_alloc(1, sizeof *node + r->data_bytes);
    node->later = NULL;
    if (r->oldest)
        r->newest->later = node;
    else
        r->oldest = node;
    r->newest = node;
    return node;
}

void *rings_drive(struct rings *rings, int64_t now, int64_t until, int32_t lane, int64_t phase,
                  int32_t x)
{
    size_t place = place_of(rings, lane, phase);
    while (rings->oldest && rings->oldest->until < now)
        retire_oldest(rings);
    for (struct ring_node *node = rings->place[place]; node; node = node->next)
        if (node->phase == phase && node->x == x)
            return node->data;
    struct ring_node *node = take_node(rings);
    node->phase = phase;
    node->until = until;
    node->place = place;
    node->x = (int16_t)x;
    node->next = rings->place[place];
    rings->place[place] = node;
    return node->data;
}

const void *rings_sample(const struct rings *rings, int32_t lane, int64_t phase, int32_t x,
                         enum program_direction direction)
{
    const struct ring_node *nearest = NULL;
    int32_t way = direction == PROGRAM_EAST ? 1 : -1;
    for (const struct ring_node *n = rings->place[place_of(rings, lane, phase)]; n; n = n->next)
        if (n->phase == phase && way * (x - n->x) >= 0 &&
            (!nearest || way * (n->x - nearest->x) > 0))
            nearest = n;
    return nearest ? nearest->data : NULL;
}
