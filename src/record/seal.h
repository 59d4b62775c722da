/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of an artifact: what it is, how long, and the digest of what follows. */
#ifndef RECORD_SEAL_H
#define RECORD_SEAL_H

#include "record/artifact.h"

/* SHA-256 of any bytes, in hexadecimal; `hex` has RECORD_DIGEST_BYTES. */
void record_digest(const void *bytes, size_t count, char *hex);

/* Fills the header at the start of a whole file of `count` bytes. */
void record_seal_write(char *bytes, size_t count);

/* Whether the header is one, and vouches for the bytes; else one fault that says why not.
 * `digest` has RECORD_DIGEST_BYTES. */
bool record_seal_holds(const char *path, const char *bytes, size_t count, char *digest,
                       struct base_report *report);

/* Whether bytes start as an artifact does. */
bool record_seal_begins(const char *bytes, size_t count);

#endif
