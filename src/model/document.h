/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON files of a model's folder, whatever they turn out to be. */
#ifndef MODEL_DOCUMENT_H
#define MODEL_DOCUMENT_H

#include <jansson.h>

#include "base/status.h"

/* The object in FILE (json_decref it), or NULL and a fault: no regular file of at most 16 MiB, not
 * JSON, a key given twice, or no object. `members` says what the object must hold. */
json_t *document_read(const char *file, const char *members, struct base_report *report);

/* PATH/NAME where PATH is a folder, else NAME in the folder of the file PATH; free with base_free.
 */
char *document_beside(const char *path, const char *name);

#endif
