/* SPDX-License-Identifier: BSD-3-Clause */
/* Agreement on statuses and faults: one rank speaks, all leave together. */
#include <mpi.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"

enum base_status parallel_agree_status(enum base_status status)
{
    int64_t worst = (int64_t)status;
    parallel_max_i64(&worst, 1);
    return (enum base_status)worst;
}

static bool report_has(const struct base_report *report, const char *message)
{
    for (size_t i = 0; i < report->count; i++)
        if (!strcmp(report->message[i], message))
            return true;
    return false;
}

/* All messages, each with its closing 0, end to end. */
static char *report_pack(const struct base_report *report, size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < report->count; i++)
        *bytes += strlen(report->message[i]) + 1;
    char *packed = base_alloc(*bytes, 1), *end = packed;
    for (size_t i = 0; i < report->count; i++) {
        size_t length = strlen(report->message[i]) + 1;
        memcpy(end, report->message[i], length);
        end += length;
    }
    return packed;
}

static struct base_report report_unpack(const char *packed, size_t bytes)
{
    struct base_report report = {0};
    for (const char *p = packed; p < packed + bytes; p += strlen(p) + 1)
        if (!report_has(&report, p))
            base_report_add(&report, NULL, 0, "%s", p);
    return report;
}

/* Leaves the union of all ranks' faults in every rank's report. */
static void report_unite(struct base_report *report)
{
    size_t bytes, total;
    char *mine = report_pack(report, &bytes);
    char *all = parallel_gather(mine, bytes, &total);
    parallel_broadcast(&total, sizeof total);
    if (!parallel_is_first())
        all = base_alloc(total, 1);
    parallel_broadcast(all, total);
    base_report_release(report);
    *report = report_unpack(all, total);
    base_free(mine);
    base_free(all);
}

enum base_status parallel_agree_report(struct base_report *report, enum base_status if_faulty)
{
    bool clean = base_report_is_clean(report);
    enum base_status status = parallel_agree_status(clean ? BASE_OK : if_faulty);
    if (status == BASE_OK)
        return BASE_OK;
    report_unite(report);
    if (parallel_is_first())
        base_report_print(report, stderr);
    return status;
}
