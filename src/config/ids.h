/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of token ids as users write them: "1,403,407". */
#ifndef CONFIG_IDS_H
#define CONFIG_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Digits in [from, end), at most INT32_MAX. */
bool config_number_parse(const char *from, const char *end, int32_t *number);

/* Ids from 0 to INT32_MAX, at least one; free *ids with base_free in either case. Every item that
 * is none is a fault of `option`. Returns whether there was none. */
bool config_ids_parse(const char *option, const char *text, int32_t **ids, int32_t *count,
                      struct base_report *report);

#endif
