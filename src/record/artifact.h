/* SPDX-License-Identifier: BSD-3-Clause */
/* A sealed file of tables: written whole by one rank, refused unless every byte is as it was.
 *
 * A header of RECORD_SEAL_BYTES in plain text names format, length and SHA-256; an HDF5 file whose
 * user block the header is follows. The same tables give the same bytes: no times, one writer. What
 * is read comes from memory, and HDF5 sees no byte that the seal does not vouch for. Nothing here
 * is collective. */
#ifndef RECORD_ARTIFACT_H
#define RECORD_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "record/record.h"

enum { RECORD_SEAL_BYTES = 512, RECORD_DIGEST_BYTES = 65, RECORD_ARTIFACT_FORMAT = 2 };

struct record_artifact_writer;

struct record_artifact_writer *record_artifact_create(void);

/* Adds a table; each schema once. */
void record_artifact_add(struct record_artifact_writer *writer, const struct record_schema *schema,
                         const void *rows, size_t count);

/* Adds a text of its own, at "/name". */
void record_artifact_add_text(struct record_artifact_writer *writer, const char *name,
                              const char *text);

/* Seals; returns the bytes of the whole file. Releases the writer; free with base_free. */
char *record_artifact_seal(struct record_artifact_writer *writer, size_t *bytes);

/* Puts bytes at PATH, which may be new, or an artifact that is replaced. False and a fault
 * otherwise; what was there stays. */
bool record_artifact_save(const char *path, const void *bytes, size_t count,
                          struct base_report *report);

struct record_artifact;

/* `bytes` is a whole file, and may be released afterwards; `path` is for messages. NULL and a fault
 * where it is foreign, of another format, truncated or altered. */
struct record_artifact *record_artifact_open(const char *path, const void *bytes, size_t count,
                                             struct base_report *report);
void record_artifact_close(struct record_artifact *artifact);

/* All rows of a table, and how many; base_free. NULL and a fault where it is not there or not as
 * the schema says. */
void *record_artifact_rows(const struct record_artifact *artifact,
                           const struct record_schema *schema, size_t *count,
                           struct base_report *report);

/* base_free; NULL and a fault where it is not there. */
char *record_artifact_text(const struct record_artifact *artifact, const char *name,
                           struct base_report *report);

/* SHA-256 of all that follows the header, in hexadecimal. */
const char *record_artifact_digest(const struct record_artifact *artifact);

const char *record_artifact_path(const struct record_artifact *artifact);

#endif
