/* SPDX-License-Identifier: BSD-3-Clause */
/* A small model's safetensors files, from a writer of the tests' own, and a folder to put them in.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include <stddef.h>

#include "model/model.h"

enum { CHECKPOINT_MOST_TENSORS = 40 };

/* Shapes for sample_read in which every width differs: hidden 8, q 12, kv 6, ffn 10, vocabulary 11;
 * 2 layers. Append more keys. */
#define CHECKPOINT_SHAPES                                                                          \
    "\"hidden_size\": 8, \"num_attention_heads\": 2, \"num_key_value_heads\": 1, "                 \
    "\"head_dim\": 6, \"intermediate_size\": 10, \"vocab_size\": 11"

struct checkpoint_tensor {
    char name[80];
    int64_t rows, columns; /* rows 0: a vector */
};

/* Tensors of a model, in the order in which the writer lays them out. */
struct checkpoint {
    struct checkpoint_tensor tensor[CHECKPOINT_MOST_TENSORS];
    int count;
};

/* All tensors of a dense `model`, lm_head.weight always among them, under Hugging Face's names. */
struct checkpoint checkpoint_of(const struct model *model);

/* Element `element` of tensor `tensor`: exact in F32, F16 and BF16. */
float checkpoint_value(int tensor, int64_t element);

/* The header's JSON; dtype F32, F16 or BF16. Free with base_free. */
char *checkpoint_header(const struct checkpoint *checkpoint, const char *dtype);

/* What the header's offsets count into; free with base_free. */
unsigned char *checkpoint_data(const struct checkpoint *checkpoint, const char *dtype,
                               size_t *bytes);

/* A whole file: length, header, data; free with base_free. */
unsigned char *checkpoint_file(const char *header, const unsigned char *data, size_t data_bytes,
                               size_t *bytes);

/* Writes or replaces FOLDER/NAME; aborts where that fails. */
void checkpoint_write(const char *folder, const char *name, const void *bytes, size_t count);

/* A new folder; free it and what is in it with checkpoint_folder_remove. */
char *checkpoint_folder(void);
void checkpoint_folder_remove(char *folder);

#endif
