/* SPDX-License-Identifier: BSD-3-Clause */
/* PHOLD as a client of the engine; one block of random bits an event. */
#include "phold.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "digest.h"
#include "engine/blocks.h"

struct event {
    int64_t time_ps;
    uint64_t key; /* sender, and how many it has sent before */
    int64_t target;
};

struct object {
    uint64_t digest;
    uint32_t sent;
};

struct phold {
    struct phold_spec spec;
    struct engine *engine;
    int32_t first, count;
    struct object *object; /* [count] */
};

static int32_t owner(const struct phold *phold, int32_t object)
{
    bool here = object >= phold->first && object < phold->first + phold->count;
    return here ? engine_partition(phold->engine)
                : engine_block_owner(phold->spec.objects, engine_partitions(phold->engine), object);
}

/* Upper 32 bits choose whether to leave, the lower where to. */
static int32_t choose_target(const struct phold_spec *spec, int32_t from, uint64_t bits)
{
    if ((double)(bits >> 32) >= spec->remote * 0x1.0p32) {
        return from;
    }
    return (int32_t)((bits & UINT32_MAX) * (uint64_t)spec->objects >> 32);
}

static int64_t draw_delay(const struct phold_spec *spec, uint64_t bits)
{
    double uniform = ((double)(bits >> 11) + 0.5) * 0x1.0p-53;
    return spec->lookahead_ps + (int64_t)(-log(uniform) * (double)spec->mean_ps + 0.5);
}

static void send(struct phold *phold, int32_t from, int64_t now_ps)
{
    const struct phold_spec *spec = &phold->spec;
    struct object *object = &phold->object[from - phold->first];
    struct base_random_pair draw =
        base_random_pair(spec->seed, BASE_RANDOM_PLAY, (uint64_t)from, object->sent);
    int32_t target = choose_target(spec, from, draw.bits[0]);
    const struct event event = {now_ps + draw_delay(spec, draw.bits[1]),
                                (uint64_t)from << 32 | object->sent++, target};
    if (event.time_ps < spec->end_ps) {
        engine_post(phold->engine, owner(phold, target), &event);
    }
}

static void handle(void *self, const void *what)
{
    struct phold *phold = self;
    const struct event *event = what;
    int32_t target = (int32_t)event->target;
    struct object *object = &phold->object[target - phold->first];
    object->digest = digest_event(object->digest, event->time_ps, event->key);
    send(phold, target, event->time_ps);
}

struct phold *phold_create(const struct phold_spec *spec, int32_t partition, int32_t partitions)
{
    struct phold *phold = base_alloc(1, sizeof *phold);
    const struct engine_client client = {.self = phold,
                                         .event_bytes = sizeof(struct event),
                                         .handle = handle,
                                         .lookahead_ps = spec->lookahead_ps};
    phold->spec = *spec;
    phold->engine = engine_create(&client, partition, partitions);
    phold->first = engine_block_first(spec->objects, partitions, partition);
    phold->count = engine_block_first(spec->objects, partitions, partition + 1) - phold->first;
    phold->object = base_alloc((size_t)phold->count, sizeof *phold->object);
    for (int32_t i = 0; i < phold->count; i++) {
        phold->object[i].digest = (uint64_t)(phold->first + i);
    }
    for (int32_t i = 0; i < phold->count; i++) {
        send(phold, phold->first + i, 0);
    }
    return phold;
}

void phold_free(struct phold *phold)
{
    if (phold != NULL) {
        engine_free(phold->engine);
        base_free(phold->object);
        base_free(phold);
    }
}

struct engine *phold_engine(struct phold *phold)
{
    return phold->engine;
}

uint64_t phold_digest(const struct phold *phold)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < phold->count; i++) {
        sum += phold->object[i].digest;
    }
    return sum;
}
