/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages whose senders never wait: ranks run ahead freely, and find out together when nobody can
 * go on.
 *
 * A rank works until its items need what has not come, then calls parallel_mail_wait; when it has
 * nothing left to do it calls parallel_mail_settle, the only meeting point. No progress is found by
 * Mattern's four counters: ranks that are blocked or done add up what they sent and received in a
 * non-blocking reduction, and if everything sent by the end of one round had been received by the
 * end of the round before, no message is under way and nobody will send another. Detection costs
 * nothing while ranks work. The memory of messages not yet received is not limited: a program whose
 * senders run far ahead settles now and then. */
#ifndef PARALLEL_MAIL_H
#define PARALLEL_MAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct parallel_mail;

struct parallel_letter {
    int from_rank;
    int tag;           /* the sender's, for example the step */
    const void *bytes; /* valid until the reader returns */
    size_t size;
};

/* May send (but not within a settle), may not receive or wait. Letters of one sender come in the
 * order sent; across senders any order. */
typedef void parallel_mail_reader(void *context, const struct parallel_letter *letter);

enum parallel_mail_state {
    PARALLEL_MAIL_ARRIVED,     /* wait: at least one letter was read */
    PARALLEL_MAIL_SETTLED,     /* settle: all ranks are done and every letter has been read */
    PARALLEL_MAIL_NO_PROGRESS, /* some rank is blocked, and no letter is under way */
    PARALLEL_MAIL_FAILED,      /* the same, and some rank settled with a fault */
};

struct parallel_mail_totals {
    int64_t sent, received;             /* letters of this rank */
    int64_t sent_bytes, received_bytes; /* payload */
    int64_t rounds;                     /* reductions that looked for an end */
};

/* Collective. */
struct parallel_mail *parallel_mail_open(void);

/* Copies the bytes and returns at once. 0 <= tag <= 32767 is safe with every MPI; size < 2 GiB. */
void parallel_mail_send(struct parallel_mail *mail, int to_rank, int tag, const void *bytes,
                        size_t size);

/* Reads what has arrived; returns how many letters. */
size_t parallel_mail_receive(struct parallel_mail *mail, parallel_mail_reader *reader,
                             void *context);

/* For a rank that cannot go on without a letter: returns ARRIVED after reading at least one, or
 * NO_PROGRESS or FAILED, which then every rank gets from its wait or settle. */
enum parallel_mail_state parallel_mail_wait(struct parallel_mail *mail,
                                            parallel_mail_reader *reader, void *context);

/* Collective. For a rank that needs no more letters, or (status not BASE_OK) will send no more
 * because of a fault. Returns SETTLED, NO_PROGRESS or FAILED, the same on all ranks. Letters that
 * still come are read, also those that a rank sends which has left this settle earlier. After
 * SETTLED the mail can be used again. */
enum parallel_mail_state parallel_mail_settle(struct parallel_mail *mail, enum base_status status,
                                              parallel_mail_reader *reader, void *context);

/* The stop signal that some rank had at the last settle, the same on all ranks; 0 for none. */
int parallel_mail_stop_signal(const struct parallel_mail *mail);

struct parallel_mail_totals parallel_mail_totals(const struct parallel_mail *mail);

/* Collective, after a settle or a wait that ended for all ranks. */
void parallel_mail_close(struct parallel_mail *mail);

#endif
