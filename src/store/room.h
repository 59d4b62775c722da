/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this folder know of an open store. */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H

#include "store/store.h"

struct store {
    char *folder, *names, *artifacts; /* the latter two below the first */
    int lock;                         /* descriptor that holds it */
};

/* Puts a name's file in the place of the one before. */
bool store_write_name(struct store *store, const struct store_name *name,
                      struct base_report *report);

/* A fault of a folder or file, from an errno. */
void store_fault(struct base_report *report, const char *path, const char *what, int number);

#endif
