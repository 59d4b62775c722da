/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds a config.json and hands its keys to the family that they belong to. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "model/document.h"
#include "model/family.h"

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
    json_t *root = document_read(file, "model_type, hidden_size, ...", report);
    struct keys keys = {.object = root, .file = file, .prefix = "", .report = report};
    if (root)
        family_read(&keys, model);
    name_from_file(file, model->name);
    if (!model->name[0] && root)
        keys_string(&keys, "_name_or_path", model->name, MODEL_NAME_BYTES);
    json_decref(root);
    base_free(file);
    return report->count == before;
}
