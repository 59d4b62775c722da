/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows in shared memory: each rank publishes its page, and reads the others' as they appear.
 *
 * Nobody passes a barrier: a rank goes on when it has seen all pages of the window. Pages are
 * double: a rank may be a window ahead, but not two, since it waits for everybody's page in
 * between. Messages that do not fit into a page follow in another round of the same window, for all
 * ranks. */
#include "parallel/windows_meet.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/room.h"

enum { PAGE_BYTES = 1 << 18, CACHE_LINE = 64, LOOKS = 64 };

/* Where a rank sleeps: with what it waits for, so that only that wakes it. */
struct bed {
    _Alignas(CACHE_LINE) atomic_int awaited; /* 1 + the rank; 0: awake */
    sem_t bell;
};

/* What a rank shows the others in one round; their portions and the messages follow. */
struct page {
    _Alignas(CACHE_LINE) atomic_llong round; /* the page is complete for this round */
    int64_t promise_ps, stop_signal;
    int64_t more; /* messages that did not fit: another round */
};

/* Messages for one rank, in bytes from the start of the page. */
struct portion {
    int32_t offset;
    int32_t count;
};

/* How far a rank has got in handing out its messages. */
struct cursor {
    int to;
    size_t sent; /* of those for `to` */
};

struct windows_shared {
    MPI_Comm ranks;
    MPI_Win window;
    int rank, size;
    char **page; /* [rank]: two pages each, behind its bed */
    long long round;
    bool own_core; /* for every rank */
};

static struct bed *bed_of(const struct windows_shared *shared, int rank)
{
    return (struct bed *)(void *)(shared->page[rank] - sizeof(struct bed));
}

static struct page *page_of(const struct windows_shared *shared, int rank)
{
    return (struct page *)(void *)(shared->page[rank] + (size_t)(shared->round % 2) * PAGE_BYTES);
}

static struct portion *portions_of(struct page *page)
{
    return (struct portion *)(void *)(page + 1);
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
    MPI_Aint bytes = CACHE_LINE + (MPI_Aint)sizeof(struct bed) + 2 * (MPI_Aint)PAGE_BYTES;
    char *own;
    MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, shared->ranks, (void *)&own, &shared->window);
    for (int i = 0; i < shared->size; i++) {
        MPI_Aint size;
        int unit;
        char *base;
        MPI_Win_shared_query(shared->window, i, &size, &unit, (void *)&base);
        size_t skew = (size_t)(CACHE_LINE - (uintptr_t)base % CACHE_LINE) % CACHE_LINE;
        shared->page[i] = base + skew + sizeof(struct bed);
    }
}

