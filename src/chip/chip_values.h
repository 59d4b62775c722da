/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers of a chip, as a host and its neighbours see them: what it is loaded with, what it
 * holds, and vectors on links. See docs/values.md for the arithmetic. */
#ifndef CHIP_CHIP_VALUES_H
#define CHIP_CHIP_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/program.h"
#include "base/status.h"
#include "chip/chip.h"

enum chip_numerics {
    CHIP_INT8, /* the machine's own: lanes are bytes */
    CHIP_FP32, /* lanes of 32 bits: nothing is rounded to less than fp32 */
};

/* Whether numbers can be computed on such a chip; otherwise each thing that is in the way is a
 * fault: every unit must drive later than it samples, superlanes must be as base/program.h says. */
bool chip_can_compute(const struct lpu_chip *machine, struct base_report *report);

/* From now on programs compute numbers as well; before the first chip_begin, and only where
 * chip_can_compute. SRAM is zero until something is loaded or written. */
void chip_compute_values(struct chip *chip, enum chip_numerics numerics);

/* A number in SRAM: planes [sub, sub + program_dtype_planes) of vector `index` of a placed tensor.
 */
struct chip_number {
    int32_t tensor, sub, index;
};

/* The host writes lanes[machine lanes], rounded to the tensor's type. Not during a step. */
void chip_preload(struct chip *chip, const struct program *program, const struct chip_number *where,
                  const float *lanes);

/* Reads lanes[machine lanes] of a number. */
void chip_peek(const struct chip *chip, const struct program *program,
               const struct chip_number *where, float *lanes);

/* The id of the token in row `row` of program->token, which a decode step has left there. */
int32_t chip_token(const struct chip *chip, const struct program *program, int32_t row);

/* Of all of SRAM: equal where contents are equal. */
uint64_t chip_memory_digest(const struct chip *chip);

/* Vectors of a step under way to a link of another chip, in the order of departure. */
struct chip_vectors {
    int32_t to_chip, to_link, step, count;
    const void *bytes; /* valid until the next chip_run or chip_outbox_clear of the sender */
    size_t size;       /* of all of them */
};

/* Takes the vectors of one step that left first on `link`; false: nothing is left to take. */
bool chip_take_vectors(struct chip *chip, int32_t link, struct chip_vectors *sent);

/* They arrive; copied. Like messages, they may come long before they are received. */
void chip_deliver_vectors(struct chip *chip, const struct chip_vectors *vectors);

#endif
