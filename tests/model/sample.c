/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes config.json texts into a folder of their own and reads them back. */
#include "sample.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static const char *const shapes[] = {
    "\"hidden_size\": 64",           "\"intermediate_size\": 96",
    "\"num_hidden_layers\": 2",      "\"num_attention_heads\": 4",
    "\"num_key_value_heads\": 2",    "\"vocab_size\": 100",
    "\"rms_norm_eps\": 1e-05",       "\"max_position_embeddings\": 512",
    "\"tie_word_embeddings\": false"};

/* Whether EXTRA sets the key of this "key": value, so that the base text must not. */
static bool is_overridden(const char *entry, const char *extra)
{
    char *key = base_strdup(entry);
    *strchr(key, ':') = '\0';
    bool found = strstr(extra, key) != NULL;
    base_free(key);
    return found;
}

static char *append_entry(char *text, const char *entry)
{
    char *longer = base_format("%s%s%s", text, *text ? ", " : "", entry);
    base_free(text);
    return longer;
}

/* GptOss for gpt_oss; free with base_free. */
static char *camel_case(const char *family)
{
    char *text = base_strdup(family), *end = text;
    for (size_t i = 0; family[i]; i++) {
        bool begins_word = i == 0 || family[i - 1] == '_';
        if (family[i] != '_')
            *end++ = begins_word ? (char)toupper((unsigned char)family[i]) : family[i];
    }
    *end = '\0';
    return text;
}

char *sample_text(const char *family, const char *extra)
{
    char *type = base_format("\"model_type\": \"%s\"", family);
    char *camel = camel_case(family);
    char *architecture = base_format("\"architectures\": [\"%sForCausalLM\"]", camel);
    base_free(camel);
    char *text = base_strdup("");
    if (!is_overridden(type, extra))
        text = append_entry(text, type);
    if (!is_overridden(architecture, extra))
        text = append_entry(text, architecture);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (!is_overridden(shapes[i], extra))
            text = append_entry(text, shapes[i]);
    if (*extra)
        text = append_entry(text, extra);
    char *object = base_format("{%s}", text);
    base_free(type);
    base_free(architecture);
    base_free(text);
    return object;
}

bool sample_read_bytes(const char *text, size_t bytes, struct model *model, char **faults)
{
    char folder[] = "/tmp/lpusim-sample-XXXXXX";
    if (!mkdtemp(folder))
        abort();
    char *file = base_format("%s/config.json", folder);
    FILE *stream = fopen(file, "wb");
    if (!stream || fwrite(text, 1, bytes, stream) != bytes || fclose(stream) != 0)
        abort();
    struct base_report report = {0};
    bool is_read = model_read(folder, model, &report);
    if (faults)
        *faults = base_report_text(&report);
    base_report_release(&report);
    unlink(file);
    rmdir(folder);
    base_free(file);
    return is_read;
}

bool sample_read(const char *family, const char *extra, struct model *model, char **faults)
{
    char *text = sample_text(family, extra);
    bool is_read = sample_read_bytes(text, strlen(text), model, faults);
    base_free(text);
    return is_read;
}
