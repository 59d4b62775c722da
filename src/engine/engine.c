/* SPDX-License-Identifier: BSD-3-Clause */
/* One partition: the event loop, and who gets which event. */
#include "engine/engine.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

/* Messages for one partition, packed. */
struct outbox {
    char *events;
    size_t count, capacity;
};

struct engine {
    struct engine_client client;
    int32_t partition, partitions;
    struct engine_queue queue;
    struct outbox *outbox;   /* [partitions] */
    int64_t outbox_first_ps; /* earliest message in any outbox */
    int64_t now_ps, events, messages;
};

struct engine *engine_create(const struct engine_client *client, int32_t partition,
                             int32_t partitions)
{
    assert(client->event_bytes % sizeof(int64_t) == 0);
    assert(client->promise_ps != NULL || client->lookahead_ps > 0);
    struct engine *engine = base_alloc(1, sizeof *engine);
    engine->client = *client;
    engine->partition = partition;
    engine->partitions = partitions;
    engine->outbox = base_alloc((size_t)partitions, sizeof *engine->outbox);
    engine->outbox_first_ps = ENGINE_NEVER;
    engine_queue_open(&engine->queue, client->event_bytes);
    return engine;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    for (int32_t i = 0; i < engine->partitions; i++) {
        base_free(engine->outbox[i].events);
    }
    base_free(engine->outbox);
    engine_queue_release(&engine->queue);
    base_free(engine);
}

static int64_t time_of(const void *event)
{
    struct engine_stamp stamp;
    memcpy(&stamp, event, sizeof stamp);
    return stamp.time_ps;
}

static void outbox_add(struct engine *engine, int32_t partition, const void *event)
{
    struct outbox *box = &engine->outbox[partition];
    size_t bytes = engine->client.event_bytes;
    int64_t time = time_of(event);
    assert(engine->client.promise_ps != NULL ||
           time >= engine->now_ps + engine->client.lookahead_ps);
    box->events = base_grow(box->events, &box->capacity, box->count + 1, bytes);
    memcpy(box->events + box->count++ * bytes, event, bytes);
    engine->outbox_first_ps = time < engine->outbox_first_ps ? time : engine->outbox_first_ps;
    engine->messages++;
}

void engine_post(struct engine *engine, int32_t partition, const void *event)
{
    if (partition == engine->partition) {
        engine_queue_push(&engine->queue, event);
    } else {
        outbox_add(engine, partition, event);
    }
}

void engine_advance(struct engine *engine, int64_t until_ps)
{
    struct engine_queue *queue = &engine->queue;
    for (int64_t next = engine_queue_next_ps(queue); next < until_ps;
         next = engine_queue_next_ps(queue)) {
        assert(next >= engine->now_ps);
        engine->now_ps = next;
        engine->events++;
        void *event = engine_queue_take(queue);
        engine->client.handle(engine->client.self, event);
        engine_queue_drop(queue, event);
    }
}

int64_t engine_promise_ps(const struct engine *engine)
{
    const struct engine_client *client = &engine->client;
    if (client->promise_ps != NULL) {
        return client->promise_ps(client->self);
    }
    int64_t next = engine_queue_next_ps(&engine->queue);
    next = engine->outbox_first_ps < next ? engine->outbox_first_ps : next;
    return next == ENGINE_NEVER ? ENGINE_NEVER : next + client->lookahead_ps;
}

bool engine_finished(const struct engine *engine)
{
    return engine->client.finished == NULL || engine->client.finished(engine->client.self);
}

const void *engine_outbox(const struct engine *engine, int32_t partition, size_t *count)
{
    *count = engine->outbox[partition].count;
    return engine->outbox[partition].events;
}

void engine_outbox_clear(struct engine *engine)
{
    for (int32_t i = 0; i < engine->partitions; i++) {
        engine->outbox[i].count = 0;
    }
    engine->outbox_first_ps = ENGINE_NEVER;
}

void engine_accept(struct engine *engine, const void *messages, size_t count)
{
    const char *next = messages;
    for (size_t i = 0; i < count; i++, next += engine->client.event_bytes) {
        assert(time_of(next) >= engine->now_ps);
        engine_queue_push(&engine->queue, next);
    }
}

void engine_each_pending(const struct engine *engine,
                         void (*visit)(void *context, const void *event), void *context)
{
    engine_queue_each(&engine->queue, visit, context);
}

size_t engine_event_bytes(const struct engine *engine)
{
    return engine->client.event_bytes;
}

int32_t engine_partition(const struct engine *engine)
{
    return engine->partition;
}

int32_t engine_partitions(const struct engine *engine)
{
    return engine->partitions;
}

int64_t engine_events(const struct engine *engine)
{
    return engine->events;
}

int64_t engine_messages(const struct engine *engine)
{
    return engine->messages;
}

int64_t engine_now_ps(const struct engine *engine)
{
    return engine->now_ps;
}
