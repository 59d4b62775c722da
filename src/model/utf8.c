/* SPDX-License-Identifier: BSD-3-Clause */
/* Decodes UTF-8 by the table of RFC 3629. */
#include "model/utf8.h"

#include <string.h>

#include "base/memory.h"

size_t utf8_character(const char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)text;
    size_t bytes = byte[0] < 0x80 ? 1 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if (byte[0] >= 0xf8 || (byte[0] >= 0x80 && byte[0] < 0xc0))
        return 0;
    *code = bytes == 1 ? byte[0] : byte[0] & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (byte[i] & 0x3fu);
    }
    if (*code < least[bytes] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
        return 0;
    return bytes;
}

char *utf8_repair(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *repaired = base_alloc((sizeof replacement - 1) * strlen(text) + 1, 1), *end = repaired;
    while (*text) {
        uint32_t code;
        size_t bytes = utf8_character(text, &code), more = bytes ? bytes : sizeof replacement - 1;
        memcpy(end, bytes ? text : replacement, more);
        end += more;
        text += bytes ? bytes : 1;
    }
    return repaired;
}
