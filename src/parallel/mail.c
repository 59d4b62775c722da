/* SPDX-License-Identifier: BSD-3-Clause */
/* Mail over MPI: buffered sends, probing receives, and rounds of counting that find the end. */
#include "parallel/mail.h"

#include <mpi.h>

#include <assert.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/room.h"

/* How long a blocked rank listens before it takes part in a round: rounds cost the others time,
 * and a letter that is only late usually comes within this. */
static const double patience_s = 1e-3;

/* What a round adds up (the first three) or takes the largest of. */
enum { SENT, RECEIVED, DONE, STATUS, SIGNAL, COUNTERS };

/* A letter on its way, or, without a request, an envelope to use again. */
struct envelope {
    MPI_Request request;
    char *bytes;
    size_t capacity;
};

struct parallel_mail {
    MPI_Comm world;
    MPI_Datatype counters;
    MPI_Op combine;
    struct envelope *envelope; /* the first `flying` have requests */
    size_t flying, envelopes;
    char *inbox; /* the letter being read */
    size_t inbox_capacity;
    struct parallel_mail_totals totals;
    /* The round under way, and the result of the round before it since the last settle. */
    MPI_Request round;
    int64_t offered[COUNTERS], found[COUNTERS];
    int64_t received_before; /* -1: there was none */
    int stop_signal;
};

static void combine_counters(void *in, void *inout, int *length, MPI_Datatype *type)
{
    (void)type;
    const int64_t *a = in;
    int64_t *b = inout;
    for (int i = 0; i < *length; i++, a += COUNTERS, b += COUNTERS) {
        for (int k = 0; k < STATUS; k++)
            b[k] += a[k];
        for (int k = STATUS; k < COUNTERS; k++)
            b[k] = a[k] > b[k] ? a[k] : b[k];
    }
}

struct parallel_mail *parallel_mail_open(void)
{
    struct parallel_mail *mail = base_alloc(1, sizeof *mail);
    MPI_Comm_dup(MPI_COMM_WORLD, &mail->world);
    MPI_Type_contiguous(COUNTERS, MPI_INT64_T, &mail->counters);
    MPI_Type_commit(&mail->counters);
    MPI_Op_create(combine_counters, 1, &mail->combine);
    mail->round = MPI_REQUEST_NULL;
    mail->received_before = -1;
    return mail;
}

/* Frees the envelopes of letters that MPI has taken over. */
static void envelopes_reclaim(struct parallel_mail *mail)
{
    for (size_t i = mail->flying; i-- > 0;) {
        int taken;
        MPI_Test(&mail->envelope[i].request, &taken, MPI_STATUS_IGNORE);
        if (!taken)
            continue;
        struct envelope spare = mail->envelope[i];
        mail->envelope[i] = mail->envelope[--mail->flying];
        mail->envelope[mail->flying] = spare;
    }
}

/* An envelope with room for `size` bytes, at the end of those that fly. Looks for spare ones only
 * when there are none, and then makes sure that half of them are. */
static struct envelope *envelope_take(struct parallel_mail *mail, size_t size)
{
    if (mail->flying == mail->envelopes) {
        envelopes_reclaim(mail);
        mail->envelope = base_grow(mail->envelope, &mail->envelopes, 2 * mail->flying + 1,
                                   sizeof *mail->envelope);
    }
    struct envelope *envelope = &mail->envelope[mail->flying++];
    envelope->bytes = base_grow(envelope->bytes, &envelope->capacity, size + 1, 1);
    return envelope;
}

void parallel_mail_send(struct parallel_mail *mail, int to_rank, int tag, const void *bytes,
                        size_t size)
{
    assert(to_rank >= 0 && to_rank < parallel_size() && tag >= 0 && size <= INT_MAX);
    struct envelope *envelope = envelope_take(mail, size);
    memcpy(envelope->bytes, bytes, size);
    MPI_Isend(envelope->bytes, (int)size, MPI_BYTE, to_rank, tag, mail->world, &envelope->request);
    mail->totals.sent++;
    mail->totals.sent_bytes += (int64_t)size;
}

