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

static struct ring_node **place_of(const struct rings *r, int32_t lane, int64_t phase)
{
    return &r->place[(size_t)lane * (size_t)r->places + (size_t)(phase & (r->places - 1))];
}

static void retire(struct rings *r, struct ring_node *node)
{
    node->next = r->spare;
    r->spare = node;
}

void rings_clear(struct rings *rings)
{
    size_t places = (size_t)rings->lanes * (size_t)rings->places;
    for (size_t n = 0; n < places; n++)
        for (struct ring_node *node = rings->place[n], *next; node; node = next) {
            next = node->next;
            rings->place[n] = NULL;
            retire(rings, node);
        }
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
    return node;
}

/* Retires what an earlier turn of the ring left behind. */
static void drop_stale(struct rings *r, struct ring_node **place, int64_t phase)
{
    while (*place && (*place)->phase != phase) {
        struct ring_node *node = *place;
        *place = node->next;
        retire(r, node);
    }
}

void *rings_drive(struct rings *rings, int32_t lane, int64_t phase, int32_t x)
{
    struct ring_node **place = place_of(rings, lane, phase);
    drop_stale(rings, place, phase);
    for (struct ring_node *node = *place; node; node = node->next)
        if (node->x == x)
            return node->data;
    struct ring_node *node = take_node(rings);
    node->phase = phase;
    node->x = (int16_t)x;
    node->next = *place;
    *place = node;
    return node->data;
}

const void *rings_sample(const struct rings *rings, int32_t lane, int64_t phase, int32_t x,
                         enum program_direction direction)
{
    const struct ring_node *nearest = NULL;
    int32_t way = direction == PROGRAM_EAST ? 1 : -1;
    for (const struct ring_node *n = *place_of(rings, lane, phase); n; n = n->next)
        if (n->phase == phase && way * (x - n->x) >= 0 &&
            (!nearest || way * (n->x - nearest->x) > 0))
            nearest = n;
    return nearest ? nearest->data : NULL;
}
