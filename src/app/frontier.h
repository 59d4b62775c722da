/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rates of requests each machine bears: the same on all ranks. */
#ifndef APP_FRONTIER_H
#define APP_FRONTIER_H

#include "app/app.h"
#include "serve/frontier.h"

/* Limits asked about: both as given, then one at a time a quarter, half, twice and four times. */
enum { APP_FRONTIER_LIMITS = 9 };

/* Loads that are looked at in any case, in percent of the machine's capacity. */
enum { APP_FRONTIER_LOADS = 3 };
extern const int app_frontier_load[APP_FRONTIER_LOADS];

struct app_frontier_machine {
    bool takes_part;
    double capacity;          /* requests a second */
    struct serve_curve curve; /* every rate that was measured, upward */
    struct serve_frontier row[APP_FRONTIER_LIMITS];
    double seconds; /* wall time */
};

struct app_frontier {
    struct serve_limits limits[APP_FRONTIER_LIMITS];
    int32_t rows;
    struct app_frontier_machine machine[2]; /* by enum record_machine */
};

void app_frontier_free(struct app_frontier *frontier);

/* The point of a load of app_frontier_load. */
const struct serve_point *app_frontier_point(const struct app_frontier_machine *machine, int load);

#endif
