/* SPDX-License-Identifier: BSD-3-Clause */
/* Goes once through a line of JSON; what is not asked for is checked for its form alone. */
#include "serve/json_line.h"

#include <stdbool.h>
#include <string.h>

enum { DEEPEST = 64 };

struct scan {
    const char *p, *end;
    const char *fault, *at; /* the first, and where; NULL: none */
    int depth;
    const char *const *key; /* of the outermost object */
    size_t keys;
    struct serve_field *value;
};

static void value_pass(struct scan *s);

static bool fail(struct scan *s, const char *fault)
{
    if (!s->fault)
        s->fault = fault, s->at = s->p;
    return false;
}

static char here(const struct scan *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static void blanks_pass(struct scan *s)
{
    while (here(s) == ' ' || here(s) == '\t' || here(s) == '\r')
        s->p++;
}

static bool is_next(struct scan *s, char c)
{
    blanks_pass(s);
    return s->p < s->end && *s->p == c;
}

static bool pass(struct scan *s, char c)
{
    bool there = is_next(s, c);
    s->p += there;
    return there;
}

static bool escape_pass(struct scan *s)
{
    char c = here(s);
    if (!c || !strchr("\"\\/bfnrtu", c))
        return fail(s, "an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    s->p++;
    for (int i = 0; c == 'u' && i < 4; i++, s->p++)
        if (!here(s) || !strchr("0123456789abcdefABCDEF", here(s)))
            return fail(s, "four hexadecimal digits are wanted behind \\u");
    return true;
}

/* From behind its first quote to behind its last; *text is what stands between. */
static bool string_pass(struct scan *s, struct serve_field *text)
{
    text->at = s->p;
    while (s->p < s->end && *s->p != '"') {
        if ((unsigned char)*s->p < 0x20)
            return fail(s, "a string has no control characters");
        bool escape = *s->p++ == '\\';
        if (escape && !escape_pass(s))
            return false;
    }
    text->bytes = (size_t)(s->p - text->at);
    if (s->p == s->end)
        return fail(s, "a closing quote is wanted");
    s->p++;
    return true;
}

static size_t digits_pass(struct scan *s)
{
    size_t count = 0;
    for (; here(s) >= '0' && here(s) <= '9'; s->p++)
        count++;
    return count;
}

static void number_pass(struct scan *s)
{
    s->p += here(s) == '-';
    bool zero = here(s) == '0';
    size_t whole = digits_pass(s);
    bool good = whole == 1 || (whole > 1 && !zero);
    if (good && here(s) == '.') {
        s->p++;
        good = digits_pass(s) > 0;
    }
    if (good && (here(s) == 'e' || here(s) == 'E')) {
        s->p++;
        s->p += here(s) == '+' || here(s) == '-';
        good = digits_pass(s) > 0;
    }
    if (!good)
        fail(s, "a value is wanted: a number, a string, true, false, null, [ or {");
}

static bool word_pass(struct scan *s, const char *word)
{
    size_t length = strlen(word);
    bool there = (size_t)(s->end - s->p) >= length && memcmp(s->p, word, length) == 0;
    s->p += there ? length : 0;
    return there;
}

static void array_pass(struct scan *s)
{
    if (pass(s, ']'))
        return;
    do
        value_pass(s);
    while (!s->fault && pass(s, ','));
    if (!pass(s, ']'))
        fail(s, "a comma or ] is wanted");
}

/* A key of the outermost object that was asked for gets its value. */
static void member_note(struct scan *s, struct serve_field key, struct serve_field value)
{
    for (size_t i = 0; s->depth == 1 && i < s->keys; i++) {
        if (key.bytes != strlen(s->key[i]) || memcmp(key.at, s->key[i], key.bytes) != 0)
            continue;
        if (s->value[i].at)
            fail(s, "a key stands there twice");
        s->value[i] = value;
    }
}

static void member_pass(struct scan *s)
{
    struct serve_field key, value;
    if (!pass(s, '"')) {
        fail(s, "a key in quotes is wanted");
        return;
    }
    if (!string_pass(s, &key))
        return;
    if (!pass(s, ':')) {
        fail(s, "a colon is wanted");
        return;
    }
    blanks_pass(s);
    value.at = s->p;
    value_pass(s);
    value.bytes = (size_t)(s->p - value.at);
    member_note(s, key, value);
}

static void object_pass(struct scan *s)
{
    if (pass(s, '}'))
        return;
    do
        member_pass(s);
    while (!s->fault && pass(s, ','));
    if (!pass(s, '}'))
        fail(s, "a comma or } is wanted");
}

static void value_pass(struct scan *s)
{
    struct serve_field text;
    if (++s->depth > DEEPEST)
        fail(s, "values are nested too deeply");
    else if (pass(s, '{'))
        object_pass(s);
    else if (pass(s, '['))
        array_pass(s);
    else if (pass(s, '"'))
        string_pass(s, &text);
    else if (!word_pass(s, "true") && !word_pass(s, "false") && !word_pass(s, "null"))
        number_pass(s);
    s->depth--;
}

const char *serve_json_line(struct serve_field line, const char *const *key, size_t keys,
                            struct serve_field *value, size_t *where)
{
    struct scan s = {
        .p = line.at, .end = line.at + line.bytes, .key = key, .keys = keys, .value = value};
    memset(value, 0, keys * sizeof *value);
    if (!is_next(&s, '{'))
        fail(&s, "{ is wanted");
    else
        value_pass(&s);
    blanks_pass(&s);
    if (!s.fault && s.p < s.end)
        fail(&s, "nothing is wanted behind the object");
    *where = s.fault ? (size_t)(s.at - line.at) + 1 : 0;
    return s.fault;
}
