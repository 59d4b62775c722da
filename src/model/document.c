/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a JSON file whole, within bounds, and finds the files that lie beside another. */
#include "model/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

enum { MOST_FILE_BYTES = 16 * 1024 * 1024 };

/* NULL and a fault where `file` is no regular file of sensible size. */
static FILE *open_text(const char *file, size_t *bytes, struct base_report *report)
{
    struct stat status;
    if (stat(file, &status) != 0) {
        base_report_add(report, file, 0, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > MOST_FILE_BYTES) {
        base_report_add(report, file, 0, "must be a file of at most %d bytes", MOST_FILE_BYTES);
        return NULL;
    }
    *bytes = (size_t)status.st_size;
    FILE *stream = fopen(file, "rb");
    if (!stream)
        base_report_add(report, file, 0, "cannot be read: %s", strerror(errno));
    return stream;
}

/* The whole file, free with base_free; NULL and a fault where there is none. */
static char *read_text(const char *file, size_t *bytes, struct base_report *report)
{
    FILE *stream = open_text(file, bytes, report);
    if (!stream)
        return NULL;
    char *text = base_alloc(*bytes, 1);
    *bytes = fread(text, 1, *bytes, stream);
    fclose(stream);
    return text;
}

json_t *document_read(const char *file, const char *members, struct base_report *report)
{
    size_t bytes = 0;
    char *text = read_text(file, &bytes, report);
    if (!text)
        return NULL;
    json_error_t error;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    base_free(text);
    if (!root)
        base_report_add(report, file, error.line, "not JSON: %s", error.text);
    if (!root || json_is_object(root))
        return root;
    base_report_add(report, file, 0, "must hold an object with %s", members);
    json_decref(root);
    return NULL;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

char *document_beside(const char *path, const char *name)
{
    if (is_folder(path))
        return base_format("%s/%s", path, name);
    const char *last = strrchr(path, '/');
    int folder = last ? (int)(last - path) + 1 : 0;
    return base_format("%.*s%s", folder, path, name);
}
