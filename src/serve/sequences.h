/* SPDX-License-Identifier: BSD-3-Clause */
/* Sequences of an engine: the queue of those that wait, and what is known of each. */
#ifndef SERVE_SEQUENCES_H
#define SERVE_SEQUENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/requests.h"

struct serve_sequence {
    size_t number;
    struct serve_outcome *outcome;
    int64_t come_ps; /* is through the front end */
    int64_t last_token_ps;
    int64_t blocks;
    int32_t prompt, output, generated;
    int32_t left;   /* positions that must pass before its next token; 0: it generates */
    int32_t cached; /* positions that have passed */
    int32_t taken;  /* of `left` by the iteration at hand */
};

/* First in, first out, but who was in already may go back to the front. */
struct serve_queue {
    struct serve_sequence *ring; /* [capacity] */
    size_t capacity, first, count;
};

void serve_queue_release(struct serve_queue *queue);
void serve_queue_append(struct serve_queue *queue, struct serve_sequence sequence);
void serve_queue_return(struct serve_queue *queue, struct serve_sequence sequence);

/* The queue must have more than `place` sequences. */
struct serve_sequence *serve_queue_at(const struct serve_queue *queue, size_t place);

/* Takes the first one out of a queue that is not empty. */
struct serve_sequence serve_queue_take(struct serve_queue *queue);

#endif
