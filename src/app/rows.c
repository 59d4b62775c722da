/* SPDX-License-Identifier: BSD-3-Clause */
/* Two columns behind a label, in colour where a terminal shows it. */
#include "app/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

struct app_paint app_rows_paint(void)
{
    const char *no_colour = getenv("NO_COLOR");
    if (!isatty(STDOUT_FILENO) || !isatty(STDERR_FILENO) || (no_colour && *no_colour))
        return (struct app_paint){"", "", "", "", ""};
    return (struct app_paint){"\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"};
}

void app_rows_print(const struct app_paint *p, const char *label, char *left, char *right)
{
    printf("%s%-*s%s", p->dim, APP_ROWS_LABEL, label, p->off);
    if (left && right)
        printf("%-*s%s\n", APP_ROWS_CELL, left, right);
    else
        printf("%s\n", left ? left : right ? right : "");
    base_free(left);
    base_free(right);
}

void app_rows_heads_print(const struct app_paint *p, bool lpu, bool gpu)
{
    char *left = base_format("%s%-*s%s", p->bold, gpu ? APP_ROWS_CELL : 0, "LPU rack", p->off);
    char *right = base_format("%sGPU cluster%s", p->bold, p->off);
    printf("%-*s%s%s\n", APP_ROWS_LABEL, "", lpu ? left : "", gpu ? right : "");
    base_free(left);
    base_free(right);
}

void app_rows_title(const struct app_paint *p, const char *title)
{
    printf("\n%s%s%s\n", p->bold, title, p->off);
}

void app_rows_flush(struct base_report *report)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        base_report_add(report, NULL, 0, "standard output: cannot be written: %s", strerror(errno));
}
