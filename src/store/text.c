/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of a name: lines of plain text under a digest, read only as they were printed.
 *
 *     lpusim-mp name
 *     format 1
 *     name llama-70b/s4096/stable
 *     held 1                      entries from this one on, counted from 1, keep their artifacts
 *     2026-11-26T06:40:12Z add - TO - NOTE
 *     2026-11-26T07:02:40Z promote FROM TO llama-70b/s4096/canary NOTE
 *     sha256 DIGEST               of all lines before
 */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "record/seal.h"
#include "store/name.h"

_Static_assert((int)STORE_DIGEST_BYTES == (int)RECORD_DIGEST_BYTES, "digests are of one kind");

enum { FORMAT = 1, HEX = STORE_DIGEST_BYTES - 1, SEAL_LINE = 7 + HEX + 1 };

static const char magic[] = "lpusim-mp name\n";

struct text {
    char *bytes;
    size_t count, capacity;
};

static void text_add(struct text *text, char *more)
{
    size_t length = strlen(more);
    text->bytes = base_grow(text->bytes, &text->capacity, text->count + length + 1, 1);
    memcpy(text->bytes + text->count, more, length + 1);
    text->count += length;
    base_free(more);
}

static void entry_print(struct text *text, const struct store_entry *e)
{
    text_add(text, base_format("%s %s %s %s %s%s%s\n", e->time, store_action_text(e->action),
                               e->from[0] ? e->from : "-", e->to, e->source, e->note[0] ? " " : "",
                               e->note));
}

char *store_name_print(const struct store_name *name, size_t *bytes)
{
    struct text text = {0};
    char digest[RECORD_DIGEST_BYTES];
    text_add(&text, base_format("%sformat %d\nname %s\nheld %zu\n", magic, FORMAT, name->name,
                                name->held + 1));
    for (size_t i = 0; i < name->entries; i++)
        entry_print(&text, &name->entry[i]);
    record_digest(text.bytes, text.count, digest);
    text_add(&text, base_format("sha256 %s\n", digest));
    *bytes = text.count;
    return text.bytes;
}

/* Why the last line does not vouch for those before; NULL where it does. */
static const char *seal_fault(const char *bytes, size_t count)
{
    char digest[RECORD_DIGEST_BYTES], line[SEAL_LINE + 1];
    if (count < strlen(magic) || memcmp(bytes, magic, strlen(magic)))
        return "not the file of a name";
    if (count < SEAL_LINE || memcmp(bytes + count - SEAL_LINE, "sha256 ", 7))
        return "torn: its last line is not a digest";
    record_digest(bytes, count - SEAL_LINE, digest);
    snprintf(line, sizeof line, "sha256 %s\n", digest);
    return memcmp(line, bytes + count - SEAL_LINE, SEAL_LINE) ? "altered: its digest differs"
                                                              : NULL;
}

/* The next word of a line, which ends at a blank; "" where it is longer than `most`. */
static const char *word_take(const char **at, char *word, size_t most)
{
    size_t length = strcspn(*at, " \n"), kept = length < most ? length : 0;
    memcpy(word, *at, kept);
    word[kept] = '\0';
    *at += length + ((*at)[length] == ' ');
    return word;
}

static enum store_action action_of(const char *word)
{
    enum store_action action = 0;
    while (action < STORE_ACTIONS && strcmp(word, store_action_text(action)))
        action++;
    return action;
}

static bool is_whole_digest(const char *word)
{
    return strlen(word) == HEX && store_is_digest(word);
}

/* Reads the line at `at`; false where it is no entry. The caller compares what is printed again. */
static bool entry_read(const char *at, struct store_name *into)
{
    char action[16], from[STORE_DIGEST_BYTES], to[STORE_DIGEST_BYTES], source[STORE_NAME_MOST + 1];
    struct store_occasion occasion;
    word_take(&at, occasion.time, sizeof occasion.time);
    enum store_action kind = action_of(word_take(&at, action, sizeof action));
    word_take(&at, from, sizeof from);
    if (kind == STORE_ACTIONS || !is_whole_digest(word_take(&at, to, sizeof to)))
        return false;
    word_take(&at, source, sizeof source);
    char *note = base_format("%.*s", (int)strcspn(at, "\n"), at);
    occasion.note = note;
    store_name_append(into, kind, to, source, &occasion);
    base_free(note);
    return true;
}

/* Reads everything between header and seal; false where a line is none. */
static bool lines_read(const char *text, const char *name, struct store_name *into)
{
    int format = 0, end = 0;
    const char *at = text + strlen(magic);
    into->name = base_strdup(name);
    if (sscanf(at, "format %9d\nname %*s held %9zu%n", &format, &into->held, &end) != 2 ||
        format != FORMAT || at[end] != '\n')
        return false;
    into->held--;
    for (at += end + 1; strncmp(at, "sha256 ", 7); at = strchr(at, '\n') + 1)
        if (!strchr(at, '\n') || !entry_read(at, into))
            return false;
    return true;
}

/* Whether a rollback leads to where the entries before it say. */
static bool rolls_back(const struct store_name *name, size_t i)
{
    struct store_name before = {.entry = name->entry, .entries = i};
    const struct store_entry *previous = i > 0 ? store_name_previous(&before) : NULL;
    return previous && !strcmp(previous->to, name->entry[i].to);
}

static bool is_time(const char *text)
{
    static const char form[STORE_TIME_BYTES] = "0000-00-00T00:00:00Z";
    for (size_t i = 0; i < sizeof form; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

/* What is wrong with the history; NULL: nothing. */
static const char *history_fault(const struct store_name *name)
{
    if (name->entries == 0)
        return "has no entry";
    if (name->held >= name->entries)
        return "keeps no artifact";
    for (size_t i = 0; i < name->entries; i++) {
        const struct store_entry *e = &name->entry[i];
        if (!is_time(e->time))
            return "has an entry without a time";
        if ((e->action == STORE_PROMOTE) == !strcmp(e->source, "-"))
            return "has a promotion from nowhere, or something else from somewhere";
        if (!strcmp(e->from, e->to))
            return "has an entry that leads nowhere";
        if (e->action == STORE_ROLLBACK && !rolls_back(name, i))
            return "has a rollback to where it was not before";
    }
    return NULL;
}

/* Whether the name prints as the very bytes: then every line was as it should be, and every entry
 * began where the one before led to. */
static bool prints_as(const struct store_name *name, const char *bytes, size_t count)
{
    size_t length;
    char *again = store_name_print(name, &length);
    bool same = length == count && !memcmp(again, bytes, count);
    base_free(again);
    return same;
}

bool store_name_parse(const char *path, const char *name, const char *bytes, size_t count,
                      struct store_name *into, struct base_report *report)
{
    const char *fault = seal_fault(bytes, count);
    *into = (struct store_name){0};
    if (fault) {
        base_report_add(report, path, 0, "%s, at %zu bytes", fault, count);
        return false;
    }
    char *text = base_format("%.*s", (int)count, bytes);
    bool read = lines_read(text, name, into) && prints_as(into, bytes, count);
    base_free(text);
    if (!read)
        fault = "is not as this program writes the file of that name";
    else
        fault = history_fault(into);
    if (fault)
        base_report_add(report, path, 0, "sealed, but %s", fault);
    return !fault;
}
