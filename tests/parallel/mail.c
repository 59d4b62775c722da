/* SPDX-License-Identifier: BSD-3-Clause */
/* Mail: every letter arrives once, whole, and in its sender's order. */
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "mpi_test.h"
#include "parallel/mail.h"

enum { MOST_RANKS = 64, LETTERS = 300 };

struct inbox {
    int64_t letters, bytes;
    int64_t next[MOST_RANKS]; /* number expected from each sender */
    int wrong;
};

/* Size of letter `number` from one rank to another: most are small, some need a rendezvous. */
static size_t letter_size(int from, int to, int64_t number)
{
    uint64_t bits =
        base_random_u64(1, BASE_RANDOM_LINK, (uint64_t)(from * MOST_RANKS + to), (uint64_t)number);
    return sizeof number + (size_t)(bits % 16 == 0 ? bits % 200000 : bits % 200);
}

static void read_letter(void *context, const struct parallel_letter *letter)
{
    struct inbox *inbox = context;
    const unsigned char *bytes = letter->bytes;
    int64_t number;
    memcpy(&number, bytes, sizeof number);
    inbox->wrong += number != inbox->next[letter->from_rank]++;
    inbox->wrong += letter->size != letter_size(letter->from_rank, parallel_rank(), number);
    inbox->wrong += letter->tag != number % 100;
    for (size_t i = sizeof number; i < letter->size; i++)
        inbox->wrong += bytes[i] != (unsigned char)(i + (size_t)number);
    inbox->letters++;
    inbox->bytes += (int64_t)letter->size;
}

static void send_letter(struct parallel_mail *mail, int to, int64_t number)
{
    size_t size = letter_size(parallel_rank(), to, number);
    unsigned char *bytes = base_alloc(size, 1);
    memcpy(bytes, &number, sizeof number);
    for (size_t i = sizeof number; i < size; i++)
        bytes[i] = (unsigned char)(i + (size_t)number);
    parallel_mail_send(mail, to, (int)(number % 100), bytes, size);
    base_free(bytes);
}

static void send_to_all(struct parallel_mail *mail, int64_t first, int64_t count)
{
    for (int64_t number = first; number < first + count; number++)
        for (int to = 0; to < parallel_size(); to++)
            send_letter(mail, to, number);
}

static void every_letter_arrives_once_whole_and_in_order(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    struct inbox inbox = {0};
    send_to_all(mail, 0, LETTERS);
    while (inbox.letters < LETTERS * parallel_size())
        CU_ASSERT_EQUAL_FATAL(parallel_mail_wait(mail, read_letter, &inbox), PARALLEL_MAIL_ARRIVED);
    CU_ASSERT_EQUAL(parallel_mail_settle(mail, BASE_OK, read_letter, &inbox),
                    PARALLEL_MAIL_SETTLED);
    CU_ASSERT_EQUAL(inbox.wrong, 0);
    struct parallel_mail_totals totals = parallel_mail_totals(mail);
    CU_ASSERT_EQUAL(totals.sent, LETTERS * parallel_size());
    CU_ASSERT_EQUAL(totals.received, inbox.letters);
    CU_ASSERT_EQUAL(totals.received_bytes, inbox.bytes);
    parallel_mail_close(mail);
}

static void settling_reads_what_nobody_waited_for(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    struct inbox inbox = {0};
    send_to_all(mail, 0, LETTERS);
    CU_ASSERT_EQUAL(parallel_mail_settle(mail, BASE_OK, read_letter, &inbox),
                    PARALLEL_MAIL_SETTLED);
    CU_ASSERT_EQUAL(inbox.letters, LETTERS * parallel_size());
    CU_ASSERT_EQUAL(inbox.wrong, 0);
    parallel_mail_close(mail);
}

static void mail_is_used_again_after_settling(void)
{
    struct parallel_mail *mail = parallel_mail_open();
    struct inbox inbox = {0};
    for (int64_t phase = 0; phase < 20; phase++) {
        send_to_all(mail, phase * 5, 5);
        while (inbox.letters < (phase + 1) * 5 * parallel_size())
            CU_ASSERT_EQUAL_FATAL(parallel_mail_wait(mail, read_letter, &inbox),
                                  PARALLEL_MAIL_ARRIVED);
        CU_ASSERT_EQUAL_FATAL(parallel_mail_settle(mail, BASE_OK, read_letter, &inbox),
                              PARALLEL_MAIL_SETTLED);
    }
    CU_ASSERT_EQUAL(inbox.wrong, 0);
    parallel_mail_close(mail);
}

MPI_TEST_MAIN("mail", TEST(every_letter_arrives_once_whole_and_in_order),
              TEST(settling_reads_what_nobody_waited_for), TEST(mail_is_used_again_after_settling))
