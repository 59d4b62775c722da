/* SPDX-License-Identifier: BSD-3-Clause */
/* The ledger on the terminal: who decides what, before a token and inside it. */
#include "app/ledger.h"

#include <stdio.h>
#include <string.h>

#include "app/text.h"

enum { OF_COMPILER = 46 };

/* The n-th class, from 0, of one machine and one time; NULL: there are fewer. */
static const struct record_compare_decision *decision_of(const struct app_compare *compare,
                                                         enum record_machine machine,
                                                         enum record_when when, size_t n)
{
    for (size_t i = 0; i < compare->decisions; i++) {
        const struct record_compare_decision *d = &compare->decision[i];
        if (d->machine == machine && d->when == when && n-- == 0)
            return d;
    }
    return NULL;
}

/* What the LPU's run made of the same class; the classes of both machines are in the table. */
static double lpu_inside(const struct app_compare *compare, const char *class)
{
    const struct record_compare_decision *d;
    for (size_t n = 0; (d = decision_of(compare, RECORD_LPU, RECORD_RUN_TIME, n)); n++)
        if (!strcmp(d->decision, class))
            return d->per_token;
    return 0;
}

void app_ledger_print(const struct app_compare *compare, int label, const char *dim,
                      const char *off)
{
    const struct record_compare_decision *gpu, *lpu;
    printf("%s%-*s%8s%12s%*s%s\n", dim, label, "inside it", "LPU", "GPU", OF_COMPILER,
           "before it, by the LPU's compiler", off);
    for (size_t n = 0; (gpu = decision_of(compare, RECORD_GPU, RECORD_RUN_TIME, n)); n++) {
        lpu = decision_of(compare, RECORD_LPU, RECORD_COMPILE_TIME, n);
        printf("%s%-*s%s%8s%12s", dim, label, gpu->decision, off,
               app_text_short(lpu_inside(compare, gpu->decision)).text,
               app_text_short(gpu->per_token).text);
        if (lpu)
            printf("%18s %s", app_text_short(lpu->per_token).text, lpu->decision);
        puts("");
    }
}
