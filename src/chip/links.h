/* SPDX-License-Identifier: BSD-3-Clause */
/* Links: slots of sends (rule 7) and agreement with what the far end promised (rule 8). */
#ifndef CHIP_LINKS_H
#define CHIP_LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "chip/chip.h"
#include "chip/order.h"

enum { LINKS_OF_CHIP = CHIP_LINKS };

/* Messages in the order in which they arrived; taken from `first` on. Those of several steps may
 * stand in one queue. */
struct links_queue {
    struct chip_message *at;
    size_t first, count, capacity;
};

struct links {
    struct links_queue inbox[LINKS_OF_CHIP];
    struct links_queue outbox;
    int64_t free_from[LINKS_OF_CHIP]; /* cycle from which a vector may depart */
};

void links_release(struct links *links);

/* Empties slots: no step is under way. */
void links_begin(struct links *links);

/* A send or receive, given its first run. */
void links_send(struct chip *chip, const struct run *run);

/* Whether the message of a receive is here. */
bool links_can_receive(const struct chip *chip, const struct run *run);

/* Takes the message and compares it; where there is none, that is reported. */
void links_receive(struct chip *chip, const struct run *run);

void links_deliver(struct chip *chip, const struct chip_message *message);

/* Reports messages of steps that are over, which nobody received. */
void links_close(struct chip *chip);

#endif
