/* SPDX-License-Identifier: BSD-3-Clause */
/* Splits a list at its commas; every item must be a number. */
#include "config/ids.h"

#include <string.h>

#include "base/memory.h"

bool config_number_parse(const char *from, const char *end, int32_t *number)
{
    int64_t value = 0;
    for (const char *p = from; p < end; p++) {
        value = 10 * value + (*p - '0');
        if (*p < '0' || *p > '9' || value > INT32_MAX)
            return false;
    }
    *number = (int32_t)value;
    return from < end;
}

static int32_t items_of(const char *list)
{
    int32_t items = 1;
    for (; *list; list++)
        items += *list == ',';
    return items;
}

bool config_ids_parse(const char *option, const char *text, int32_t **ids, int32_t *count,
                      struct base_report *report)
{
    size_t before = report->count;
    *count = items_of(text);
    *ids = base_alloc((size_t)*count, sizeof **ids);
    for (int32_t i = 0; i < *count; i++) {
        const char *end = text + strcspn(text, ",");
        if (!config_number_parse(text, end, &(*ids)[i]))
            base_report_add(report, NULL, 0, "%s: item %d \"%.*s\" is no token id: 0 to %d", option,
                            i + 1, (int)(end - text), text, INT32_MAX);
        text = end + 1;
    }
    return report->count == before;
}
