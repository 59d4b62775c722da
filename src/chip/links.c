/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes promises for what departs and compares promises with what is received. */
#include "chip/links.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "chip/executor.h"

void links_release(struct links *links)
{
    for (int32_t n = 0; n < LINKS_OF_CHIP; n++)
        base_free(links->inbox[n].at);
    base_free(links->outbox.at);
    *links = (struct links){0};
}

static void append(struct links_queue *queue, const struct chip_message *message)
{
    if (queue->first == queue->count)
        queue->first = queue->count = 0;
    queue->at = base_grow(queue->at, &queue->capacity, queue->count + 1, sizeof *queue->at);
    queue->at[queue->count++] = *message;
}

static int32_t link_of(const struct program_instruction *i)
{
    return i->queue - (i->opcode == PROGRAM_C2C_SEND ? PROGRAM_QUEUE_SEND : PROGRAM_QUEUE_RECEIVE);
}

/* Departure counts from `start` of the step. */
static void group_text(const struct chip_message *m, int64_t start, char *text)
{
    snprintf(text, CHIP_TEXT_BYTES, "%.20s[%d][%d] +%d,%d x%d,%d at %lld", m->tensor, m->sub,
             m->index, m->stride[0], m->stride[1], m->count[0], m->count[1],
             (long long)(m->departure_cycle - start));
}

/* The vector group of a send or receive, named by operand `o`, first departing at `departure` on
 * the clock. Fields that say nothing because a level does not repeat are 0. */
static struct chip_message group_of(const struct run *run, const struct program_operand *o,
                                    int64_t departure)
{
    const struct program_instruction *i = run->instruction;
    const struct program_tensor *t = &run->of->program->tensor[o->tensor];
    struct chip_message m;
    memset(&m, 0, sizeof m);
    m.step = run->of->number;
    m.layer = t->layer;
    m.sub = o->sub;
    m.index = o->index;
    m.departure_cycle = departure;
    for (int level = 0; level < 2; level++) {
        m.count[level] = i->count[level];
        m.stride[level] = i->count[level] > 1 ? o->stride[level] : 0;
        m.interval[level] = i->count[level] > 1 ? i->interval[level] : 0;
    }
    memcpy(m.tensor, t->name, strlen(t->name));
    return m;
}

static void post(struct chip *chip, const struct run *run, int64_t departure)
{
    int32_t link = link_of(run->instruction);
    struct chip_message m = group_of(run, executor_input(run, 0), departure);
    struct lpu_port far = lpu_topology_peer(chip->topology, chip->id, link);
    m.from_chip = chip->id;
    m.from_link = link;
    m.to_chip = far.chip;
    m.to_link = far.link;
    run->of->statistics.messages_sent++;
    if (far.chip >= 0) {
        append(&chip->links.outbox, &m);
        return;
    }
    struct chip_violation *v =
        executor_report(chip, run->of, CHIP_RULE_MESSAGE, run->number, departure);
    group_text(&m, run->of->start, v->expected);
    snprintf(v->found, sizeof v->found, "no cable at link %d", m.from_link);
}

/* Departures are as far apart as the run's step, and the first is clear of all before. */
static void check_slots(struct chip *chip, const struct run *run, int64_t departure)
{
    int64_t slot = machine_link_slot_cycles(chip->machine), start = run->of->start;
    int64_t *free_from = &chip->links.free_from[link_of(run->instruction)];
    bool close = run->count > 1 && run->step < slot;
    if (departure < *free_from || close) {
        int64_t cycle = departure < *free_from ? departure : departure + run->step;
        struct chip_violation *v =
            executor_report(chip, run->of, CHIP_RULE_LINK, run->number, cycle);
        snprintf(v->expected, sizeof v->expected, "a departure at %lld or later",
                 (long long)((departure < *free_from ? *free_from : departure + slot) - start));
        snprintf(v->found, sizeof v->found, "a departure at %lld", (long long)(cycle - start));
    }
    *free_from = departure + (int64_t)(run->count - 1) * run->step + slot;
}

