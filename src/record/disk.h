/* SPDX-License-Identifier: BSD-3-Clause */
/* The disk below the file: may it be written, and is there room. */
#ifndef RECORD_DISK_H
#define RECORD_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Collective. Whether all ranks can write PATH and `bytes` fit; creates the file. Otherwise the
 * first rank's report says why. */
bool record_disk_accepts(const char *path, int64_t bytes, struct base_report *report);

/* Gives the file's first `bytes` bytes blocks of their own. Returns 0 or an errno. */
int record_disk_reserve(const char *path, int64_t bytes);

/* Bytes of the file, 0 where there is none. */
int64_t record_disk_length(const char *path);

#endif
