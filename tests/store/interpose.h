/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls that change files, seen before and after they happen, and made to fail. */
#ifndef INTERPOSE_H
#define INTERPOSE_H

#include <stdbool.h>

enum interpose_kind {
    INTERPOSE_CREATE, /* open with O_CREAT */
    INTERPOSE_WRITE,  /* write, pwrite */
    INTERPOSE_FSYNC,
    INTERPOSE_RENAME,
    INTERPOSE_UNLINK,
    INTERPOSE_MKDIR,
};

/* `before` is asked whether a call may happen: 0, or the errno that it fails with. `after` hears of
 * each that has happened; `descriptor` is -1 but for files that are open. Either may be NULL. */
struct interpose_hooks {
    int (*before)(enum interpose_kind kind);
    void (*after)(enum interpose_kind kind, int descriptor);
    bool keep_off_disk; /* fsync does nothing but call the hooks */
};

/* From here on, for the whole process; NULL: no more. */
void interpose_begin(const struct interpose_hooks *hooks);

#endif
