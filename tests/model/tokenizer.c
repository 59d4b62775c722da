/* SPDX-License-Identifier: BSD-3-Clause */
/* Text to tokens and back, for both kinds of vocabulary, and vocabularies that are refused. */
#include "test.h"

#include <stdarg.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "checkpoint.h"
#include "model/tokenizer.h"
#include "model/utf8.h"

enum { FIRST = 259, LONGEST = 16 }; /* id of the first plain piece of small_pieces */

static const struct {
    const char *text;
    double score;
} small_pieces[] = {{" ", -90},       {"a", -91},   {"b", -92},   {"c", -93},    {"\xc3\xa9", -94},
                    {"ab", -3},       {"bc", -2},   {"ba", -3},   {" a", -7.5},  {"abab", -1},
                    {"cc", -5},       {"ccc", -4},  {"<s>", -95}, {" ab", -2.5}, {"<0x41>", 9},
                    {"a\xc3\xa9", 1}, {"abc", -80}, {"bcc", -70}, {"c a", -60}};

enum { SMALL_PIECES = sizeof small_pieces / sizeof small_pieces[0] };

static char *joined(char *text, const char *more)
{
    char *longer = base_format("%s%s", text, more);
    base_free(text);
    return longer;
}

/* vocab.json of small_pieces behind unk, bos, eos and the bytes; free with base_free. */
static char *small_text(void)
{
    char *text = base_strdup("{\"type\": \"sentencepiece-bpe\", \"bos_id\": 1, \"eos_id\": 2, "
                             "\"unk_id\": 0, \"byte_offset\": 3, \"pieces\": ["
                             "{\"piece\": \"<unk>\", \"score\": 0}, "
                             "{\"piece\": \"<s>\", \"score\": 0}, "
                             "{\"piece\": \"</s>\", \"score\": 0}");
    for (unsigned byte = 0; byte < 256; byte++) {
        char *piece = base_format(", {\"piece\": \"<0x%02X>\", \"score\": 0}", byte);
        text = joined(text, piece);
        base_free(piece);
    }
    for (int i = 0; i < SMALL_PIECES; i++) {
        char *piece = base_format(", {\"piece\": \"%s\", \"score\": %g}", small_pieces[i].text,
                                  small_pieces[i].score);
        text = joined(text, piece);
        base_free(piece);
    }
    return joined(text, "]}");
}

static const char characters_text[] =
    "{\"type\": \"characters\", \"bos_id\": 1, \"eos_id\": 2, \"unk_id\": 0, \"pieces\": "
    "[{\"piece\": \"<unk>\"}, {\"piece\": \"<s>\"}, {\"piece\": \"</s>\"}, {\"piece\": \"a\"}, "
    "{\"piece\": \"\\n\"}, {\"piece\": \"\\u00e9\"}, {\"piece\": \" \"}]}";

/* Opens TEXT as vocab.json of a model of `vocabulary` tokens; faults in *faults (base_free). */
static struct tokenizer *open_bytes(const char *text, size_t bytes, int64_t vocabulary,
                                    char **faults)
{
    struct model model = {.vocabulary = vocabulary};
    struct base_report report = {0};
    char *folder = checkpoint_folder();
    checkpoint_write(folder, "vocab.json", text, bytes);
    struct tokenizer *tokenizer = tokenizer_open(folder, &model, &report);
    *faults = base_report_text(&report);
    base_report_release(&report);
    checkpoint_folder_remove(folder);
    return tokenizer;
}

