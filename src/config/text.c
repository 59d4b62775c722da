/* SPDX-License-Identifier: BSD-3-Clause */
/* Expands @include and widens integers before libconfig sees the text: its own @include knows one
 * folder only, and its integers lose the bits above 32 without a word. */
#include "config/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { DEEPEST_INCLUDE = 10 };

/* One file on its way into the text. */
struct reading {
    struct config_text *text;
    struct base_report *report;
    const char *file; /* as the user would name it */
    int line;
    int depth;
};

static bool file_append(struct config_text *text, const char *path, int depth,
                        const struct reading *from, struct base_report *report);

char *config_path_beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || path[0] == '\0' || !slash)
        return base_strdup(path);
    return base_format("%.*s/%s", (int)(slash - file), file, path);
}

static void bytes_append(struct config_text *text, const char *bytes, size_t count)
{
    text->text =
        base_grow(text->text, &text->text_capacity, text->length + count + 1, sizeof(char));
    memcpy(text->text + text->length, bytes, count);
    text->length += count;
    text->text[text->length] = '\0';
}

static void line_end(struct reading *r)
{
    struct config_text *text = r->text;
    bytes_append(text, "\n", 1);
    text->place =
        base_grow(text->place, &text->line_capacity, text->lines + 1, sizeof(struct config_place));
    text->place[text->lines++] = (struct config_place){r->file, r->line++};
}

/* Copies what stands up to `end`, line by line. */
static const char *copy(struct reading *r, const char *from, const char *end)
{
    for (const char *p = from; p < end; p++) {
        if (*p == '\n')
            line_end(r);
        else
            bytes_append(r->text, p, 1);
    }
    return end;
}

static const char *string_end(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static const char *comment_end(const char *p)
{
    if (*p == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end ? end + 2 : p + strlen(p);
    }
    return p + strcspn(p, "\n");
}

static bool comment_begins(const char *p)
{
    return *p == '#' || (*p == '/' && (p[1] == '/' || p[1] == '*'));
}

static bool is_word(char c)
{
    return c && (isalnum((unsigned char)c) || strchr("+-_*.", c));
}

static const char *word_end(const char *p)
{
    while (is_word(*p))
        p++;
    return p;
}

/* Whether the word is an integer, decimal or hexadecimal, and whether it has its suffix L already.
 */
static bool word_is_integer(const char *p, const char *end, bool *suffixed)
{
    while (end > p && end[-1] == 'L')
        end--, *suffixed = true;
    p += *p == '-' || *p == '+';
    bool hexadecimal = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    p += hexadecimal ? 2 : 0;
    return p < end && p + strspn(p, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789") == end;
}

/* Copies a number or name; an integer beyond 32 bits gets its L, one beyond 64 bits is a fault. */
static const char *word_copy(struct reading *r, const char *p)
{
    const char *end = word_end(p);
    bool suffixed = false, integer = word_is_integer(p, end, &suffixed);
    copy(r, p, end);
    if (!integer)
        return end;
    errno = 0;
    long long value = strtoll(p, NULL, memchr(p, 'x', (size_t)(end - p)) ? 16 : 10);
    if (errno == ERANGE)
        base_report_add(r->report, r->file, r->line,
                        "%.*s does not fit into 64 bits: at most 9223372036854775807",
                        (int)(end - p), p);
    if (!suffixed && (value > INT32_MAX || value < INT32_MIN))
        bytes_append(r->text, "L", 1);
    return end;
}

/* An @include line: its file takes its place. */
static const char *include_take(struct reading *r, const char *p)
{
    const char *line_stop = p + strcspn(p, "\n"), *open = p + strcspn(p, "\"\n");
    const char *close = *open == '"' ? string_end(open) : open;
    if (*open != '"' || close > line_stop || close[-1] != '"') {
        base_report_add(r->report, r->file, r->line, "write @include \"file.cfg\"");
        r->text->incomplete = true;
        return line_stop;
    }
    char *name = base_format("%.*s", (int)(close - open - 2), open + 1);
    char *path = config_path_beside(r->file, name);
    if (!file_append(r->text, path, r->depth + 1, r, r->report))
        r->text->incomplete = true;
    base_free(path);
    base_free(name);
    return line_stop;
}

static bool at_line_start(const struct config_text *text)
{
    size_t n = text->length;
    while (n > 0 && (text->text[n - 1] == ' ' || text->text[n - 1] == '\t'))
        n--;
    return n == 0 || text->text[n - 1] == '\n';
}

static void content_append(struct reading *r, const char *p)
{
    while (*p) {
        if (*p == '"')
            p = copy(r, p, string_end(p));
        else if (comment_begins(p))
            p = copy(r, p, comment_end(p));
        else if (strncmp(p, "@include", 8) == 0 && at_line_start(r->text))
            p = include_take(r, p);
        else if (is_word(*p))
            p = word_copy(r, p);
        else
            p = copy(r, p, p + 1);
    }
    if (!at_line_start(r->text))
        line_end(r);
}

/* The whole file, or NULL with errno set. A NUL byte ends it. */
static char *file_content(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *content = NULL;
    size_t capacity = 0, length = 0, got;
    do {
        content = base_grow(content, &capacity, length + 4097, 1);
        got = fread(content + length, 1, 4096, file);
        length += got;
    } while (got > 0);
    int failure = ferror(file) ? errno : 0;
    fclose(file);
    content[length] = '\0';
    if (!failure)
        return content;
    base_free(content);
    errno = failure;
    return NULL;
}

static bool file_append(struct config_text *text, const char *path, int depth,
                        const struct reading *from, struct base_report *report)
{
    const char *asker = from ? from->file : NULL;
    int line = from ? from->line : 0;
    if (depth > DEEPEST_INCLUDE) {
        base_report_add(report, asker, line, "\"%s\": files include each other without end", path);
        return false;
    }
    char *content = file_content(path);
    if (!content) {
        base_report_add(report, asker, line, "cannot read \"%s\": %s", path, strerror(errno));
        return false;
    }
    text->file = base_grow(text->file, &text->file_capacity, text->files + 1, sizeof(char *));
    char *name = text->file[text->files++] = base_strdup(path);
    content_append(&(struct reading){text, report, name, 1, depth}, content);
    base_free(content);
    return true;
}

bool config_text_read(const char *path, struct config_text *text, struct base_report *report)
{
    *text = (struct config_text){0};
    bytes_append(text, "", 0);
    return file_append(text, path, 0, NULL, report);
}

void config_text_release(struct config_text *text)
{
    for (size_t i = 0; i < text->files; i++)
        base_free(text->file[i]);
    base_free(text->file);
    base_free(text->place);
    base_free(text->text);
    *text = (struct config_text){0};
}

struct config_place config_text_place(const struct config_text *text, unsigned line)
{
    if (text->lines == 0)
        return (struct config_place){text->files ? text->file[0] : "", 1};
    return text->place[line == 0 ? 0 : line > text->lines ? text->lines - 1 : line - 1];
}
