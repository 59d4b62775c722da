/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows by messages: one exchange of notes among all, then all events for a rank in one message,
 * where there are any. */
#include "parallel/windows_meet.h"

#include "base/memory.h"

/* What a rank tells another in a window. */
struct note {
    int64_t promise_ps, stop_signal;
    int64_t events; /* that follow, in one message */
};

enum { NOTE_WORDS = sizeof(struct note) / sizeof(int64_t) };

struct windows_mpi {
    MPI_Comm ranks;
    MPI_Datatype event;
    int size;
    struct note *out, *in; /* [rank] */
    MPI_Request *request;  /* [2 * size] */
    char *inbox;
    size_t capacity; /* bytes */
};

struct windows_mpi *windows_mpi_open(MPI_Comm ranks, const struct engine *engine)
{
    struct windows_mpi *mpi = base_alloc(1, sizeof *mpi);
    mpi->ranks = ranks;
    MPI_Comm_size(ranks, &mpi->size);
    MPI_Type_contiguous((int)engine_event_bytes(engine), MPI_BYTE, &mpi->event);
    MPI_Type_commit(&mpi->event);
    mpi->out = base_alloc((size_t)mpi->size, sizeof *mpi->out);
    mpi->in = base_alloc((size_t)mpi->size, sizeof *mpi->in);
    mpi->request = base_alloc(2 * (size_t)mpi->size, sizeof(MPI_Request));
    return mpi;
}

void windows_mpi_close(struct windows_mpi *mpi)
{
    if (mpi != NULL) {
        MPI_Type_free(&mpi->event);
        base_free(mpi->out);
        base_free(mpi->in);
        base_free(mpi->request);
        base_free(mpi->inbox);
        base_free(mpi);
    }
}

static void exchange_notes(struct windows_mpi *mpi, const struct engine *engine,
                           struct windows_call call)
{
    for (int i = 0; i < mpi->size; i++) {
        size_t events;
        engine_outbox(engine, i, &events);
        mpi->out[i] = (struct note){call.promise_ps, call.stop_signal, (int64_t)events};
    }
    MPI_Alltoall(mpi->out, NOTE_WORDS, MPI_INT64_T, mpi->in, NOTE_WORDS, MPI_INT64_T, mpi->ranks);
}

static int64_t count_incoming(const struct windows_mpi *mpi)
{
    int64_t events = 0;
    for (int i = 0; i < mpi->size; i++) {
        events += mpi->in[i].events;
    }
    return events;
}

static void exchange_events(struct windows_mpi *mpi, struct engine *engine)
{
    size_t bytes = engine_event_bytes(engine), total = (size_t)count_incoming(mpi);
    mpi->inbox = base_grow(mpi->inbox, &mpi->capacity, total * bytes, 1);
    char *next = mpi->inbox;
    int requests = 0;
    for (int i = 0; i < mpi->size; i++) {
        size_t out, in = (size_t)mpi->in[i].events;
        const void *events = engine_outbox(engine, i, &out);
        if (in > 0) {
            MPI_Irecv(next, (int)in, mpi->event, i, 0, mpi->ranks, &mpi->request[requests++]);
            next += in * bytes;
        }
        if (out > 0) {
            MPI_Isend(events, (int)out, mpi->event, i, 0, mpi->ranks, &mpi->request[requests++]);
        }
    }
    MPI_Waitall(requests, mpi->request, MPI_STATUSES_IGNORE);
    engine_outbox_clear(engine);
    engine_accept(engine, mpi->inbox, total);
}

struct windows_call windows_mpi_meet(struct windows_mpi *mpi, struct engine *engine,
                                     struct windows_call call)
{
    exchange_notes(mpi, engine, call);
    for (int i = 0; i < mpi->size; i++) {
        const struct note *note = &mpi->in[i];
        call.promise_ps = note->promise_ps < call.promise_ps ? note->promise_ps : call.promise_ps;
        call.stop_signal =
            note->stop_signal > call.stop_signal ? note->stop_signal : call.stop_signal;
    }
    exchange_events(mpi, engine);
    return call;
}
