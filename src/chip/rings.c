/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of drives in rings over phases; nodes and blocks are used again. */
#include "chip/rings.h"

#include <string.h>

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

static struct ring_block *take_block(struct rings *r)
{
    struct ring_block *block = r->spare_block;
    if (!block)
        return base_alloc(1, sizeof *block + r->data_bytes);
    r->spare_block = block->next;
    return block;
}

static void give_block(struct rings *r, struct ring_node *node)
{
    if (!node->own)
        return;
    node->own->next = r->spare_block;
    r->spare_block = node->own;
    node->own = NULL;
}

static void retire_oldest(struct rings *r)
{
    struct ring_node *node = r->oldest, **link = &r->place[node->place];
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    r->oldest = node->later;
    give_block(r, node);
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
    for (struct ring_block *block = rings->spare_block, *next; block; block = next) {
        next = block->next;
        base_free(block);
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
        node = base_alloc(1, sizeof *node);
    node->later = NULL;
    if (r->oldest)
        r->newest->later = node;
    else
        r->oldest = node;
    r->newest = node;
    return node;
}

static struct ring_node *node_of(struct rings *r, const struct ring_drive *drive)
{
    size_t place = place_of(r, drive->lane, drive->phase);
    while (r->oldest && r->oldest->until < drive->now)
        retire_oldest(r);
    for (struct ring_node *node = r->place[place]; node; node = node->next)
        if (node->phase == drive->phase && node->x == drive->x)
            return node;
    struct ring_node *node = take_node(r);
    node->phase = drive->phase;
    node->until = drive->until;
    node->place = place;
    node->x = (int16_t)drive->x;
    node->next = r->place[place];
    r->place[place] = node;
    return node;
}

void *rings_drive(struct rings *rings, const struct ring_drive *drive)
{
    struct ring_node *node = node_of(rings, drive);
    if (!node->own)
        node->own = take_block(rings);
    node->vector = node->own->data;
    return node->own->data;
}

void rings_refer(struct rings *rings, const struct ring_drive *drive, const void *vector)
{
    struct ring_node *node = node_of(rings, drive);
    give_block(rings, node);
    node->vector = vector;
}

void rings_settle(struct rings *rings, const void *vector)
{
    for (struct ring_node *node = rings->oldest; node; node = node->later) {
        if (node->vector != vector)
            continue;
        node->own = take_block(rings);
        memcpy(node->own->data, vector, rings->data_bytes);
        node->vector = node->own->data;
    }
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
    return nearest ? nearest->vector : NULL;
}