static struct tokenizer *open_good(const char *text, int64_t vocabulary)
{
    char *faults;
    struct tokenizer *tokenizer = open_bytes(text, strlen(text), vocabulary, &faults);
    CU_ASSERT_STRING_EQUAL(faults, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(tokenizer);
    base_free(faults);
    return tokenizer;
}

static struct tokenizer *open_small(void)
{
    char *text = small_text();
    struct tokenizer *tokenizer = open_good(text, FIRST + SMALL_PIECES);
    base_free(text);
    return tokenizer;
}

/* Whether TEXT gives exactly `count` ids. */
static void check_ids(const struct tokenizer *tokenizer, const char *text, int32_t count, ...)
{
    struct base_report report = {0};
    int32_t *ids, found;
    CU_ASSERT_TRUE_FATAL(tokenizer_encode(tokenizer, text, &ids, &found, &report));
    CU_ASSERT_EQUAL(found, count);
    va_list expected;
    va_start(expected, count);
    for (int32_t i = 0; i < count && i < found; i++)
        CU_ASSERT_EQUAL(ids[i], va_arg(expected, int));
    va_end(expected);
    base_free(ids);
}

static void check_text(const struct tokenizer *tokenizer, const int32_t *ids, int32_t count,
                       const char *expected)
{
    char *text = tokenizer_decode(tokenizer, ids, count);
    CU_ASSERT_STRING_EQUAL(text, expected);
    base_free(text);
}

static void check_round_trip(const struct tokenizer *tokenizer, const char *text)
{
    struct base_report report = {0};
    int32_t *ids, count;
    CU_ASSERT_TRUE_FATAL(tokenizer_encode(tokenizer, text, &ids, &count, &report));
    check_text(tokenizer, ids, count, text);
    base_free(ids);
}

static void characters_become_one_id_each(void)
{
    struct tokenizer *tokenizer = open_good(characters_text, 7);
    check_ids(tokenizer, "", 1, 1);
    check_ids(tokenizer, "a\xc3\xa9\n a", 6, 1, 3, 5, 4, 6, 3);
    check_text(tokenizer, (int32_t[]){1, 6, 3, 5, 2, 4, 0}, 7, " a\xc3\xa9\n<unk>");
    check_round_trip(tokenizer, " a\n");
    tokenizer_close(tokenizer);
}

static void check_unreadable(const struct tokenizer *tokenizer, const char *text, const char *fault)
{
    struct base_report report = {0};
    int32_t *ids, count;
    CU_ASSERT_FALSE(tokenizer_encode(tokenizer, text, &ids, &count, &report));
    CU_ASSERT_TRUE(!ids && count == 0 && report.count == 1);
    char *faults = base_report_text(&report);
    CU_ASSERT_PTR_NOT_NULL(strstr(faults, fault));
    base_free(faults);
    base_report_release(&report);
}

static void a_character_without_a_piece_is_a_fault_that_lists_what_is_known(void)
{
    static const struct {
        const char *text, *fault;
    } row[] = {
        {"ab", "vocab.json: character 'b' (U+0062) of the text has no piece; known are: \\x0a a"},
        {"\xe2\x82\xac", "character '\xe2\x82\xac' (U+20AC) of the text has no piece"},
        {"\x1b[0m", "character '\\x1b' (U+001B)"},
        {"a\xff", "byte 0xFF of the text is no UTF-8; known are"},
        {"\xc1\xa1", "byte 0xC1 of the text is no UTF-8"},
        {"\xed\xa0\x80", "byte 0xED of the text is no UTF-8"},
        {"\xf4\x90\x80\x80", "byte 0xF4 of the text is no UTF-8"},
        {"\xc3", "byte 0xC3 of the text is no UTF-8"},
        {"<s>", "character '<' (U+003C)"},
    };
    struct tokenizer *tokenizer = open_good(characters_text, 7);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        check_unreadable(tokenizer, row[i].text, row[i].fault);
    tokenizer_close(tokenizer);
}

static void pairs_merge_by_score_and_the_leftmost_of_equals(void)
{
    struct tokenizer *tokenizer = open_small();
    check_ids(tokenizer, "", 1, 1);
    check_ids(tokenizer, "abc", 3, 1, FIRST + 8, FIRST + 6);        /* bc -2, then " a" -7.5 */
    check_ids(tokenizer, "cab", 4, 1, FIRST, FIRST + 3, FIRST + 5); /* ab -3 before " a" */
    check_ids(tokenizer, "ab", 2, 1, FIRST + 13);                   /* ab, then " ab" */
    check_ids(tokenizer, "cabab", 4, 1, FIRST, FIRST + 3, FIRST + 9);
    check_ids(tokenizer, "caba", 5, 1, FIRST, FIRST + 3, FIRST + 5, FIRST + 1); /* ab == ba */
    check_ids(tokenizer, "bab", 4, 1, FIRST, FIRST + 7, FIRST + 2);
    check_ids(tokenizer, "abcc", 3, 1, FIRST + 8, FIRST + 17); /* bc outdates ab */
    check_ids(tokenizer, "bcc a", 4, 1, FIRST, FIRST + 6, FIRST + 18);
    check_ids(tokenizer, "cccc", 4, 1, FIRST, FIRST + 11, FIRST + 3); /* cc c c, ccc c */
    tokenizer_close(tokenizer);
}

static void what_has_no_piece_becomes_bytes_that_never_merge(void)
{
    struct tokenizer *tokenizer = open_small();
    check_ids(tokenizer, "\xc3\xa9", 3, 1, FIRST, FIRST + 4);
    check_ids(tokenizer, "\xe2\x82\xac", 5, 1, FIRST, 3 + 0xe2, 3 + 0x82, 3 + 0xac);
    check_ids(tokenizer, "\xff", 3, 1, FIRST, 3 + 0xff);
    check_ids(tokenizer, "\xc3", 3, 1, FIRST, 3 + 0xc3);
    check_ids(tokenizer, "A", 3, 1, FIRST, 3 + 'A');
    check_ids(tokenizer, "<s>", 5, 1, FIRST, 3 + '<', 3 + 's', 3 + '>');
    tokenizer_close(tokenizer);
}

static void text_comes_back_without_the_space_before_it(void)
{
    struct tokenizer *tokenizer = open_small();
    check_round_trip(tokenizer, "abc cab");
    check_round_trip(tokenizer, " abc");
    check_round_trip(tokenizer, "\xe2\x82\xac\xff z\n");
    check_round_trip(tokenizer, "");
    check_text(tokenizer, (int32_t[]){FIRST + 8, FIRST + 2, 2}, 3, " ab");
    check_text(tokenizer, (int32_t[]){1, FIRST + 8, FIRST + 8, 3, 3 + 'x', 0}, 6, "a ax<unk>");
    check_text(tokenizer, (int32_t[]){0}, 0, "");
    tokenizer_close(tokenizer);
}

/* The piece that two ids form, by comparing texts; -1: none. */
static int32_t joined_small(int32_t left, int32_t right)
{
    char text[2 * LONGEST];
    if (left < FIRST || right < FIRST)
        return -1;
    snprintf(text, sizeof text, "%s%s", small_pieces[left - FIRST].text,
             small_pieces[right - FIRST].text);
    for (int i = 0; i < SMALL_PIECES; i++)
        if (strcmp(small_pieces[i].text, text) == 0)
            return FIRST + i;
    return -1;
}

/* Merges the best pair of all, found by looking at all; whether there was one. */
static bool merge_plainly(int32_t *ids, int32_t *count)
{
    int32_t best = -1;
    for (int32_t i = 0; i + 1 < *count; i++) {
        int32_t id = joined_small(ids[i], ids[i + 1]);
        int32_t known = best < 0 ? -1 : joined_small(ids[best], ids[best + 1]);
        if (id >= 0 &&
            (known < 0 || small_pieces[id - FIRST].score > small_pieces[known - FIRST].score))
            best = i;
    }
    if (best < 0)
        return false;
    ids[best] = joined_small(ids[best], ids[best + 1]);
    *count -= 1;
    memmove(&ids[best + 1], &ids[best + 2], (size_t)(*count - best - 1) * sizeof *ids);
    return true;
}

static void merging_agrees_with_a_plain_search_for_the_best_pair(void)
{
    enum { TEXTS = 2000, LETTERS = 24 };
    struct tokenizer *tokenizer = open_small();
    for (uint64_t t = 0; t < TEXTS; t++) {
        char text[LETTERS + 1] = "";
        int32_t plain[LETTERS + 1] = {FIRST}, plain_count = 1;
        for (uint64_t i = 0; i < LETTERS; i++) {
            int letter = (int)(base_random_u64(3, BASE_RANDOM_KERNEL, t, i) % 4);
            text[i] = small_pieces[letter].text[0];
            plain[plain_count++] = FIRST + letter;
        }
        while (merge_plainly(plain, &plain_count))
            ;
        struct base_report report = {0};
        int32_t *ids, count;
        CU_ASSERT_TRUE_FATAL(tokenizer_encode(tokenizer, text, &ids, &count, &report));
        CU_ASSERT_TRUE_FATAL(count == plain_count + 1);
        CU_ASSERT_EQUAL(memcmp(ids + 1, plain, (size_t)plain_count * sizeof *plain), 0);
        base_free(ids);
    }
    tokenizer_close(tokenizer);
}

static void long_texts_take_no_quadratic_time(void)
{
    enum { LETTERS = 1 << 20 };
    struct tokenizer *tokenizer = open_small();
    char *text = base_alloc(LETTERS + 1, 1);
    for (uint64_t i = 0; i < LETTERS; i++)
        text[i] = "abc "[base_random_u64(4, BASE_RANDOM_KERNEL, 0, i) % 4];
    check_round_trip(tokenizer, text);
    base_free(text);
    tokenizer_close(tokenizer);
}

static void a_text_of_more_than_16_mib_is_refused(void)
{
    enum { MOST = 1 << 24 };
    struct tokenizer *tokenizer = open_good(characters_text, 7);
    char *text = base_alloc(MOST + 2, 1);
    memset(text, 'a', MOST + 1);
    check_unreadable(tokenizer, text, "text of 16777217 bytes; at most 16777216");
    base_free(text);
    tokenizer_close(tokenizer);
}

static void underscores_of_sentencepiece_and_misread_bytes_are_understood(void)
{
    char *text = small_text();
    char *wide = base_strdup(text), *at = strstr(wide, "\" a\"");
    char *with_wide = base_format("%.*s\"\\u2581a\"%s", (int)(at - wide), wide, at + 4);
    struct tokenizer *tokenizer = open_good(with_wide, FIRST + SMALL_PIECES);
    check_ids(tokenizer, "a", 2, 1, FIRST + 8);
    check_ids(tokenizer, "a\xc3\xa9", 3, 1, FIRST, FIRST + 15);
    tokenizer_close(tokenizer);
    base_free(with_wide);
    base_free(wide);
    /* the two bytes of U+00E9 as if they were Latin-1 */
    char *misread = base_strdup("");
    for (const char *c = text; *c; c++) {
        char letter[3] = {*c, 0, 0};
        unsigned char byte = (unsigned char)*c;
        if (byte >= 0x80) {
            letter[0] = (char)(0xc0 | byte >> 6);
            letter[1] = (char)(0x80 | (byte & 0x3f));
        }
        misread = joined(misread, letter);
    }
    tokenizer = open_good(misread, FIRST + SMALL_PIECES);
    check_ids(tokenizer, "\xc3\xa9", 3, 1, FIRST, FIRST + 4);
    check_round_trip(tokenizer, "a\xc3\xa9");
    tokenizer_close(tokenizer);
    base_free(misread);
    base_free(text);
}

/* `text` with its first FIND replaced, opened: refused, for FAULT. */
static void check_refused(const char *text, const char *find, const char *replace,
                          int64_t vocabulary, const char *fault)
{
    const char *at = strstr(text, find);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    char *changed = base_format("%.*s%s%s", (int)(at - text), text, replace, at + strlen(find));
    char *faults;
    struct tokenizer *tokenizer = open_bytes(changed, strlen(changed), vocabulary, &faults);
    CU_ASSERT_PTR_NULL(tokenizer);
    CU_ASSERT_PTR_NOT_NULL(strstr(faults, fault));
    if (!strstr(faults, fault))
        fprintf(stderr, "expected \"%s\", got \"%s\"\n", fault, faults);
    tokenizer_close(tokenizer);
    base_free(faults);
    base_free(changed);
}

static void wrong_vocabularies_are_refused(void)
{
    static const struct {
        const char *find, *replace, *fault;
    } character_row[] = {
        {"{\"type\"", "[{\"type\"", "not JSON"},
        {"\"characters\"", "\"words\"",
         "type = \"words\": must be characters or sentencepiece-bpe"},
        {"\"type\": \"characters\", ", "", "type: must be characters"},
        {"\"bos_id\": 1", "\"bos_id\": 7", "bos_id = 7: must be an integer from -1 to 6"},
        {"\"eos_id\": 2", "\"eos_id\": true", "eos_id = true: must be an integer"},
        {"{\"piece\": \"a\"}", "{\"piece\": \"ab\"}",
         "pieces[3].piece = \"ab\": must be one character"},
        {"{\"piece\": \"a\"}", "{\"piece\": \"\"}", "pieces[3].piece = \"\": must be a text"},
        {"{\"piece\": \"a\"}", "{\"piece\": 5}", "pieces[3].piece = 5: must be a text"},
        {"{\"piece\": \"a\"}", "\"a\"", "pieces[3].piece: must be a text"},
        {"{\"piece\": \"a\"}", "{\"piece\": \"\\n\"}",
         "pieces[4].piece = \"\\n\": stands in the list"},
        {"{\"piece\": \"a\"}, ", "", "pieces = [...]: must be a list of 7 pieces, the model's"},
        {"{\"piece\": \"a\"}", "{\"piece\": \"a\"}, {\"piece\": \"b\"}",
         "pieces = [...]: must be a list of 7 pieces, the model's vocab_size, not 8"},
        {"\"pieces\"", "\"tokens\"", "pieces: must be a list of 7 pieces"},
    };
    static const struct {
        const char *find, *replace, *fault;
    } piece_row[] = {
        {"\"byte_offset\": 3, ", "", "byte_offset: missing; an integer from 0 to 22"},
        {"\"byte_offset\": 3", "\"byte_offset\": 23", "byte_offset = 23: must be an integer"},
        {"\"byte_offset\": 3", "\"byte_offset\": 4", "must be the piece of a byte"},
        {"<0xFE>", "<0xfe>", "pieces[257].piece = \"<0xfe>\": must be the piece of a byte"},
        {"\"score\": -92", "\"score\": \"x\"", "pieces[261].score = \"x\": must be a number"},
        {"\"score\": -92", "\"rank\": 1", "pieces[261].score: missing; a number"},
        {"\"score\": -92", "\"score\": 1e31", ": must be a number above -1e+30 and at most 1e+30"},
        {"\"ab\"", "\"bc\"", "pieces[265].piece = \"bc\": stands in the list"},
        {"\"ab\"", "\"a\\u0000b\"", "not JSON"},
    };
    char *small = small_text();
    for (size_t i = 0; i < sizeof character_row / sizeof character_row[0]; i++)
        check_refused(characters_text, character_row[i].find, character_row[i].replace, 7,
                      character_row[i].fault);
    for (size_t i = 0; i < sizeof piece_row / sizeof piece_row[0]; i++)
        check_refused(small, piece_row[i].find, piece_row[i].replace, FIRST + SMALL_PIECES,
                      piece_row[i].fault);
    base_free(small);
}

static void an_absent_vocabulary_is_named(void)
{
    struct model model = {.vocabulary = 7};
    struct base_report report = {0};
    CU_ASSERT_PTR_NULL(tokenizer_open("/nowhere/config.json", &model, &report));
    CU_ASSERT_EQUAL_FATAL(report.count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.message[0], "/nowhere/vocab.json: cannot be read"));
    base_report_release(&report);
}

