/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows in shared memory: each rank writes its page, all pass a barrier, each reads the others'.
 *
 * Pages are double: a rank that is a window ahead writes the other one. Messages that do not fit
 * into a page go by MPI in that window, for all ranks. */
#include "parallel/windows_meet.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "parallel/place.h"

enum { PAGE_BYTES = 1 << 16, CACHE_LINE = 64, SPINS = 2000 };

/* What a rank shows the others in one window; message counts by rank, then the messages, follow. */
struct page {
    int64_t promise_ps, stop_signal;
    int64_t overflow; /* messages that did not fit: all go by MPI */
    int64_t messages; /* of all destinations */
};

struct barrier {
    _Alignas(CACHE_LINE) atomic_int arrived;
    _Alignas(CACHE_LINE) atomic_int generation;
};

struct windows_shared {
    MPI_Comm ranks;
    MPI_Win window;
    int rank, size;
    struct barrier *barrier;
    char **page; /* [rank]: two pages each */
    int turn, generation;
    bool yields;
};

static char *page_of(const struct windows_shared *shared, int rank)
{
    return shared->page[rank] + (size_t)shared->turn * PAGE_BYTES;
}

static int64_t *counts_of(char *page)
{
    return (int64_t *)(void *)(page + sizeof(struct page));
}

static char *messages_of(const struct windows_shared *shared, char *page)
{
    return page + sizeof(struct page) + (size_t)shared->size * sizeof(int64_t);
}

static bool on_one_host(MPI_Comm ranks)
{
    MPI_Comm host;
    int size, together;
    MPI_Comm_size(ranks, &size);
    MPI_Comm_split_type(ranks, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &together);
    MPI_Comm_free(&host);
    int all = together == size;
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, ranks);
    return all != 0;
}

static void map_pages(struct windows_shared *shared)
{
    MPI_Aint bytes = CACHE_LINE * 4 + 2 * (MPI_Aint)PAGE_BYTES;
    char *own;
    MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, shared->ranks, (void *)&own, &shared->window);
    for (int i = 0; i < shared->size; i++) {
        MPI_Aint size;
        int unit;
        char *base;
        MPI_Win_shared_query(shared->window, i, &size, &unit, (void *)&base);
        size_t skew = (size_t)(CACHE_LINE - (uintptr_t)base % CACHE_LINE) % CACHE_LINE;
        shared->page[i] = base + skew + sizeof(struct barrier);
        if (i == 0) {
            shared->barrier = (struct barrier *)(void *)(base + skew);
        }
    }
}

struct windows_shared *windows_shared_open(MPI_Comm ranks)
{
    if (!on_one_host(ranks)) {
        return NULL;
    }
    struct windows_shared *shared = base_alloc(1, sizeof *shared);
    shared->ranks = ranks;
    MPI_Comm_rank(ranks, &shared->rank);
    MPI_Comm_size(ranks, &shared->size);
    shared->page = base_alloc((size_t)shared->size, sizeof *shared->page);
    shared->yields = parallel_ranks_yield();
    map_pages(shared);
    if (shared->rank == 0) {
        atomic_init(&shared->barrier->arrived, 0);
        atomic_init(&shared->barrier->generation, 0);
    }
    MPI_Barrier(ranks);
    return shared;
}

void windows_shared_close(struct windows_shared *shared)
{
    if (shared != NULL) {
        MPI_Win_free(&shared->window);
        base_free(shared->page);
        base_free(shared);
    }
}

/* The last to arrive opens the next generation. Spins a little where every rank has a core of its
 * own. */
static void pass_barrier(struct windows_shared *shared)
{
    struct barrier *barrier = shared->barrier;
    int next = ++shared->generation;
    if (atomic_fetch_add(&barrier->arrived, 1) == shared->size - 1) {
        atomic_store(&barrier->arrived, 0);
        atomic_store(&barrier->generation, next);
        return;
    }
    int spins = shared->yields ? 0 : SPINS;
    while (atomic_load(&barrier->generation) != next) {
        if (spins-- <= 0) {
            sched_yield();
        }
    }
}

static void write_page(const struct windows_shared *shared, const struct engine *engine,
                       struct windows_call call)
{
    char *page = page_of(shared, shared->rank);
    char *next = messages_of(shared, page), *end = page + PAGE_BYTES;
    struct page head = {call.promise_ps, call.stop_signal, 0, 0};
    for (int i = 0; i < shared->size; i++) {
        size_t count;
        const void *messages = engine_outbox(engine, i, &count);
        size_t bytes = count * engine_event_bytes(engine);
        if (next + bytes > end) {
            head.overflow = 1;
            break;
        }
        counts_of(page)[i] = (int64_t)count;
        head.messages += (int64_t)count;
        if (count > 0) {
            memcpy(next, messages, bytes);
            next += bytes;
        }
    }
    memcpy(page, &head, sizeof head);
}

static void read_page(const struct windows_shared *shared, struct engine *engine, int from)
{
    char *page = page_of(shared, from);
    const char *next = messages_of(shared, page);
    for (int i = 0; i < shared->rank; i++) {
        next += (size_t)counts_of(page)[i] * engine_event_bytes(engine);
    }
    engine_accept(engine, next, (size_t)counts_of(page)[shared->rank]);
}

struct windows_call windows_shared_meet(struct windows_shared *shared, struct engine *engine,
                                        struct windows_call call)
{
    int64_t overflow = 0;
    write_page(shared, engine, call);
    pass_barrier(shared);
    for (int i = 0; i < shared->size; i++) {
        struct page head;
        memcpy(&head, page_of(shared, i), sizeof head);
        call.promise_ps = head.promise_ps < call.promise_ps ? head.promise_ps : call.promise_ps;
        call.stop_signal =
            head.stop_signal > call.stop_signal ? head.stop_signal : call.stop_signal;
        overflow += head.overflow;
    }
    if (overflow > 0) {
        windows_mpi_exchange(shared->ranks, engine);
    } else {
        for (int i = 0; i < shared->size; i++) {
            struct page head;
            memcpy(&head, page_of(shared, i), sizeof head);
            if (head.messages > 0) {
                read_page(shared, engine, i);
            }
        }
        engine_outbox_clear(engine);
    }
    shared->turn = 1 - shared->turn;
    return call;
}
