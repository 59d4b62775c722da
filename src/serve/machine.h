/* SPDX-License-Identifier: BSD-3-Clause */
/* The static machine as its compiled schedules describe it: steps of known lengths, distances at
 * which they must not begin, and seats. */
#ifndef SERVE_MACHINE_H
#define SERVE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/machine.h"

/* Kinds of steps: a decode step in bucket 0, 1, ..., the smallest first, and a prefill pass. */
enum { SERVE_BUCKETS = BUCKET_RUNGS + 1, SERVE_PASS = SERVE_BUCKETS, SERVE_KINDS };

/* No step of kind `second` may begin d cycles after one of kind `first`, for from <= d < to. */
struct serve_apart {
    uint8_t first, second;
    int64_t from, to;
};

/* Plain data; what it points to is the caller's. */
struct serve_machine {
    const struct lpu_chip *chip; /* its clock and its PCIe */
    int32_t buckets;             /* 1 to SERVE_BUCKETS */
    int32_t positions[SERVE_BUCKETS];
    int64_t length_cycles[SERVE_KINDS];
    int64_t settle_cycles; /* from a step's end to where the row that it wrote stands */
    int32_t pass_rows;     /* prompt tokens of a prefill pass; 0: prompts take decode steps */
    int32_t seats, lanes;  /* caches: `lanes` sequences of a seat share its decode steps */
    const struct serve_apart *apart;
    size_t aparts;
};

/* From the start of a step to where the next of the same sequence may begin that needs its token.
 */
int64_t serve_machine_latency(const struct serve_machine *machine, int kind);

/* The kind of the decode step of a sequence that attends to so many positions. With several lanes
 * a seat's steps are all of the largest bucket: whoever joins later changes nothing. */
int serve_machine_decode(const struct serve_machine *machine, int32_t positions);

/* Whether the largest bucket holds all tokens of a sequence. */
bool serve_machine_holds(const struct serve_machine *machine, int64_t tokens);

/* Prefill passes of a prompt, whose last token goes through a decode step; where there are none,
 * decode steps before that one. */
int32_t serve_machine_passes(const struct serve_machine *machine, int32_t prompt_tokens);

/* The least interval from `least` > 0 on at which decode steps of all buckets may follow each other
 * in any order, or else prefill passes: no multiple of it is forbidden. */
int64_t serve_machine_train(const struct serve_machine *machine, bool passes, int64_t least);

/* Whether a step may begin `cycles` >= 0 after another. */
bool serve_machine_allows(const struct serve_machine *machine, int first, int second,
                          int64_t cycles);

/* Host to a chip for so many bytes, rounded up to a picosecond. */
int64_t serve_machine_load_ps(const struct lpu_chip *chip, int64_t bytes);

/* Host to chip or back for `tokens` ids of 4 bytes, rounded up to a picosecond. */
int64_t serve_machine_transfer_ps(const struct lpu_chip *chip, int32_t tokens);

#endif
