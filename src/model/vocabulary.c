/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads and checks vocab.json; keeps plain pieces sorted by their bytes. */
#include "model/vocabulary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "model/document.h"
#include "model/keys.h"
#include "model/utf8.h"

enum { BYTES = 256, TYPE_BYTES = 32 };

static const char wide_space[] = "\xe2\x96\x81"; /* U+2581 */
static const double most_score = 1e30;

bool vocabulary_is_byte(const struct vocabulary *vocabulary, int32_t id)
{
    int32_t first = vocabulary->byte_offset;
    return first >= 0 && first <= id && id < first + BYTES;
}

bool vocabulary_is_plain(const struct vocabulary *vocabulary, int32_t id)
{
    return id != vocabulary->bos && id != vocabulary->eos && id != vocabulary->unk &&
           !vocabulary_is_byte(vocabulary, id);
}

static void read_type(const struct keys *keys, struct vocabulary *vocabulary)
{
    char type[TYPE_BYTES];
    keys_string(keys, "type", type, sizeof type);
    vocabulary->is_characters = strcmp(type, "characters") == 0;
    if (!vocabulary->is_characters && strcmp(type, "sentencepiece-bpe") != 0)
        keys_fault(keys, "type", "must be characters or sentencepiece-bpe");
}

static void read_ids(const struct keys *keys, struct vocabulary *vocabulary)
{
    int64_t last = vocabulary->count - 1;
    vocabulary->bos = (int32_t)keys_integer(keys, "bos_id", -1, last, -1);
    vocabulary->eos = (int32_t)keys_integer(keys, "eos_id", -1, last, -1);
    vocabulary->unk = (int32_t)keys_integer(keys, "unk_id", -1, last, -1);
    vocabulary->byte_offset = -1;
    if (!vocabulary->is_characters)
        vocabulary->byte_offset =
            (int32_t)keys_integer(keys, "byte_offset", 0, last - (BYTES - 1), -1);
}

/* Reads one piece; its id is its place in the list. */
static void read_piece(const struct keys *keys, const struct vocabulary *vocabulary,
                       struct piece *piece)
{
    const char *text = json_string_value(json_object_get(keys->object, "piece"));
    if (!text || !*text)
        keys_fault(keys, "piece", "must be a text");
    piece->text = base_strdup(text ? text : "");
    if (!vocabulary->is_characters)
        piece->score = keys_number(keys, "score", -most_score, most_score, NAN);
}

static void read_pieces(const struct keys *keys, struct vocabulary *vocabulary)
{
    const json_t *list = keys_value(keys, "pieces");
    size_t before = keys->report->count;
    vocabulary->piece = base_alloc((size_t)vocabulary->count, sizeof *vocabulary->piece);
    for (int32_t id = 0; id < vocabulary->count && keys->report->count == before; id++) {
        char *prefix = base_format("pieces[%d].", id);
        struct keys entry = *keys;
        entry.object = json_array_get(list, (size_t)id);
        entry.prefix = prefix;
        vocabulary->piece[id].id = id;
        read_piece(&entry, vocabulary, &vocabulary->piece[id]);
        base_free(prefix);
    }
}

/* Whether all of TEXT is UTF-8. */
static bool is_utf8(const char *text)
{
    size_t bytes = 1;
    for (uint32_t code; *text && bytes > 0; text += bytes)
        bytes = utf8_character(text, &code);
    return bytes > 0;
}

/* The bytes that TEXT shows as Latin-1; NULL where they are no UTF-8. Free with base_free. */
static char *bytes_of_latin1(const char *text)
{
    char *bytes = base_strdup(text), *end = bytes;
    uint32_t code = 0;
    for (size_t step; *text && code < BYTES; text += step) {
        step = utf8_character(text, &code);
        *end++ = (char)(unsigned char)code;
    }
    *end = '\0';
    if (code < BYTES && is_utf8(bytes))
        return bytes;
    base_free(bytes);
    return NULL;
}

static bool is_latin1(const struct vocabulary *vocabulary)
{
    for (int32_t id = 0; id < vocabulary->count; id++) {
        char *bytes = bytes_of_latin1(vocabulary->piece[id].text);
        if (!bytes)
            return false;
        base_free(bytes);
    }
    return true;
}

static void undo_latin1(struct vocabulary *vocabulary)
{
    for (int32_t id = 0; id < vocabulary->count; id++) {
        char *bytes = bytes_of_latin1(vocabulary->piece[id].text);
        base_free(vocabulary->piece[id].text);
        vocabulary->piece[id].text = bytes;
    }
}

static void narrow_spaces(char *text)
{
    size_t wide = strlen(wide_space);
    for (char *at = strstr(text, wide_space); at; at = strstr(at + 1, wide_space)) {
        *at = ' ';
        memmove(at + 1, at + wide, strlen(at + wide) + 1);
    }
}

static void normalize(struct vocabulary *vocabulary)
{
    if (!vocabulary->is_characters && is_latin1(vocabulary))
        undo_latin1(vocabulary);
    for (int32_t id = 0; id < vocabulary->count; id++) {
        struct piece *piece = &vocabulary->piece[id];
        if (!vocabulary->is_characters)
            narrow_spaces(piece->text);
        piece->bytes = (int32_t)strlen(piece->text);
    }
}

