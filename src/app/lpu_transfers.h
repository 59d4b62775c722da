/* SPDX-License-Identifier: BSD-3-Clause */
/* What travelled between chips, step by step: counts of messages for /lpu/transfers. */
#ifndef APP_LPU_TRANSFERS_H
#define APP_LPU_TRANSFERS_H

#include "app/app.h"
#include "chip/chip.h"
#include "record/layout.h"

/* Rows of own chips since the last flush, in no order. Zero is empty. */
struct app_lpu_transfers {
    struct record_lpu_transfer *row;
    size_t rows, capacity;
};

void app_lpu_transfers_add(struct app_lpu_transfers *transfers, const struct chip_message *message);

/* Collective. Writes the rows by step, then chip, and forgets them. */
void app_lpu_transfers_flush(struct app_lpu_transfers *transfers, struct app_run *run);

void app_lpu_transfers_release(struct app_lpu_transfers *transfers);

#endif
