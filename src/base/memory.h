/* SPDX-License-Identifier: BSD-3-Clause */
/* Allocation that never returns NULL: it aborts with the size asked for. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

/* Zeroed array of `count` elements; free with base_free. A count of 0 gives a unique pointer. */
void *base_alloc(size_t count, size_t element_bytes);

/* Resizes; new bytes are not initialised. */
void *base_realloc(void *pointer, size_t count, size_t element_bytes);

/* Doubles *capacity, or more where that is less than `need`; returns the moved array. New bytes are
 * zero. */
void *base_enlarge(void *pointer, size_t *capacity, size_t need, size_t element_bytes);

/* Ensures *capacity >= need in this way. */
static inline void *base_grow(void *pointer, size_t *capacity, size_t need, size_t element_bytes)
{
    return need <= *capacity ? pointer : base_enlarge(pointer, capacity, need, element_bytes);
}

void base_free(void *pointer);

char *base_strdup(const char *text);

/* Formatted string of exactly the length needed; free with base_free. */
char *base_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *base_vformat(const char *format, va_list args);

#endif
