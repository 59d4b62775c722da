/* SPDX-License-Identifier: BSD-3-Clause */
/* Byte-pair merging of pieces by score. */
#ifndef MODEL_MERGE_H
#define MODEL_MERGE_H

#include "model/vocabulary.h"

/* Merges, while there is one, the adjacent pair of plain pieces whose joined text is the piece with
 * the highest score, the leftmost among equals. Works on ids[count] in place; returns how many
 * remain. Takes count x log(count) steps. */
int32_t merge_pieces(const struct vocabulary *vocabulary, int32_t *ids, int32_t count);

#endif
