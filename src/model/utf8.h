/* SPDX-License-Identifier: BSD-3-Clause */
/* Characters of a UTF-8 text that may be anything. */
#ifndef MODEL_UTF8_H
#define MODEL_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at the start of a NUL-terminated TEXT, 1 to 4, and its code point; 0 at
 * the end and where the bytes are no UTF-8 (overlong forms and surrogates included). */
size_t utf8_character(const char *text, uint32_t *code);

/* A copy in which every byte that is no UTF-8 is U+FFFD; free with base_free. */
char *utf8_repair(const char *text);

#endif