/* What is wrong with the text of a piece; NULL: nothing. */
static const char *piece_advice(const struct vocabulary *vocabulary, const struct piece *piece)
{
    uint32_t code;
    char byte[8];
    snprintf(byte, sizeof byte, "<0x%02X>",
             (unsigned)(piece->id - vocabulary->byte_offset) % BYTES);
    if (vocabulary_is_byte(vocabulary, piece->id) && strcmp(piece->text, byte) != 0)
        return "must be the piece of a byte, <0x00> to <0xFF> from byte_offset on";
    if (vocabulary->is_characters && vocabulary_is_plain(vocabulary, piece->id) &&
        utf8_character(piece->text, &code) != (size_t)piece->bytes)
        return "must be one character";
    return NULL;
}

static void piece_fault(const struct keys *keys, int32_t id, const char *advice)
{
    char *prefix = base_format("pieces[%d].", id);
    struct keys entry = *keys;
    entry.object = json_array_get(keys_value(keys, "pieces"), (size_t)id);
    entry.prefix = prefix;
    keys_fault(&entry, "piece", advice);
    base_free(prefix);
}

static void check_pieces(const struct keys *keys, const struct vocabulary *vocabulary)
{
    for (int32_t id = 0; id < vocabulary->count; id++) {
        const char *advice = piece_advice(vocabulary, &vocabulary->piece[id]);
        if (advice) {
            piece_fault(keys, id, advice);
            return;
        }
    }
}

/* Order of texts: by bytes, a prefix first. */
static int text_compare(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    int order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int piece_compare(const void *a, const void *b)
{
    const struct piece *left = *(struct piece *const *)a, *right = *(struct piece *const *)b;
    int order = text_compare(left->text, (size_t)left->bytes, right->text, (size_t)right->bytes);
    return order ? order : (left->id > right->id) - (left->id < right->id);
}

/* Sorts plain pieces; a text that two of them have is a fault. */
static void sort_pieces(const struct keys *keys, struct vocabulary *vocabulary)
{
    struct piece **plain = base_alloc((size_t)vocabulary->count, sizeof *plain);
    int32_t count = 0;
    for (int32_t id = 0; id < vocabulary->count; id++)
        if (vocabulary_is_plain(vocabulary, id)) {
            plain[count++] = &vocabulary->piece[id];
            if (vocabulary->piece[id].bytes > vocabulary->longest)
                vocabulary->longest = vocabulary->piece[id].bytes;
        }
    qsort(plain, (size_t)count, sizeof *plain, piece_compare);
    vocabulary->plain = plain;
    vocabulary->plain_count = count;
    for (int32_t i = 1; i < count; i++)
        if (strcmp(plain[i - 1]->text, plain[i]->text) == 0) {
            piece_fault(keys, plain[i]->id, "stands in the list before; must be given once");
            return;
        }
}

/* Sets the count; whether the list has a piece for each token of the model. */
static bool read_count(const struct keys *keys, const struct model *model,
                       struct vocabulary *vocabulary)
{
    const json_t *list = keys_value(keys, "pieces");
    vocabulary->count = (int32_t)model->vocabulary;
    if (json_array_size(list) == (size_t)model->vocabulary)
        return true;
    char *advice = base_format("must be a list of %d pieces, the model's vocab_size, not %zu",
                               vocabulary->count, json_array_size(list));
    keys_fault(keys, "pieces", advice);
    base_free(advice);
    vocabulary->count = 0;
    return false;
}

bool vocabulary_read(struct vocabulary *vocabulary, const char *file, const struct model *model,
                     struct base_report *report)
{
    size_t before = report->count;
    *vocabulary = (struct vocabulary){.file = base_strdup(file)};
    json_t *root = document_read(file, "type, pieces, ...", report);
    struct keys keys = {.object = root, .file = file, .prefix = "", .report = report};
    if (root) {
        read_type(&keys, vocabulary);
        if (read_count(&keys, model, vocabulary)) {
            read_ids(&keys, vocabulary);
            read_pieces(&keys, vocabulary);
        }
    }
    if (report->count == before) {
        normalize(vocabulary);
        check_pieces(&keys, vocabulary);
        sort_pieces(&keys, vocabulary);
    }
    json_decref(root);
    return report->count == before;
}

void vocabulary_release(struct vocabulary *vocabulary)
{
    for (int32_t id = 0; vocabulary->piece && id < vocabulary->count; id++)
        base_free(vocabulary->piece[id].text);
    base_free(vocabulary->plain);
    base_free(vocabulary->piece);
    base_free(vocabulary->file);
    *vocabulary = (struct vocabulary){0};
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, size_t bytes)
{
    int32_t low = 0, high = vocabulary->plain_count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        const struct piece *piece = vocabulary->plain[middle];
        int order = text_compare(text, bytes, piece->text, (size_t)piece->bytes);
        if (order == 0)
            return piece->id;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}
