/* SPDX-License-Identifier: BSD-3-Clause */
/* The pieces of a tokenizer, from vocab.json, and finding them by their text. */
#ifndef MODEL_VOCABULARY_H
#define MODEL_VOCABULARY_H

#include "model/model.h"

struct piece {
    char *text; /* never empty */
    int32_t bytes;
    int32_t id;
    double score;
};

/* Pieces by id. Plain ones stand for their text; the others are bos, eos, unk and the 256 bytes. */
struct vocabulary {
    char *file;
    bool is_characters;           /* else sentencepiece-bpe */
    int32_t count, bos, eos, unk; /* -1: none */
    int32_t byte_offset;          /* id of byte 0; -1: none */
    struct piece *piece;
    struct piece **plain;         /* by text */
    int32_t plain_count, longest; /* longest: bytes of a plain text */
};

/* Reads FILE: {"type": "characters" or "sentencepiece-bpe", "bos_id", "eos_id", "unk_id": integers,
 * absent or null for none, "pieces": [{"piece": TEXT, "score": NUMBER}, ...]}, a piece for each
 * token of the model. Plain pieces of "characters" are one character each; scores are not read.
 * "sentencepiece-bpe" needs "byte_offset", the id of "<0x00>"; in its pieces U+2581 reads as a
 * space, and where all pieces are UTF-8 bytes that were taken for Latin-1 (as llama2.c's tools
 * export them), they are read as these bytes. Every fault of a key and the first of a piece goes to
 * `report`; returns whether there was none. Call vocabulary_release in either case. */
bool vocabulary_read(struct vocabulary *vocabulary, const char *file, const struct model *model,
                     struct base_report *report);

void vocabulary_release(struct vocabulary *vocabulary);

/* The plain piece that is `bytes` bytes of TEXT; -1 where there is none. */
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t bytes);

bool vocabulary_is_byte(const struct vocabulary *vocabulary, int32_t id);

bool vocabulary_is_plain(const struct vocabulary *vocabulary, int32_t id);

#endif
