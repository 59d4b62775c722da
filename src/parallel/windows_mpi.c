/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows by MPI collectives: one reduction each, an exchange only where there are messages. */
#include "parallel/windows_meet.h"

#include <string.h>

#include "base/memory.h"

struct boxes {
    int ranks, *count, *offset;
    char *bytes;
    size_t total;
};

static struct boxes boxes_open(MPI_Comm ranks)
{
    struct boxes boxes = {0};
    MPI_Comm_size(ranks, &boxes.ranks);
    boxes.count = base_alloc((size_t)boxes.ranks, sizeof *boxes.count);
    boxes.offset = base_alloc((size_t)boxes.ranks, sizeof *boxes.offset);
    return boxes;
}

static void boxes_lay_out(struct boxes *boxes)
{
    boxes->total = 0;
    for (int i = 0; i < boxes->ranks; i++) {
        boxes->offset[i] = (int)boxes->total;
        boxes->total += (size_t)boxes->count[i];
    }
    boxes->bytes = base_alloc(boxes->total, 1);
}

static void boxes_close(struct boxes *boxes)
{
    base_free(boxes->count);
    base_free(boxes->offset);
    base_free(boxes->bytes);
}

static void pack(struct boxes *boxes, const struct engine *engine)
{
    size_t count;
    for (int i = 0; i < boxes->ranks; i++) {
        engine_outbox(engine, i, &count);
        boxes->count[i] = (int)(count * engine_event_bytes(engine));
    }
    boxes_lay_out(boxes);
    for (int i = 0; i < boxes->ranks; i++) {
        const void *messages = engine_outbox(engine, i, &count);
        if (boxes->count[i] > 0) {
            memcpy(boxes->bytes + boxes->offset[i], messages, (size_t)boxes->count[i]);
        }
    }
}

void windows_mpi_exchange(MPI_Comm ranks, struct engine *engine)
{
    struct boxes out = boxes_open(ranks), in = boxes_open(ranks);
    pack(&out, engine);
    MPI_Alltoall(out.count, 1, MPI_INT, in.count, 1, MPI_INT, ranks);
    boxes_lay_out(&in);
    MPI_Alltoallv(out.bytes, out.count, out.offset, MPI_BYTE, in.bytes, in.count, in.offset,
                  MPI_BYTE, ranks);
    engine_outbox_clear(engine);
    engine_accept(engine, in.bytes, in.total / engine_event_bytes(engine));
    boxes_close(&out);
    boxes_close(&in);
}

static int64_t has_messages(const struct engine *engine, MPI_Comm ranks)
{
    int size;
    MPI_Comm_size(ranks, &size);
    for (int i = 0; i < size; i++) {
        size_t count;
        engine_outbox(engine, i, &count);
        if (count > 0) {
            return 1;
        }
    }
    return 0;
}

/* One reduction to the least of three: maxima travel with their sign turned. */
struct windows_call windows_mpi_meet(MPI_Comm ranks, struct engine *engine,
                                     struct windows_call call)
{
    int64_t least[3] = {call.promise_ps, -call.stop_signal, -has_messages(engine, ranks)};
    MPI_Allreduce(MPI_IN_PLACE, least, 3, MPI_INT64_T, MPI_MIN, ranks);
    if (least[2] < 0) {
        windows_mpi_exchange(ranks, engine);
    }
    return (struct windows_call){least[0], -least[1]};
}
