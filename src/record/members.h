/* SPDX-License-Identifier: BSD-3-Clause */
/* Columns from members of a structure, for sources that list tables: name, type, unit, meaning. */
#ifndef RECORD_MEMBERS_H
#define RECORD_MEMBERS_H

#include <stddef.h>

#define MEMBER(row, member, name, type, units, description)                                        \
    {                                                                                              \
        name, type, offsetof(struct row, member), sizeof(((struct row *)0)->member), units,        \
            description, NULL                                                                      \
    }
#define WIDE(row, member, units, description)                                                      \
    MEMBER(row, member, #member, RECORD_I64, units, description)
#define COUNT(row, member, units, description)                                                     \
    MEMBER(row, member, #member, RECORD_I32, units, description)

#endif
