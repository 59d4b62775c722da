/* SPDX-License-Identifier: BSD-3-Clause */
/* One line of a file of JSON objects: the values of a few keys, everything else checked and passed
 * over. */
#ifndef SERVE_JSON_LINE_H
#define SERVE_JSON_LINE_H

#include "serve/fields.h"

/* Sets value[i] to what stands behind key[i], as it stands there; at NULL where the key is missing.
 * Returns NULL, or what the line lacks to be one JSON object ("a colon is
 * wanted"), with *where set to the byte, from 1. Keys are compared as they are written. */
const char *serve_json_line(struct serve_field line, const char *const *key, size_t keys,
                            struct serve_field *value, size_t *where);

#endif
