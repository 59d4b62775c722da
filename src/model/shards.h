/* SPDX-License-Identifier: BSD-3-Clause */
/* The safetensors files of one model: a single one, or those that an index names. */
#ifndef MODEL_SHARDS_H
#define MODEL_SHARDS_H

#include "model/safetensors.h"

/* Open with shards_open, release with shards_close; walk with shards_find. */
struct shards {
    char *file;     /* what names the tensors: the single file or the index */
    json_t *number; /* number of the file of each tensor, by tensor; NULL: a single file */
    struct safetensors **shard; /* NULL where it could not be opened */
    size_t count;
};

/* Opens what lies beside PATH (a folder or a file in it): model.safetensors, else the files of
 * model.safetensors.index.json. Every fault goes to `report`; returns whether there was none. Call
 * shards_close in either case. */
bool shards_open(struct shards *shards, const char *path, struct base_report *report);

void shards_close(struct shards *shards);

/* Whether there is a tensor NAME; where not, `tensor` holds only the file that lacks it. */
bool shards_find(const struct shards *shards, const char *name, struct safetensors_tensor *tensor);

#endif
