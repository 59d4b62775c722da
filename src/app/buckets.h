/* SPDX-License-Identifier: BSD-3-Clause */
/* Ladders of buckets for the requests of a run: the same on all ranks. */
#ifndef APP_BUCKETS_H
#define APP_BUCKETS_H

#include "app/app.h"
#include "serve/ladder.h"

/* A ladder as it was compiled. */
struct app_ladder {
    struct serve_ladder ladder;
    int64_t forecast[SERVE_BUCKETS]; /* cycles, interpolated before it was compiled; 0: not */
    struct serve_price price;
    bool fits;           /* beside the seats; else nothing that follows is known */
    int64_t slot_cycles; /* decode steps of whatever buckets may follow each other so soon; 0: with
                            one seat */
    int64_t seats, spare_bytes;                          /* spare: SRAM of the fullest chip */
    int64_t instructions, fullest_queue, artifact_bytes; /* 0: not looked at */
    bool even;                                           /* asked for as evenly spaced */
};

enum { APP_BUCKETS_GRIDS = 32 };

struct app_buckets {
    struct serve_demand demand;
    struct scenario scenario; /* with the split and the seats that all ladders have */
    int32_t stages, group;
    int32_t grid[APP_BUCKETS_GRIDS], grids; /* buckets of a ladder are multiples of one of these */
    struct app_ladder *compiled;            /* in the order of compilation */
    size_t count, capacity;
    int64_t forecasts, worst_cycles; /* lengths that were interpolated first; how far one was off */
    double worst_share;
    int64_t refused;      /* compiled ladders that do not fit */
    int32_t refused_grid; /* the coarsest grid of one of them; 0: all fit */
    double seconds;       /* wall time */
};

/* The compiled ladder of `buckets` with the fewest cycles of all steps, or the evenly spaced one;
 * NULL: there is none. */
const struct app_ladder *app_buckets_best(const struct app_buckets *buckets, int32_t count);
const struct app_ladder *app_buckets_even(const struct app_buckets *buckets, int32_t count);

void app_buckets_free(struct app_buckets *buckets);

#endif
