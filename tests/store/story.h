/* SPDX-License-Identifier: BSD-3-Clause */
/* A short life of a store, a command after the other, and where names point in between. */
#ifndef STORY_H
#define STORY_H

#include "little_store.h"

enum { STORY_NAMES = 2, STORY_NUMBERS = 8, STORY_BYTES = 600 };

extern const char *const story_name[STORY_NAMES];

/* How many commands there are. */
int story_length(void);

/* Runs command n; false where it is refused. */
bool story_tell(const char *folder, int n, struct base_report *report);

/* The artifact that a name points at once n commands are done; -1: there is no such name. */
int story_at(int n, int name);

#endif
