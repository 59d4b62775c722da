/* SPDX-License-Identifier: BSD-3-Clause */
/* Vectors between chips: each follows the promise of its group, in the order of departure. */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "chip/values_room.h"

void values_queue_release(struct values_queue *queue)
{
    base_free(queue->bytes);
    base_free(queue->step);
    *queue = (struct values_queue){0};
}

void values_queue_put(struct values_queue *queue, int32_t step, size_t vector_bytes,
                      const void *vectors, size_t count)
{
    if (queue->first == queue->end)
        queue->first = queue->end = 0;
    size_t end = queue->end + count;
    queue->bytes = base_grow(queue->bytes, &queue->byte_capacity, end * vector_bytes, 1);
    queue->step = base_grow(queue->step, &queue->step_capacity, end, sizeof *queue->step);
    memcpy(queue->bytes + queue->end * vector_bytes, vectors, count * vector_bytes);
    for (; queue->end < end; queue->end++)
        queue->step[queue->end] = step;
}

/* Puts vector n in front of those before it. */
static void prefer(struct values_queue *q, size_t n, size_t vector_bytes)
{
    char *vector = base_alloc(vector_bytes, 1);
    uint8_t *front = q->bytes + q->first * vector_bytes;
    int32_t step = q->step[n];
    memcpy(vector, q->bytes + n * vector_bytes, vector_bytes);
    memmove(front + vector_bytes, front, (n - q->first) * vector_bytes);
    memmove(q->step + q->first + 1, q->step + q->first, (n - q->first) * sizeof *q->step);
    memcpy(front, vector, vector_bytes);
    q->step[q->first] = step;
    base_free(vector);
}

const void *values_queue_take(struct values_queue *queue, int32_t step, size_t vector_bytes)
{
    for (size_t n = queue->first; n < queue->end; n++) {
        if (queue->step[n] != step)
            continue;
        if (n > queue->first)
            prefer(queue, n, vector_bytes);
        return queue->bytes + queue->first++ * vector_bytes;
    }
    return NULL;
}

void values_queue_drop(struct values_queue *queue, int32_t before)
{
    while (queue->first < queue->end && queue->step[queue->first] < before)
        queue->first++;
}

void values_outbox_clear(struct values *values)
{
    for (int32_t link = 0; link < LINKS_OF_CHIP; link++)
        values->out[link].first = values->out[link].end = 0;
}

bool chip_take_vectors(struct chip *chip, int32_t link, struct chip_vectors *sent)
{
    struct values_queue *q = chip->values ? &chip->values->out[link] : NULL;
    struct lpu_port far = lpu_topology_peer(chip->topology, chip->id, link);
    if (!q || q->first == q->end || far.chip < 0)
        return false;
    size_t first = q->first;
    while (q->first < q->end && q->step[q->first] == q->step[first])
        q->first++;
    *sent = (struct chip_vectors){.to_chip = far.chip,
                                  .to_link = far.link,
                                  .step = q->step[first],
                                  .count = (int32_t)(q->first - first),
                                  .bytes = q->bytes + first * chip->values->vector_bytes,
                                  .size = (q->first - first) * chip->values->vector_bytes};
    return true;
}

void chip_deliver_vectors(struct chip *chip, const struct chip_vectors *vectors)
{
    struct values *v = chip->values;
    assert(v && vectors->to_link >= 0 && vectors->to_link < LINKS_OF_CHIP);
    assert(vectors->size == (size_t)vectors->count * v->vector_bytes);
    values_queue_put(&v->in[vectors->to_link], vectors->step, v->vector_bytes, vectors->bytes,
                     (size_t)vectors->count);
}
