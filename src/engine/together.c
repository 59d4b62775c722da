/* SPDX-License-Identifier: BSD-3-Clause */
/* All partitions in one process, window after window: the plainest way, and what ranks must equal.
 */
#include "engine/engine.h"

static int64_t least_promise(struct engine *const *engine, int32_t count)
{
    int64_t least = ENGINE_NEVER;
    for (int32_t i = 0; i < count; i++) {
        int64_t promise = engine_promise_ps(engine[i]);
        least = promise < least ? promise : least;
    }
    return least;
}

static void exchange(struct engine *const *engine, int32_t count)
{
    for (int32_t from = 0; from < count; from++) {
        for (int32_t to = 0; to < count; to++) {
            size_t messages;
            const void *first = engine_outbox(engine[from], to, &messages);
            engine_accept(engine[to], first, messages);
        }
        engine_outbox_clear(engine[from]);
    }
}

int64_t engine_run_together(struct engine *const *engine)
{
    int32_t count = engine_partitions(engine[0]);
    int64_t windows = 0, until;
    do {
        until = count > 1 ? least_promise(engine, count) : ENGINE_NEVER;
        exchange(engine, count);
        for (int32_t i = 0; i < count; i++) {
            engine_advance(engine[i], until);
        }
        windows++;
    } while (until != ENGINE_NEVER);
    return windows;
}
