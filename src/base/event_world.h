/* SPDX-License-Identifier: BSD-3-Clause */
/* One partition of an event simulation, as the engine of conservative time windows drives it. */
#ifndef BASE_EVENT_WORLD_H
#define BASE_EVENT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "Never": no event is pending, no message will come. */
#define EVENT_WORLD_NEVER INT64_MAX

/* What a partition can do; times in picoseconds. A window is: every partition states its promise,
 * all advance to the least of them, messages change hands. The promise must exceed the time of the
 * earliest pending event. */
struct event_world {
    void *self;
    size_t message_bytes; /* fixed size of one message, plain data */

    /* Earliest time at which a message not yet sent could take effect in another partition if
     * nothing more arrives here, messages in the outbox included as if they had been accepted
     * there. EVENT_WORLD_NEVER: none will be. */
    int64_t (*promise_ps)(const void *self);

    /* Handles all pending events before `until_ps`, in the order of (time, key). */
    void (*advance)(void *self, int64_t until_ps);

    /* Messages for `partition` since the last clear; they stay the world's. */
    size_t (*outbox)(const void *self, int32_t partition, const void **messages);
    void (*outbox_clear)(void *self);

    /* Takes `count` messages from other partitions, in any order. */
    void (*accept)(void *self, const void *messages, size_t count);

    /* Whether everything here that had to happen has happened. */
    bool (*finished)(const void *self);

    /* Events handled so far, and the time of the latest. */
    int64_t (*events)(const void *self);
    int64_t (*now_ps)(const void *self);
};

#endif
