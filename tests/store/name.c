/* SPDX-License-Identifier: BSD-3-Clause */
/* Names: how they are written, where they lead back to, and that their files are read to the bit.
 */
#include "store/name.h"

#include <string.h>

#include "base/memory.h"
#include "record/seal.h"
#include "test.h"

static const struct store_occasion noon = {.time = "2026-11-26T12:00:00Z", .note = "at noon, 4 %"};
static const struct store_occasion later = {.time = "2026-11-26T13:00:00Z"};

/* Digest n: 64 times the same digit. */
static const char *digest(int n)
{
    static char text[8][STORE_DIGEST_BYTES];
    memset(text[n], "01234567"[n], STORE_DIGEST_BYTES - 1);
    return text[n];
}

static struct store_name history(const char *actions)
{
    struct store_name name = {.name = base_strdup("llama-70b/s4096/stable")};
    for (const char *p = actions; *p; p++) {
        if (*p == 'r')
            store_name_append(&name, STORE_ROLLBACK, store_name_previous(&name)->to, NULL, &later);
        else
            store_name_append(&name, *p > '5' ? STORE_PROMOTE : STORE_ADD, digest(*p - '0'),
                              *p > '5' ? "llama-70b/s4096/canary" : NULL, &noon);
    }
    return name;
}

static void names_have_parts(void)
{
    static const char *const right[] = {"a", "llama-70b/s4096/stable", "a/b.c/d_e-f", "9", "Ab0"};
    static const char *const wrong[] = {"",
                                        "/",
                                        "a/",
                                        "/a",
                                        "a//b",
                                        "..",
                                        "a/../b",
                                        "a/.b",
                                        "-a",
                                        "a b",
                                        "a+b",
                                        "a:b",
                                        "a\nb",
                                        "\xc3\xa4",
                                        "a\\b",
                                        "deadbeef",
                                        "0123456789abcdef"};
    char longest[STORE_NAME_MOST + 2] = "";
    memset(longest, 'n', STORE_NAME_MOST);
    struct base_report report = {0};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        CU_ASSERT_TRUE(store_name_is_right(right[i], &report));
    CU_ASSERT_TRUE(store_name_is_right(longest, &report));
    CU_ASSERT_TRUE(base_report_is_clean(&report));
    longest[STORE_NAME_MOST] = 'n';
    CU_ASSERT_FALSE(store_name_is_right(longest, &report));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CU_ASSERT_FALSE(store_name_is_right(wrong[i], &report));
    CU_ASSERT_EQUAL(report.count, 1 + sizeof wrong / sizeof *wrong);
    base_report_release(&report);
}

static void files_and_names_are_one_to_one(void)
{
    static const char *const others[] = {".12-0.part", "a",       "a.name.part",  "a++b.name",
                                         ".name",      "+a.name", "deadbeef.name"};
    char *file = store_name_file("llama-70b/s4096/stable");
    char *name = store_name_of_file(file);
    CU_ASSERT_STRING_EQUAL(file, "llama-70b+s4096+stable.name");
    CU_ASSERT_STRING_EQUAL(name, "llama-70b/s4096/stable");
    base_free(file);
    base_free(name);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CU_ASSERT_PTR_NULL(store_name_of_file(others[i]));
}

static void notes_are_one_line(void)
{
    char longest[STORE_NOTE_MOST + 2] = "";
    memset(longest, 'n', STORE_NOTE_MOST);
    struct base_report report = {0};
    CU_ASSERT_TRUE(store_note_is_right("", &report));
    CU_ASSERT_TRUE(store_note_is_right("schneller, \xc3\xbc"
                                       "ber 4 %",
                                       &report));
    CU_ASSERT_TRUE(store_note_is_right(longest, &report));
    longest[STORE_NOTE_MOST] = 'n';
    CU_ASSERT_FALSE(store_note_is_right(longest, &report));
    CU_ASSERT_FALSE(store_note_is_right("two\nlines", &report));
    CU_ASSERT_FALSE(store_note_is_right("bell\a", &report));
    base_report_release(&report);
}

