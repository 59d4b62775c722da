/* SPDX-License-Identifier: BSD-3-Clause */
/* A safetensors file: mapped read-only, its header checked as a whole, its tensors found by name.
 */
#ifndef MODEL_SAFETENSORS_H
#define MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"

/* How elements are stored; OTHER holds the types that are no weights here (integers, fp8, ...). U8
 * holds packed weights. */
enum safetensors_type {
    SAFETENSORS_F32,
    SAFETENSORS_F16,
    SAFETENSORS_BF16,
    SAFETENSORS_U8,
    SAFETENSORS_OTHER,
};

/* An open file. The file must not shrink while it is open. */
struct safetensors {
    char *file;
    void *map;
    size_t bytes;
    const unsigned char *data; /* of the map, behind the header */
    int64_t data_bytes;
    json_t *header; /* every entry is well formed */
};

/* A tensor of an open file, and gone with it. Elements lie row by row, little-endian, at any
 * alignment. */
struct safetensors_tensor {
    const char *file;
    enum safetensors_type type;
    const char *type_name;
    const json_t *shape; /* list of sizes, slowest first */
    const unsigned char *data;
};

/* Maps FILE and checks all of it: bounds of the header, a known dtype and a shape of each tensor,
 * and data that follow each other without overlap or hole up to the end of the file. Every fault
 * goes to `report` by file and tensor. Returns NULL where there was one. */
struct safetensors *safetensors_open(const char *file, struct base_report *report);

/* Accepts NULL. */
void safetensors_close(struct safetensors *file);

/* Whether there is a tensor NAME. */
bool safetensors_find(const struct safetensors *file, const char *name,
                      struct safetensors_tensor *tensor);

#endif
