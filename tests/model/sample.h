/* SPDX-License-Identifier: BSD-3-Clause */
/* Small config.json texts, and reading one from a file that is gone afterwards. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stddef.h>

#include "model/model.h"

/* {"architectures": [...], "model_type": ..., shapes of a 2-layer model} of FAMILY: llama, mistral,
 * qwen2, qwen3. Keys in EXTRA ("\"a\": 1, \"b\": 2") come last; a key set to null there and absent
 * is the same. Free with base_free. */
char *sample_text(const char *family, const char *extra);

/* Reads TEXT as FOLDER/config.json; faults joined by newlines in *faults where wanted (base_free).
 */
bool sample_read_bytes(const char *text, size_t bytes, struct model *model, char **faults);

/* sample_read_bytes of sample_text. */
bool sample_read(const char *family, const char *extra, struct model *model, char **faults);

#endif
