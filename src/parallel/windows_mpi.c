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

static void pack(struct boxes *boxes, const struct event_world *world)
{
    const void *messages;
    for (int i = 0; i < boxes->ranks; i++) {
        boxes->count[i] = (int)(world->outbox(world->self, i, &messages) * world->message_bytes);
    }
    boxes_lay_out(boxes);
    for (int i = 0; i < boxes->ranks; i++) {
        world->outbox(world->self, i, &messages);
        if (boxes->count[i] > 0) {
            memcpy(boxes->bytes + boxes->offset[i], messages, (size_t)boxes->count[i]);
        }
    }
}

void windows_mpi_exchange(MPI_Comm ranks, struct event_world *world)
{
    struct boxes out = boxes_open(ranks), in = boxes_open(ranks);
    pack(&out, world);
    MPI_Alltoall(out.count, 1, MPI_INT, in.count, 1, MPI_INT, ranks);
    boxes_lay_out(&in);
    MPI_Alltoallv(out.bytes, out.count, out.offset, MPI_BYTE, in.bytes, in.count, in.offset,
                  MPI_BYTE, ranks);
    world->outbox_clear(world->self);
    world->accept(world->self, in.bytes, in.total / world->message_bytes);
    boxes_close(&out);
    boxes_close(&in);
}

static int64_t has_messages(const struct event_world *world, MPI_Comm ranks)
{
    int size;
    const void *messages;
    MPI_Comm_size(ranks, &size);
    for (int i = 0; i < size; i++) {
        if (world->outbox(world->self, i, &messages) > 0) {
            return 1;
        }
    }
    return 0;
}

/* One reduction to the least of three: maxima travel with their sign turned. */
struct windows_call windows_mpi_meet(MPI_Comm ranks, struct event_world *world,
                                     struct windows_call call)
{
    int64_t least[3] = {call.promise_ps, -call.stop_signal, -has_messages(world, ranks)};
    MPI_Allreduce(MPI_IN_PLACE, least, 3, MPI_INT64_T, MPI_MIN, ranks);
    if (least[2] < 0) {
        windows_mpi_exchange(ranks, world);
    }
    return (struct windows_call){least[0], -least[1]};
}
