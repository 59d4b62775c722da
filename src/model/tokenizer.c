/* SPDX-License-Identifier: BSD-3-Clause */
/* Encodes and decodes by a vocabulary of characters or of sentencepiece's byte-pair pieces. */
#include "model/tokenizer.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "model/document.h"
#include "model/merge.h"
#include "model/utf8.h"
#include "model/vocabulary.h"

/* SHOWN_CHARACTERS of the known ones are in a message. */
enum { MOST_TEXT_BYTES = 1 << 24, SHOWN_CHARACTERS = 200 };

struct tokenizer {
    struct vocabulary vocabulary;
};

bool tokenizer_is_there(const char *path)
{
    char *file = document_beside(path, "vocab.json");
    bool there = access(file, F_OK) == 0;
    base_free(file);
    return there;
}

struct tokenizer *tokenizer_open(const char *path, const struct model *model,
                                 struct base_report *report)
{
    struct tokenizer *tokenizer = base_alloc(1, sizeof *tokenizer);
    char *file = document_beside(path, "vocab.json");
    bool is_read = vocabulary_read(&tokenizer->vocabulary, file, model, report);
    base_free(file);
    if (is_read)
        return tokenizer;
    tokenizer_close(tokenizer);
    return NULL;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    vocabulary_release(&tokenizer->vocabulary);
    base_free(tokenizer);
}

/* `text` and one more character, control characters as \xNN; frees `text`. */
static char *append_shown(char *text, const char *character, size_t bytes)
{
    bool is_control = (unsigned char)*character < ' ' || *character == 0x7f;
    char *longer = is_control ? base_format("%s\\x%02x", text, (unsigned)(unsigned char)*character)
                              : base_format("%s%.*s", text, (int)bytes, character);
    base_free(text);
    return longer;
}

/* The characters of a vocabulary in a row, at most SHOWN_CHARACTERS; free with base_free. */
static char *known_text(const struct vocabulary *vocabulary)
{
    char *text = base_strdup("");
    int32_t most = vocabulary->plain_count;
    for (int32_t i = 0; i < most && i < SHOWN_CHARACTERS; i++)
        text = append_shown(text, vocabulary->plain[i]->text, (size_t)vocabulary->plain[i]->bytes);
    char *whole = base_format("%s%s", text, most > SHOWN_CHARACTERS ? " ..." : "");
    base_free(text);
    return whole;
}

static void unknown_fault(const struct vocabulary *vocabulary, const char *text,
                          struct base_report *report)
{
    uint32_t code = 0;
    size_t bytes = utf8_character(text, &code);
    char *known = known_text(vocabulary);
    char *character = append_shown(base_strdup(""), text, bytes);
    if (bytes > 0)
        base_report_add(report, vocabulary->file, 0,
                        "character '%s' (U+%04X) of the text has no piece; known are: %s",
                        character, (unsigned)code, known);
    else
        base_report_add(report, vocabulary->file, 0,
                        "byte 0x%02X of the text is no UTF-8; known are: %s",
                        (unsigned)(unsigned char)*text, known);
    base_free(character);
    base_free(known);
}

/* Appends an id a character; stops at the first that is unknown, with a fault. */
static int32_t encode_characters(const struct vocabulary *vocabulary, const char *text,
                                 int32_t *ids, struct base_report *report)
{
    int32_t count = 0;
    while (*text) {
        uint32_t code;
        size_t bytes = utf8_character(text, &code);
        int32_t id = vocabulary_find(vocabulary, text, bytes);
        if (id < 0) {
            unknown_fault(vocabulary, text, report);
            break;
        }
        ids[count++] = id;
        text += bytes;
    }
    return count;
}

/* Appends the ids of one character, or of a byte that is none; returns the bytes it took. */
static size_t append_character(const struct vocabulary *vocabulary, const char *text, int32_t *ids,
                               int32_t *count)
{
    uint32_t code;
    size_t valid = utf8_character(text, &code), bytes = valid > 0 ? valid : 1;
    int32_t id = vocabulary_find(vocabulary, text, bytes);
    if (id >= 0)
        ids[(*count)++] = id;
    for (size_t i = 0; id < 0 && i < bytes; i++)
        ids[(*count)++] = vocabulary->byte_offset + (unsigned char)text[i];
    return bytes;
}

static int32_t encode_pieces(const struct vocabulary *vocabulary, const char *text, int32_t *ids)
{
    int32_t count = 0;
    if (*text)
        append_character(vocabulary, " ", ids, &count);
    while (*text)
        text += append_character(vocabulary, text, ids, &count);
    return merge_pieces(vocabulary, ids, count);
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int32_t **ids,
                      int32_t *count, struct base_report *report)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    size_t before = report->count, bytes = strlen(text);
    int32_t first = vocabulary->bos >= 0;
    *ids = NULL;
    *count = 0;
    if (bytes > MOST_TEXT_BYTES) {
        base_report_add(report, NULL, 0, "text of %zu bytes; at most %d", bytes, MOST_TEXT_BYTES);
        return false;
    }
    int32_t *made = base_alloc(bytes + 2, sizeof *made); /* bos and space */
    made[0] = vocabulary->bos;
    *count = first + (vocabulary->is_characters
                          ? encode_characters(vocabulary, text, made + first, report)
                          : encode_pieces(vocabulary, text, made + first));
    if (report->count == before) {
        *ids = made;
        return true;
    }
    base_free(made);
    *count = 0;
    return false;
}

/* Writes the text of one id to `out`, which has room for it; returns its bytes. */
static size_t write_text(const struct vocabulary *vocabulary, int32_t id, int32_t previous,
                         char *out)
{
    const struct piece *piece = &vocabulary->piece[id];
    if (id == vocabulary->bos || id == vocabulary->eos || id == vocabulary->byte_offset)
        return 0;
    if (vocabulary_is_byte(vocabulary, id)) {
        *out = (char)(unsigned char)(id - vocabulary->byte_offset);
        return 1;
    }
    bool is_first = previous >= 0 && previous == vocabulary->bos;
    size_t skipped = is_first && !vocabulary->is_characters && piece->text[0] == ' ';
    memcpy(out, piece->text + skipped, (size_t)piece->bytes - skipped);
    return (size_t)piece->bytes - skipped;
}

char *tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, int32_t count)
{
    const struct vocabulary *vocabulary = &tokenizer->vocabulary;
    size_t most = 1, bytes = 0;
    for (int32_t i = 0; i < count; i++) {
        assert(0 <= ids[i] && ids[i] < vocabulary->count);
        most += (size_t)vocabulary->piece[ids[i]].bytes;
    }
    char *text = base_alloc(most, 1);
    for (int32_t i = 0; i < count; i++)
        bytes += write_text(vocabulary, ids[i], i > 0 ? ids[i - 1] : -1, text + bytes);
    return text;
}
