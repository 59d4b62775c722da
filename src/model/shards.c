/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the safetensors files of a model and the one that holds a tensor. */
#include "model/shards.h"

#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "model/document.h"
#include "model/keys.h"

enum { MOST_SHARDS = 4096 };

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

static bool is_present(const char *file)
{
    struct stat status;
    return stat(file, &status) == 0;
}

/* Whether NAME is one of a file in the same folder. */
static bool is_plain_name(const char *name)
{
    if (!name || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (; *name; name++)
        if (*name == '/' || *name < ' ' || *name > '~')
            return false;
    return true;
}

static void open_shard(struct shards *shards, const char *name, struct base_report *report)
{
    char *file = document_beside(shards->file, name);
    shards->shard[shards->count++] = safetensors_open(file, report);
    base_free(file);
}

/* The number of the file NAME, opened on the first call for it; -1 where there are too many. */
static json_int_t number_of(struct shards *shards, json_t *opened, const char *name,
                            struct base_report *report)
{
    const json_t *known = json_object_get(opened, name);
    if (known)
        return json_integer_value(known);
    if (shards->count == MOST_SHARDS)
        return -1;
    json_int_t number = (json_int_t)shards->count;
    json_object_set_new(opened, name, json_integer(number));
    open_shard(shards, name, report);
    return number;
}

/* Opens every file of the weight_map; stops at the first fault of the map itself. */
static void open_mapped(struct shards *shards, json_t *map, struct base_report *report)
{
    json_t *opened = json_object();
    const char *tensor;
    json_t *value;
    shards->shard = base_alloc(MOST_SHARDS, sizeof(struct safetensors *));
    json_object_foreach(map, tensor, value)
    {
        const char *name = json_string_value(value);
        json_int_t number = is_plain_name(name) ? number_of(shards, opened, name, report) : -1;
        if (number < 0) {
            base_report_add(report, shards->file, 0,
                            "weight_map: must map tensors to names of at most %d files in the same "
                            "folder",
                            MOST_SHARDS);
            break;
        }
        json_object_set_new(shards->number, tensor, json_integer(number));
    }
    json_decref(opened);
}

static void open_index(struct shards *shards, struct base_report *report)
{
    json_t *root = document_read(shards->file, "weight_map", report);
    struct keys keys = {root, shards->file, "", report};
    json_t *map = json_object_get(root, "weight_map");
    shards->number = json_object();
    if (json_is_object(map))
        open_mapped(shards, map, report);
    else if (root)
        keys_fault(&keys, "weight_map", "must be an object {TENSOR: FILE, ...}");
    json_decref(root);
}

static void open_single(struct shards *shards, struct base_report *report)
{
    shards->shard = base_alloc(1, sizeof(struct safetensors *));
    shards->shard[shards->count++] = safetensors_open(shards->file, report);
}

bool shards_open(struct shards *shards, const char *path, struct base_report *report)
{
    size_t before = report->count;
    *shards = (struct shards){.file = document_beside(path, single_name)};
    if (is_present(shards->file)) {
        open_single(shards, report);
        return report->count == before;
    }
    char *index = document_beside(path, index_name);
    if (is_present(index)) {
        base_free(shards->file);
        shards->file = index;
        open_index(shards, report);
        return report->count == before;
    }
    base_report_add(report, path, 0, "no weights: neither %s nor %s lies there", single_name,
                    index_name);
    base_free(index);
    return false;
}

void shards_close(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        safetensors_close(shards->shard[i]);
    base_free(shards->shard);
    base_free(shards->file);
    json_decref(shards->number);
    *shards = (struct shards){0};
}

bool shards_find(const struct shards *shards, const char *name, struct safetensors_tensor *tensor)
{
    const json_t *number = json_object_get(shards->number, name);
    *tensor = (struct safetensors_tensor){.file = shards->file};
    if (shards->number && !number)
        return false;
    const struct safetensors *shard = shards->shard[json_integer_value(number)];
    tensor->file = shard->file;
    return safetensors_find(shard, name, tensor);
}
