/* SPDX-License-Identifier: BSD-3-Clause */
/* Cases for what has to hold of any compiled rack. */
#ifndef TESTS_PARTITION_SPLITS_H
#define TESTS_PARTITION_SPLITS_H

#include "rack.h"

/* All of them compile; the third is the tiny model on one stage of four chips. */
extern const struct rack_case splits[];
extern const int splits_count;

#endif
