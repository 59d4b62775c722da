/* SPDX-License-Identifier: BSD-3-Clause */
/* Allocation that aborts, with the size asked for, where none is left. */
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void die_out_of_memory(size_t count, size_t element_bytes)
{
    fprintf(stderr, "lpusim-mp: out of memory: %zu elements of %zu bytes\n", count, element_bytes);
    abort();
}

void *base_alloc(size_t count, size_t element_bytes)
{
    void *pointer = calloc(count ? count : 1, element_bytes ? element_bytes : 1);
    if (!pointer)
        die_out_of_memory(count, element_bytes);
    return pointer;
}

void *base_realloc(void *pointer, size_t count, size_t element_bytes)
{
    if (element_bytes && count > SIZE_MAX / element_bytes)
        die_out_of_memory(count, element_bytes);
    size_t bytes = count * element_bytes;
    void *moved = realloc(pointer, bytes > 0 ? bytes : 1);
    if (!moved)
        die_out_of_memory(count, element_bytes);
    return moved;
}

void *base_enlarge(void *pointer, size_t *capacity, size_t need, size_t element_bytes)
{
    size_t larger = *capacity ? 2 * *capacity : 16;
    if (larger < need)
        larger = need;
    char *moved = base_realloc(pointer, larger, element_bytes);
    memset(moved + *capacity * element_bytes, 0, (larger - *capacity) * element_bytes);
    *capacity = larger;
    return moved;
}

void base_free(void *pointer)
{
    free(pointer);
}

char *base_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(base_alloc(n, 1), text, n);
}

char *base_vformat(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = base_alloc((size_t)(n < 0 ? 0 : n) + 1, 1);
    if (n > 0)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

char *base_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = base_vformat(format, args);
    va_end(args);
    return text;
}
