/* SPDX-License-Identifier: BSD-3-Clause */
/* A conservative event engine: one partition of a simulation, its clock, its events and its mail.
 *
 * The client owns what is simulated and knows where an event belongs; the engine knows times, keys
 * and partitions. All partitions go through windows together: each states its promise, all advance
 * to the least of them, messages change hands (parallel/windows.h on ranks, engine_run_together in
 * one process). Within a partition events are handled in the order of (time, key). If the keys of a
 * client do not depend on the partitioning, and an event touches only what belongs to its
 * partition, nor do the results. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/queue.h"

/* "Never": no event is pending, no message will come. */
#define ENGINE_NEVER INT64_MAX

/* What is simulated. Events are plain data and begin with a struct engine_stamp, or with its
 * members; times in picoseconds, not negative. */
struct engine_client {
    void *self;
    size_t event_bytes; /* a multiple of 8 */

    /* What the event does; it may post. `event` is valid until it returns. */
    void (*handle)(void *self, const void *event);

    /* What is posted to another partition lies at least so far ahead of the event at hand; > 0. Not
     * read where there is a promise. */
    int64_t lookahead_ps;

    /* NULL: earliest event, pending or in the outbox, plus lookahead. Earliest time at which a
     * message not yet posted could take effect in another partition if nothing more arrives here,
     * messages in the outbox included as if they had been accepted there. ENGINE_NEVER: none will
     * be. It must exceed the time of the earliest pending event. */
    int64_t (*promise_ps)(const void *self);

    /* NULL: always. Whether everything here that had to happen has happened. */
    bool (*finished)(const void *self);
};

struct engine;

/* Partition `partition` of `partitions`. Free with engine_free. */
struct engine *engine_create(const struct engine_client *client, int32_t partition,
                             int32_t partitions);
void engine_free(struct engine *engine);

/* Copies an event into the queue of this partition or the outbox for another. */
void engine_post(struct engine *engine, int32_t partition, const void *event);

/* Handles all pending events before `until_ps` in the order of (time, key). */
void engine_advance(struct engine *engine, int64_t until_ps);

int64_t engine_promise_ps(const struct engine *engine);
bool engine_finished(const struct engine *engine);

/* Messages for `partition` since the last clear; they stay the engine's. */
const void *engine_outbox(const struct engine *engine, int32_t partition, size_t *count);
void engine_outbox_clear(struct engine *engine);

/* Takes `count` messages from other partitions, in any order. */
void engine_accept(struct engine *engine, const void *messages, size_t count);

/* Shows every pending event of this partition, in no order. */
void engine_each_pending(const struct engine *engine,
                         void (*visit)(void *context, const void *event), void *context);

size_t engine_event_bytes(const struct engine *engine);
int32_t engine_partition(const struct engine *engine);
int32_t engine_partitions(const struct engine *engine);

/* Events handled, messages posted to other partitions, time of the latest event. */
int64_t engine_events(const struct engine *engine);
int64_t engine_messages(const struct engine *engine);
int64_t engine_now_ps(const struct engine *engine);

/* All partitions of a simulation, [partitions], in one process; returns the number of windows.
 * Whether they are finished is for the caller to ask. */
int64_t engine_run_together(struct engine *const *engine);

#endif