/* Reads one letter if one has arrived. */
static bool letter_read(struct parallel_mail *mail, parallel_mail_reader *reader, void *context)
{
    int arrived, size;
    MPI_Message message;
    MPI_Status status;
    MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, mail->world, &arrived, &message, &status);
    if (!arrived)
        return false;
    MPI_Get_count(&status, MPI_BYTE, &size);
    mail->inbox = base_grow(mail->inbox, &mail->inbox_capacity, (size_t)size + 1, 1);
    MPI_Mrecv(mail->inbox, size, MPI_BYTE, &message, MPI_STATUS_IGNORE);
    mail->totals.received++;
    mail->totals.received_bytes += size;
    struct parallel_letter letter = {status.MPI_SOURCE, status.MPI_TAG, mail->inbox, (size_t)size};
    reader(context, &letter);
    return true;
}

size_t parallel_mail_receive(struct parallel_mail *mail, parallel_mail_reader *reader,
                             void *context)
{
    size_t letters = 0;
    while (letter_read(mail, reader, context))
        letters++;
    return letters;
}

static void round_begin(struct parallel_mail *mail, bool done, enum base_status status)
{
    mail->offered[SENT] = mail->totals.sent;
    mail->offered[RECEIVED] = mail->totals.received;
    mail->offered[DONE] = done;
    mail->offered[STATUS] = (int64_t)status;
    mail->offered[SIGNAL] = parallel_stop_signal();
    MPI_Iallreduce(mail->offered, mail->found, 1, mail->counters, mail->combine, mail->world,
                   &mail->round);
}

/* What the round just finished says; ARRIVED where it says nothing yet. */
static enum parallel_mail_state round_judge(struct parallel_mail *mail)
{
    const int64_t *found = mail->found;
    bool all_done = found[DONE] == parallel_size();
    bool quiet = found[SENT] == (all_done ? found[RECEIVED] : mail->received_before);
    mail->received_before = found[RECEIVED];
    if (!quiet)
        return PARALLEL_MAIL_ARRIVED;
    mail->received_before = -1;
    mail->stop_signal = (int)found[SIGNAL];
    if (found[STATUS] != BASE_OK)
        return PARALLEL_MAIL_FAILED;
    return all_done ? PARALLEL_MAIL_SETTLED : PARALLEL_MAIL_NO_PROGRESS;
}

/* Takes one look at the round under way, or begins one. ARRIVED: go on listening. */
static enum parallel_mail_state round_step(struct parallel_mail *mail, bool done,
                                           enum base_status status)
{
    if (mail->round == MPI_REQUEST_NULL)
        round_begin(mail, done, status);
    int over;
    MPI_Test(&mail->round, &over, MPI_STATUS_IGNORE);
    if (!over)
        return PARALLEL_MAIL_ARRIVED;
    mail->totals.rounds++;
    return round_judge(mail);
}

enum parallel_mail_state parallel_mail_wait(struct parallel_mail *mail,
                                            parallel_mail_reader *reader, void *context)
{
    double since = parallel_clock_seconds();
    while (parallel_mail_receive(mail, reader, context) == 0) {
        if (mail->round != MPI_REQUEST_NULL || parallel_clock_seconds() - since > patience_s) {
            enum parallel_mail_state state = round_step(mail, false, BASE_OK);
            if (state != PARALLEL_MAIL_ARRIVED)
                return state;
        }
        sched_yield();
    }
    return PARALLEL_MAIL_ARRIVED;
}

enum parallel_mail_state parallel_mail_settle(struct parallel_mail *mail, enum base_status status,
                                              parallel_mail_reader *reader, void *context)
{
    for (;;) {
        if (parallel_mail_receive(mail, reader, context) == 0)
            sched_yield();
        enum parallel_mail_state state = round_step(mail, true, status);
        if (state != PARALLEL_MAIL_ARRIVED)
            return state;
    }
}

int parallel_mail_stop_signal(const struct parallel_mail *mail)
{
    return mail->stop_signal;
}

struct parallel_mail_totals parallel_mail_totals(const struct parallel_mail *mail)
{
    return mail->totals;
}

void parallel_mail_close(struct parallel_mail *mail)
{
    assert(mail->round == MPI_REQUEST_NULL);
    for (size_t i = 0; i < mail->flying; i++)
        MPI_Wait(&mail->envelope[i].request, MPI_STATUS_IGNORE);
    for (size_t i = 0; i < mail->envelopes; i++)
        base_free(mail->envelope[i].bytes);
    base_free(mail->envelope);
    base_free(mail->inbox);
    MPI_Op_free(&mail->combine);
    MPI_Type_free(&mail->counters);
    MPI_Comm_free(&mail->world);
    base_free(mail);
}
