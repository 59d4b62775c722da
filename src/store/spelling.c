/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be a name, a note or a digest, and how a name becomes the name of a file. */
#include <string.h>

#include "base/memory.h"
#include "store/name.h"

static const char suffix[] = ".name";

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool store_is_digest(const char *text)
{
    size_t length = strspn(text, "0123456789abcdef");
    return !text[length] && length >= STORE_PREFIX_DIGITS && length < STORE_DIGEST_BYTES;
}

/* What is wrong with a part of a name; NULL: nothing. */
static const char *part_fault(const char *part, size_t length)
{
    if (length == 0)
        return "has an empty part";
    if (!is_letter_or_digit(part[0]))
        return "has a part that begins with neither a letter nor a digit";
    for (size_t i = 0; i < length; i++)
        if (!is_letter_or_digit(part[i]) && !strchr("._-", part[i]))
            return "has a character that is no letter, digit, '.', '_' or '-'";
    return NULL;
}

static const char *name_fault(const char *name)
{
    const char *fault = NULL, *part = name;
    if (strlen(name) > STORE_NAME_MOST)
        return "is longer than 200 bytes";
    if (store_is_digest(name))
        return "reads as a digest";
    do {
        size_t length = strcspn(part, "/");
        fault = part_fault(part, length);
        part += length;
    } while (!fault && *part++ == '/');
    return fault;
}

bool store_name_is_right(const char *name, struct base_report *report)
{
    const char *fault = name_fault(name);
    if (fault)
        base_report_add(report, NULL, 0,
                        "name \"%.*s\" %s; names are written as in llama-70b/s4096/stable",
                        STORE_NAME_MOST, name, fault);
    return !fault;
}

bool store_note_is_right(const char *note, struct base_report *report)
{
    bool is_long = strlen(note) > STORE_NOTE_MOST, right = !is_long;
    for (const char *p = note; right && *p; p++)
        right = (unsigned char)*p >= ' ' && *p != 0x7f;
    if (!right)
        base_report_add(report, NULL, 0, "a note is one line of at most %d bytes%s",
                        STORE_NOTE_MOST, is_long ? "" : ", without control characters");
    return right;
}

/* The text with one character in the place of another; base_free. */
static char *exchanged(const char *text, size_t length, char from, char to)
{
    char *other = base_format("%.*s", (int)length, text);
    for (char *p = other; *p; p++)
        *p = *p == from ? to : *p;
    return other;
}

char *store_name_file(const char *name)
{
    char *flat = exchanged(name, strlen(name), '/', '+');
    char *file = base_format("%s%s", flat, suffix);
    base_free(flat);
    return file;
}

char *store_name_of_file(const char *file)
{
    size_t length = strlen(file), end = strlen(suffix);
    if (length <= end || strcmp(file + length - end, suffix))
        return NULL;
    char *name = exchanged(file, length - end, '+', '/');
    char *again = store_name_file(name);
    bool same = !strcmp(again, file) && !name_fault(name);
    base_free(again);
    if (same)
        return name;
    base_free(name);
    return NULL;
}