/* A vocabulary that is accepted must encode and decode anything. */
static bool survives(const char *text, size_t bytes, int64_t vocabulary)
{
    static const char sample[] = "abcab \xc3\xa9 \xff\n<s>ccc";
    char *faults;
    struct tokenizer *tokenizer = open_bytes(text, bytes, vocabulary, &faults);
    bool is_explained = !tokenizer == (faults[0] != '\0');
    base_free(faults);
    struct base_report report = {0};
    int32_t *ids, count;
    if (tokenizer && tokenizer_encode(tokenizer, sample, &ids, &count, &report)) {
        for (int32_t i = 0; i < count; i++)
            is_explained = is_explained && 0 <= ids[i] && ids[i] < vocabulary;
        base_free(tokenizer_decode(tokenizer, ids, count));
        base_free(ids);
    }
    base_report_release(&report);
    tokenizer_close(tokenizer);
    return is_explained;
}

static void damaged_vocabularies_are_survived(void)
{
    enum { TRIALS = 2000, CHANGES = 2 };
    char *small = small_text();
    const char *const original[] = {small, characters_text};
    const int64_t vocabulary[] = {FIRST + SMALL_PIECES, 7};
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        char *text = base_strdup(original[trial % 2]);
        size_t bytes = strlen(text), most = bytes < 600 ? bytes : 600;
        for (uint64_t i = 0; i < CHANGES; i++) {
            uint64_t draw = base_random_u64(5, BASE_RANDOM_KERNEL, trial, i);
            size_t from_end = draw % most;
            text[draw & 1ull << 40 ? from_end : bytes - 1 - from_end] =
                "0123456789-\"{}[],: <>abc"[(draw >> 48) % 24];
        }
        CU_ASSERT_TRUE(survives(text, trial % 7 ? bytes : bytes / 2, vocabulary[trial % 2]));
        base_free(text);
    }
    base_free(small);
}

