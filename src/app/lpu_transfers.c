/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts messages by (step, sender, receiver), newest rows first to look at. */
#include "app/lpu_transfers.h"

#include <stdlib.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"

static struct record_lpu_transfer *find(struct app_lpu_transfers *transfers,
                                        const struct chip_message *message)
{
    for (size_t i = transfers->rows; i-- > 0;) {
        struct record_lpu_transfer *row = &transfers->row[i];
        if (row->step == message->step && row->from_chip == message->from_chip &&
            row->to_chip == message->to_chip)
            return row;
    }
    transfers->row = base_grow(transfers->row, &transfers->capacity, transfers->rows + 1,
                               sizeof *transfers->row);
    struct record_lpu_transfer *row = &transfers->row[transfers->rows++];
    *row =
        (struct record_lpu_transfer){message->step, message->from_chip, message->to_chip, 0, 0, 0};
    return row;
}

void app_lpu_transfers_add(struct app_lpu_transfers *transfers, const struct chip_message *message)
{
    struct record_lpu_transfer *row = find(transfers, message);
    row->messages++;
    row->vectors += (int64_t)message->count[0] * message->count[1];
}

static int compare(const void *a, const void *b)
{
    const struct record_lpu_transfer *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->from_chip != y->from_chip)
        return x->from_chip < y->from_chip ? -1 : 1;
    return (x->to_chip > y->to_chip) - (x->to_chip < y->to_chip);
}

void app_lpu_transfers_flush(struct app_lpu_transfers *transfers, struct app_run *run)
{
    size_t bytes;
    struct record_lpu_transfer *all =
        parallel_gather(transfers->row, transfers->rows * sizeof *all, &bytes);
    size_t rows = bytes / sizeof *all;
    if (rows > 0)
        qsort(all, rows, sizeof *all, compare);
    for (size_t i = 0; i < rows; i++)
        all[i].wire_bytes = all[i].vectors * run->scenario.lpu_chip.c2c_vector_wire_bytes;
    if (run->file)
        record_append(run->file, record_layout(RECORD_LPU_TRANSFERS), all, rows);
    base_free(all);
    transfers->rows = 0;
}

void app_lpu_transfers_release(struct app_lpu_transfers *transfers)
{
    base_free(transfers->row);
}
