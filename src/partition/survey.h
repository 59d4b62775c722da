/* SPDX-License-Identifier: BSD-3-Clause */
/* What else could have been: every way to cut a model for a rack that fits, and what it is good
 * for. */
#ifndef PARTITION_SURVEY_H
#define PARTITION_SURVEY_H

#include "partition/bound.h"

/* One split, as compiled for a decode step. */
struct survey_split {
    int32_t stages, group, chips;
    int64_t decode_cycles, bound_cycles;
    int64_t longest_stage_cycles;
    int64_t seats;        /* users in flight, by estimate: steps that begin as far apart as the
                             longest stage is long */
    double user_tokens_s; /* tokens a second of one user */
    double all_tokens_s;  /* of all seats */
    double token_joules;  /* average power of the chips in use */
    double idle;          /* part of chips x time in which a chip's stage has nobody to serve */
    int64_t share[BOUND_CLASSES];
    bool best; /* nobody is better in one of chips, user_tokens_s, all_tokens_s and
                  token_joules and as good in the others */
};

enum { SURVEY_GROUPS = 4 }; /* 1, 2, 4, 8 chips */

/* Splits by chips, then by group; of each group that some numbers of stages are too few for, the
 * largest of these. Release with survey_release. */
struct survey {
    struct survey_split *split;
    size_t splits, capacity;
    struct partition_candidate miss[SURVEY_GROUPS];
    size_t misses;
};

/* Every group that the configuration allows, with each number of stages that changes how many
 * blocks the largest one holds. */
void survey_splits(const struct partition_input *input, struct survey *survey);
void survey_release(struct survey *survey);

#endif
