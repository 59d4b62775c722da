/* SPDX-License-Identifier: BSD-3-Clause */
/* Knows fields by their names. */
#include "idle.h"

#include <string.h>

bool idle_is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

bool idle_field(const struct program_instruction *i, const struct program_operand *o,
                const char *name)
{
    static const char *const path[] = {"direction", "stream", "streams", NULL};
    static const char *const live[] = {"kind", "stream", "dtype", "mark", NULL};
    if ((i->count[0] == 1 && strstr(name, "[0]") && strcmp(name, "count[0]") != 0) ||
        (i->count[1] == 1 && strstr(name, "[1]") && strcmp(name, "count[1]") != 0))
        return true;
    return o && ((o->kind == PROGRAM_EXPECT && idle_is_one_of(name, path)) ||
                 (o->kind == PROGRAM_ALU && !idle_is_one_of(name, live)));
}