/* Rounds count from 1: pages begin as those of round 0. */
static void clear_own(const struct windows_shared *shared)
{
    struct bed *bed = bed_of(shared, shared->rank);
    atomic_init(&bed->awaited, 0);
    if (sem_init(&bed->bell, 1, 0) != 0) {
        parallel_abort(BASE_FAILURE, "no semaphore in shared memory: %s", strerror(errno));
    }
    for (int turn = 0; turn < 2; turn++) {
        char *page = shared->page[shared->rank] + (size_t)turn * PAGE_BYTES;
        atomic_init(&((struct page *)(void *)page)->round, 0);
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
    shared->own_core = shared->size <= parallel_host_cores();
    map_pages(shared);
    clear_own(shared);
    MPI_Barrier(ranks);
    return shared;
}

void windows_shared_close(struct windows_shared *shared)
{
    if (shared != NULL) {
        sem_destroy(&bed_of(shared, shared->rank)->bell);
        MPI_Win_free(&shared->window);
        base_free(shared->page);
        base_free(shared);
    }
}

static bool is_there(const struct windows_shared *shared, struct page *page)
{
    return atomic_load(&page->round) == shared->round;
}

/* Sleeps until the rank may have published. Whoever publishes looks whether it is awaited; whoever
 * lies down looks whether it has been published: one of the two sees the other. */
static void sleep_for(const struct windows_shared *shared, int rank, struct page *page)
{
    struct bed *bed = bed_of(shared, shared->rank);
    atomic_store(&bed->awaited, rank + 1);
    if (is_there(shared, page) && atomic_exchange(&bed->awaited, 0) != 0) {
        return;
    }
    while (sem_wait(&bed->bell) != 0 && errno == EINTR) {
    }
}

static void wake_others(const struct windows_shared *shared)
{
    for (int i = 0; i < shared->size; i++) {
        struct bed *bed = bed_of(shared, i);
        int me = shared->rank + 1;
        if (atomic_load(&bed->awaited) == me &&
            atomic_compare_exchange_strong(&bed->awaited, &me, 0)) {
            sem_post(&bed->bell);
        }
    }
}

/* Waits for a rank's page of this round: by looking, where every rank has a core of its own, or
 * letting others run between looks; and asleep when that has lasted, because the other is late or
 * others had the core. */
static struct page *await_page(const struct windows_shared *shared, int rank)
{
    static const double patience_s = 50e-6;
    struct page *page = page_of(shared, rank);
    double since_s = 0;
    for (int looks = 1; !is_there(shared, page); looks++) {
        if (shared->own_core && looks % LOOKS != 0) {
            continue;
        }
        if (!shared->own_core) {
            sched_yield();
        }
        double now_s = parallel_clock_seconds();
        since_s = since_s > 0 ? since_s : now_s;
        if (now_s - since_s > patience_s) {
            sleep_for(shared, rank, page);
        }
    }
    return page;
}

/* Copies what is left for one rank as far as there is room; returns whether it was all. */
static bool hand_out(struct page *page, const struct engine *engine, struct cursor *cursor,
                     int32_t *end)
{
    size_t bytes = engine_event_bytes(engine), count;
    const char *messages = engine_outbox(engine, cursor->to, &count);
    size_t room = (size_t)(PAGE_BYTES - *end) / bytes, left = count - cursor->sent;
    size_t now = left < room ? left : room;
    portions_of(page)[cursor->to] = (struct portion){*end, (int32_t)now};
    if (now > 0) {
        memcpy((char *)page + *end, messages + cursor->sent * bytes, now * bytes);
    }
    *end += (int32_t)(now * bytes);
    cursor->sent += now;
    return now == left;
}

static void publish(const struct windows_shared *shared, const struct engine *engine,
                    struct windows_call call, struct cursor *cursor)
{
    struct page *page = page_of(shared, shared->rank);
    size_t head = sizeof *page + (size_t)shared->size * sizeof(struct portion);
    int32_t end = (int32_t)head;
    assert(head + engine_event_bytes(engine) <= PAGE_BYTES);
    memset(portions_of(page), 0, (size_t)shared->size * sizeof(struct portion));
    while (cursor->to < shared->size && hand_out(page, engine, cursor, &end)) {
        *cursor = (struct cursor){cursor->to + 1, 0};
    }
    page->promise_ps = call.promise_ps;
    page->stop_signal = call.stop_signal;
    page->more = cursor->to < shared->size;
    atomic_store(&page->round, shared->round);
    wake_others(shared);
}

/* Reads the pages of all others; returns whether any rank has more messages. */
static bool read_pages(const struct windows_shared *shared, struct engine *engine,
                       struct windows_call *call)
{
    int64_t more = page_of(shared, shared->rank)->more;
    for (int i = 1; i < shared->size; i++) {
        struct page *page = await_page(shared, (shared->rank + i) % shared->size);
        struct portion portion = portions_of(page)[shared->rank];
        call->promise_ps =
            page->promise_ps < call->promise_ps ? page->promise_ps : call->promise_ps;
        call->stop_signal =
            page->stop_signal > call->stop_signal ? page->stop_signal : call->stop_signal;
        more |= page->more;
        engine_accept(engine, (char *)page + portion.offset, (size_t)portion.count);
    }
    return more != 0;
}

struct windows_call windows_shared_meet(struct windows_shared *shared, struct engine *engine,
                                        struct windows_call call)
{
    struct windows_call all = call;
    struct cursor cursor = {0};
    do {
        shared->round++;
        publish(shared, engine, call, &cursor);
    } while (read_pages(shared, engine, &all));
    engine_outbox_clear(engine);
    return all;
}