void links_send(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    int64_t skew = chip->timing[PROGRAM_C2C_SEND].skew;
    struct run part = *run;
    do
        check_slots(chip, &part, part.cycle + skew);
    while (order_next(&part));
    run->of->statistics.busy_cycles[CHIP_C2C] +=
        (int64_t)i->count[0] * i->count[1] * machine_link_slot_cycles(chip->machine);
    post(chip, run, run->cycle + skew);
}

/* The first message of a step on a link; NULL: none is here. */
static const struct chip_message *next_message(const struct chip *chip, int32_t link, int32_t step)
{
    const struct links_queue *q = &chip->links.inbox[link];
    for (size_t n = q->first; n < q->count; n++)
        if (q->at[n].step == step)
            return &q->at[n];
    return NULL;
}

/* Takes a message out of its queue; usually it is the first. */
static void drop(struct links_queue *q, const struct chip_message *message)
{
    size_t n = (size_t)(message - q->at);
    memmove(q->at + q->first + 1, q->at + q->first, (n - q->first) * sizeof *q->at);
    q->first++;
}

bool links_can_receive(const struct chip *chip, const struct run *run)
{
    return next_message(chip, link_of(run->instruction), run->of->number) != NULL;
}

static bool is_same_group(const struct chip_message *a, const struct chip_message *b)
{
    return strcmp(a->tensor, b->tensor) == 0 && a->layer == b->layer && a->sub == b->sub &&
           a->index == b->index && memcmp(a->stride, b->stride, sizeof a->stride) == 0 &&
           memcmp(a->count, b->count, sizeof a->count) == 0 &&
           memcmp(a->interval, b->interval, sizeof a->interval) == 0 &&
           a->departure_cycle == b->departure_cycle;
}

void links_receive(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    int32_t link = link_of(i);
    struct chip_message want = group_of(run, executor_output(run, i->outputs - 1),
                                        run->cycle - chip->machine->c2c_hop_cycles);
    const struct chip_message *found = next_message(chip, link, run->of->number);
    struct chip_message have = found ? *found : want;
    if (found) {
        drop(&chip->links.inbox[link], found);
        run->of->statistics.messages_received++;
    }
    if (found && is_same_group(&want, &have))
        return;
    struct chip_violation *v =
        executor_report(chip, run->of, CHIP_RULE_MESSAGE, run->number, run->cycle);
    group_text(&want, run->of->start, v->expected);
    if (found)
        group_text(&have, run->of->start, v->found);
    else
        snprintf(v->found, sizeof v->found, "nothing was sent");
}

void links_deliver(struct chip *chip, const struct chip_message *message)
{
    if (message->to_link < 0 || message->to_link >= LINKS_OF_CHIP)
        return;
    struct chip_message copy = *message;
    copy.tensor[sizeof copy.tensor - 1] = '\0';
    append(&chip->links.inbox[message->to_link], &copy);
}

void links_begin(struct links *links)
{
    for (int32_t link = 0; link < LINKS_OF_CHIP; link++)
        links->free_from[link] = INT64_MIN;
}

static bool is_over(const struct chip *chip, int32_t step)
{
    for (size_t n = 0; n < chip->steps; n++)
        if (chip->step[n]->number == step)
            return false;
    return step < chip->begun;
}

static void report_stale(struct chip *chip, int32_t link, const struct chip_message *m)
{
    struct chip_violation *v =
        executor_report(chip, NULL, CHIP_RULE_MESSAGE, EXECUTOR_NO_INSTRUCTION, m->departure_cycle);
    v->queue = PROGRAM_QUEUE_RECEIVE + link;
    v->layer = m->layer;
    v->step = m->step;
    group_text(m, 0, v->expected);
    snprintf(v->found, sizeof v->found, "never received in step %d", m->step);
}

void links_close(struct chip *chip)
{
    for (int32_t link = 0; link < LINKS_OF_CHIP; link++) {
        struct links_queue *q = &chip->links.inbox[link];
        for (size_t n = q->first; n < q->count; n++)
            if (is_over(chip, q->at[n].step)) {
                report_stale(chip, link, &q->at[n]);
                drop(q, &q->at[n]);
            }
    }
}