/* Where rollbacks lead, one after the other; 'x' where there is no further. */
static void a_rollback_leads_to_before(void)
{
    static const struct {
        const char *actions, *back;
    } cases[] = {{"1", "x"},     {"12", "1x"},       {"123", "21x"}, {"12r", "x"},
                 {"123r", "1x"}, {"123rr", "x"},     {"12r3", "1x"}, {"12r3r", "x"},
                 {"121", "21x"}, {"1232r4", "321x"}, {"67r1", "6x"}, {"123rr45", "41x"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_name name = history(cases[i].actions);
        const char *back = cases[i].back;
        for (; *back != 'x'; back++) {
            const struct store_entry *previous = store_name_previous(&name);
            CU_ASSERT_PTR_NOT_NULL_FATAL(previous);
            CU_ASSERT_STRING_EQUAL(previous->to, digest(*back - '0'));
            store_name_append(&name, STORE_ROLLBACK, previous->to, NULL, &later);
        }
        CU_ASSERT_PTR_NULL(store_name_previous(&name));
        store_name_release(&name);
    }
}

static bool parses(const char *bytes, size_t count, struct store_name *into)
{
    struct base_report report = {0};
    bool read = store_name_parse("file", "llama-70b/s4096/stable", bytes, count, into, &report);
    CU_ASSERT_EQUAL(report.count, !read);
    base_report_release(&report);
    return read;
}

static bool is_refused(const char *bytes, size_t count)
{
    struct store_name name;
    bool read = parses(bytes, count, &name);
    store_name_release(&name);
    return !read;
}

static void what_is_printed_is_read(void)
{
    struct store_name name = history("1276r5r"), again;
    size_t count;
    name.held = 3;
    char *bytes = store_name_print(&name, &count);
    CU_ASSERT_TRUE_FATAL(parses(bytes, count, &again));
    CU_ASSERT_EQUAL(again.entries, 7);
    CU_ASSERT_EQUAL(again.held, 3);
    for (size_t i = 0; i < name.entries; i++) {
        const struct store_entry *a = &name.entry[i], *b = &again.entry[i];
        CU_ASSERT_EQUAL(a->action, b->action);
        CU_ASSERT_STRING_EQUAL(a->time, b->time);
        CU_ASSERT_STRING_EQUAL(a->from, b->from);
        CU_ASSERT_STRING_EQUAL(a->to, b->to);
        CU_ASSERT_STRING_EQUAL(a->source, b->source);
        CU_ASSERT_STRING_EQUAL(a->note, b->note);
    }
    base_free(bytes);
    store_name_release(&name);
    store_name_release(&again);
}

static void any_altered_bit_is_refused(void)
{
    struct store_name name = history("127r");
    size_t count, refused = 0;
    char *bytes = store_name_print(&name, &count);
    for (size_t bit = 0; bit < 8 * count; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        refused += is_refused(bytes, count);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    CU_ASSERT_EQUAL(refused, 8 * count);
    CU_ASSERT_FALSE(is_refused(bytes, count));
    for (size_t length = 0; length < count; length++)
        CU_ASSERT_TRUE(is_refused(bytes, length));
    base_free(bytes);
    store_name_release(&name);
}

/* The file with a text in the place of another, sealed anew. */
static bool is_refused_with(const char *bytes, const char *old, const char *new)
{
    const char *at = strstr(bytes, old), *end = strstr(bytes, "sha256 ");
    char *body = base_format("%.*s%s%.*s", (int)(at - bytes), bytes, new,
                             (int)(end - at - (ptrdiff_t)strlen(old)), at + strlen(old));
    char sum[STORE_DIGEST_BYTES];
    record_digest(body, strlen(body), sum);
    char *whole = base_format("%ssha256 %s\n", body, sum);
    bool refused = is_refused(whole, strlen(whole));
    base_free(body);
    base_free(whole);
    return refused;
}

static void what_is_sealed_and_wrong_is_refused(void)
{
    struct store_name name = history("127r");
    size_t count;
    char *printed = store_name_print(&name, &count);
    char *bytes = base_format("%.*s", (int)count, printed);
    static const char *const other[][2] = {
        {"format 1", "format 2"},
        {"stable", "canary"},
        {"held 1", "held 0"},
        {"held 1", "held 5"},
        {"held 1", "held 01"},
        {"add", "ad"},
        {"promote", "rollback"},
        {"rollback", "promote"},
        {"add - 1", "add 2 1"},
        {"add - 1", "rollback - 1"},
        {"2026-11-26T12", "2026-11-26 12"},
        {"2026-11-26T12", "2O26-11-26T12"},
        {"add - 11111", "add - "},
        {"at noon, 4 %\n", "at noon, 4 %\n\n"},
        {" -\n", " - \n"},
    };
    CU_ASSERT_FALSE(is_refused_with(bytes, "at noon", "early"));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (!is_refused_with(bytes, other[i][0], other[i][1]))
            CU_FAIL(other[i][0]);
    base_free(bytes);
    base_free(printed);
    store_name_release(&name);
}

TEST_MAIN("name", TEST(names_have_parts), TEST(files_and_names_are_one_to_one),
          TEST(notes_are_one_line), TEST(a_rollback_leads_to_before), TEST(what_is_printed_is_read),
          TEST(any_altered_bit_is_refused), TEST(what_is_sealed_and_wrong_is_refused))
