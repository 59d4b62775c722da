/* SPDX-License-Identifier: BSD-3-Clause */
/* Text to token ids and back, by the vocab.json beside a model's config.json. */
#ifndef MODEL_TOKENIZER_H
#define MODEL_TOKENIZER_H

#include "model/model.h"

struct tokenizer;

/* Reads vocab.json beside PATH, the model's folder or its config.json; the formats are those of
 * vocabulary_read. Every fault goes to `report`. Returns NULL where there was one; else release
 * with tokenizer_close. */
struct tokenizer *tokenizer_open(const char *path, const struct model *model,
                                 struct base_report *report);

/* Whether there is a vocab.json beside PATH. */
bool tokenizer_is_there(const char *path);

/* Accepts NULL. */
void tokenizer_close(struct tokenizer *tokenizer);

/* Ids of a NUL-terminated TEXT, bos first where the vocabulary has one. "characters": an id a
 * character; one without a piece is a fault that names it. "sentencepiece-bpe": with a space before
 * a text that is not empty, characters are merged by score; one without a piece becomes its bytes.
 * The caller frees *ids with base_free. Returns whether there was no fault; without ids otherwise.
 */
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int32_t **ids,
                      int32_t *count, struct base_report *report);

/* The text of ids, each from 0 to vocabulary - 1. bos and eos give nothing, nor does byte 0; in
 * "sentencepiece-bpe" a space that follows bos is left out. Ids that a model chose may give text
 * that is no UTF-8. Free with base_free. */
char *tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, int32_t count);

#endif
