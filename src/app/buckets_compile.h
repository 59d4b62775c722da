/* SPDX-License-Identifier: BSD-3-Clause */
/* Ladders through the compiler, each on one rank. */
#ifndef APP_BUCKETS_COMPILE_H
#define APP_BUCKETS_COMPILE_H

#include "app/buckets.h"

/* Collective. Compiles the single bucket as the run's configuration has it, and gives its split and
 * its number of seats to buckets->scenario. */
enum base_status app_buckets_compile_first(struct app_run *run, struct app_ladder *single);

/* Collective. Fills the lengths of ladders whose positions are set, slots, seats and SRAM, and with
 * `sizes` what they take as artifacts. */
enum base_status app_buckets_compile(struct app_run *run, struct app_ladder *ladder, size_t count,
                                     bool sizes);

/* Collective. /serve/ladders, /serve/rungs. */
void app_buckets_record(struct app_run *run);

#endif
