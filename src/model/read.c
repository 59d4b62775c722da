/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens a config.json, whatever it turns out to be, and hands its keys to the family that they
 * belong to. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "model/family.h"

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

static json_t *read_json(const char *file, struct base_report *report)
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
    else if (!json_is_object(root))
        base_report_add(report, file, 0, "must hold an object with model_type, hidden_size, ...");
    return root;
}

/* PATH itself, or PATH/config.json where PATH is a folder; free with base_free. */
static char *file_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return base_format("%s/config.json", path);
    return base_strdup(path);
}

static bool is_config_json(const char *name)
{
    return strcmp(name, "config.json") == 0;
}

/* The folder's name for FOLDER/config.json, else the file's without its suffix; "" at the root. */
static void name_from_file(const char *file, char *name)
{
    char *path = realpath(file, NULL);
    if (!path)
        return;
    char *last = strrchr(path, '/') + 1;
    bool is_folder = is_config_json(last);
    if (is_folder) {
        last[-1] = '\0';
        last = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    }
    char *suffix = is_folder ? NULL : strrchr(last, '.');
    if (suffix)
        *suffix = '\0';
    snprintf(name, MODEL_NAME_BYTES, "%.*s", MODEL_NAME_BYTES - 1, last);
    free(path);
}

bool model_read(const char *path, struct model *model, struct base_report *report)
{
    *model = (struct model){0};
    size_t before = report->count;
    char *file = file_of(path);
    json_t *root = read_json(file, report);
    struct keys keys = {.object = root, .file = file, .prefix = "", .report = report};
    if (json_is_object(root))
        family_read(&keys, model);
    name_from_file(file, model->name);
    if (!model->name[0] && json_is_object(root))
        keys_string(&keys, "_name_or_path", model->name, MODEL_NAME_BYTES);
    json_decref(root);
    base_free(file);
    return report->count == before;
}
