/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes safetensors files from the format's description, without the code under test. */
#include "checkpoint.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/half.h"
#include "base/memory.h"

static void add(struct checkpoint *checkpoint, int64_t layer, const char *name, int64_t rows,
                int64_t columns)
{
    struct checkpoint_tensor *tensor = &checkpoint->tensor[checkpoint->count++];
    if (checkpoint->count > CHECKPOINT_MOST_TENSORS)
        abort();
    tensor->rows = rows;
    tensor->columns = columns;
    if (layer < 0)
        snprintf(tensor->name, sizeof tensor->name, "%s", name);
    else
        snprintf(tensor->name, sizeof tensor->name, "model.layers.%" PRId64 ".%s", layer, name);
}

static void add_layer(struct checkpoint *checkpoint, const struct model *model, int64_t layer)
{
    int64_t hidden = model->hidden, q = model->heads * model->head_dim;
    int64_t kv = model->kv_heads * model->head_dim;
    add(checkpoint, layer, "input_layernorm.weight", 0, hidden);
    add(checkpoint, layer, "mlp.down_proj.weight", hidden, model->ffn);
    add(checkpoint, layer, "mlp.gate_proj.weight", model->ffn, hidden);
    add(checkpoint, layer, "mlp.up_proj.weight", model->ffn, hidden);
    add(checkpoint, layer, "post_attention_layernorm.weight", 0, hidden);
    if (model->qkv_bias) {
        add(checkpoint, layer, "self_attn.k_proj.bias", 0, kv);
        add(checkpoint, layer, "self_attn.q_proj.bias", 0, q);
        add(checkpoint, layer, "self_attn.v_proj.bias", 0, kv);
    }
    if (model->output_bias)
        add(checkpoint, layer, "self_attn.o_proj.bias", 0, hidden);
    if (model->mlp_bias) {
        add(checkpoint, layer, "mlp.down_proj.bias", 0, hidden);
        add(checkpoint, layer, "mlp.gate_proj.bias", 0, model->ffn);
        add(checkpoint, layer, "mlp.up_proj.bias", 0, model->ffn);
    }
    if (model->qk_norm) {
        add(checkpoint, layer, "self_attn.k_norm.weight", 0, model->head_dim);
        add(checkpoint, layer, "self_attn.q_norm.weight", 0, model->head_dim);
    }
    add(checkpoint, layer, "self_attn.k_proj.weight", kv, hidden);
    add(checkpoint, layer, "self_attn.o_proj.weight", hidden, q);
    add(checkpoint, layer, "self_attn.q_proj.weight", q, hidden);
    add(checkpoint, layer, "self_attn.v_proj.weight", kv, hidden);
}

struct checkpoint checkpoint_of(const struct model *model)
{
    struct checkpoint checkpoint = {.count = 0};
    add(&checkpoint, -1, "lm_head.weight", model->vocabulary, model->hidden);
    add(&checkpoint, -1, "model.embed_tokens.weight", model->vocabulary, model->hidden);
    for (int64_t layer = 0; layer < model->layers; layer++)
        add_layer(&checkpoint, model, layer);
    add(&checkpoint, -1, "model.norm.weight", 0, model->hidden);
    return checkpoint;
}

float checkpoint_value(int tensor, int64_t element)
{
    return (float)((31 * tensor + 7 * element + element / 8) % 255 - 127) / 64;
}

static int64_t elements_of(const struct checkpoint_tensor *tensor)
{
    return (tensor->rows ? tensor->rows : 1) * tensor->columns;
}

static int64_t element_bytes(const char *dtype)
{
    return strcmp(dtype, "F32") == 0 ? 4 : 2;
}

char *checkpoint_header(const struct checkpoint *checkpoint, const char *dtype)
{
    char *text = base_strdup("{\"__metadata__\":{\"format\":\"pt\"}");
    int64_t begin = 0;
    for (int i = 0; i < checkpoint->count; i++) {
        const struct checkpoint_tensor *tensor = &checkpoint->tensor[i];
        int64_t end = begin + elements_of(tensor) * element_bytes(dtype);
        char rows[32] = "";
        if (tensor->rows)
            snprintf(rows, sizeof rows, "%" PRId64 ",", tensor->rows);
        char *longer = base_format("%s,\"%s\":{\"dtype\":\"%s\",\"shape\":[%s%" PRId64
                                   "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}",
                                   text, tensor->name, dtype, rows, tensor->columns, begin, end);
        base_free(text);
        text = longer;
        begin = end;
    }
    char *whole = base_format("%s}", text);
    base_free(text);
    return whole;
}

/* Little-endian, as the machines are that this runs on. */
static void store(unsigned char *place, const char *dtype, float value)
{
    uint32_t bits = base_bits_of_float(value);
    uint16_t half = dtype[0] == 'B' ? (uint16_t)(bits >> 16) : base_half_from_float(value);
    memcpy(place, strcmp(dtype, "F32") ? (void *)&half : (void *)&bits,
           (size_t)element_bytes(dtype));
}

unsigned char *checkpoint_data(const struct checkpoint *checkpoint, const char *dtype,
                               size_t *bytes)
{
    int64_t elements = 0;
    for (int i = 0; i < checkpoint->count; i++)
        elements += elements_of(&checkpoint->tensor[i]);
    *bytes = (size_t)(elements * element_bytes(dtype));
    unsigned char *data = base_alloc(*bytes, 1), *end = data;
    for (int i = 0; i < checkpoint->count; i++)
        for (int64_t e = 0; e < elements_of(&checkpoint->tensor[i]); e++) {
            store(end, dtype, checkpoint_value(i, e));
            end += element_bytes(dtype);
        }
    return data;
}

unsigned char *checkpoint_file(const char *header, const unsigned char *data, size_t data_bytes,
                               size_t *bytes)
{
    uint64_t length = strlen(header);
    *bytes = sizeof length + length + data_bytes;
    unsigned char *file = base_alloc(*bytes, 1);
    memcpy(file, &length, sizeof length);
    memcpy(file + sizeof length, header, length);
    memcpy(file + sizeof length + length, data, data_bytes);
    return file;
}

void checkpoint_write(const char *folder, const char *name, const void *bytes, size_t count)
{
    char *file = base_format("%s/%s", folder, name);
    unlink(file); /* a file cut to nothing and rewritten goes to the disk at once on ext4 */
    FILE *stream = fopen(file, "wb");
    if (!stream || fwrite(bytes, 1, count, stream) != count || fclose(stream) != 0)
        abort();
    base_free(file);
}

char *checkpoint_folder(void)
{
    char *folder = base_strdup("/tmp/lpusim-checkpoint-XXXXXX");
    if (!mkdtemp(folder))
        abort();
    return folder;
}

void checkpoint_folder_remove(char *folder)
{
    DIR *stream = opendir(folder);
    for (struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        char *file = base_format("%s/%s", folder, entry->d_name);
        unlink(file);
        base_free(file);
    }
    closedir(stream);
    rmdir(folder);
    base_free(folder);
}