static void bytes_that_are_no_utf8_are_replaced(void)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"sum", "sum"},
                                           {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
                                           {"a\x80z", "a\xef\xbf\xbdz"},
                                           {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"}};
    for (size_t n = 0; n < sizeof pairs / sizeof pairs[0]; n++) {
        char *repaired = utf8_repair(pairs[n][0]);
        CU_ASSERT_STRING_EQUAL(repaired, pairs[n][1]);
        base_free(repaired);
    }
}

TEST_MAIN("tokenizer", TEST(characters_become_one_id_each),
          TEST(bytes_that_are_no_utf8_are_replaced),
          TEST(a_character_without_a_piece_is_a_fault_that_lists_what_is_known),
          TEST(pairs_merge_by_score_and_the_leftmost_of_equals),
          TEST(what_has_no_piece_becomes_bytes_that_never_merge),
          TEST(text_comes_back_without_the_space_before_it),
          TEST(merging_agrees_with_a_plain_search_for_the_best_pair),
          TEST(long_texts_take_no_quadratic_time), TEST(a_text_of_more_than_16_mib_is_refused),
          TEST(underscores_of_sentencepiece_and_misread_bytes_are_understood),
          TEST(wrong_vocabularies_are_refused), TEST(an_absent_vocabulary_is_named),
          TEST(damaged_vocabularies_are_survived))
