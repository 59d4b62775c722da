/* SPDX-License-Identifier: BSD-3-Clause */
/* The fault collector keeps every fault, in order, with its place. */
#include "test.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

static void a_new_report_is_clean(void)
{
    struct base_report report = {0};
    CU_ASSERT_TRUE(base_report_is_clean(&report));
    char *text = base_report_text(&report);
    CU_ASSERT_STRING_EQUAL(text, "");
    base_free(text);
    base_report_release(&report);
}

static void faults_keep_order_and_place(void)
{
    struct base_report report = {0};
    base_report_add(&report, "rack.cfg", 7, "clock = %d Hz: at least %d", 0, 1);
    base_report_add(&report, "rack.cfg", 0, "no model");
    base_report_add(&report, NULL, 0, "no memory");
    CU_ASSERT_FALSE(base_report_is_clean(&report));
    char *text = base_report_text(&report);
    CU_ASSERT_STRING_EQUAL(text,
                           "rack.cfg:7: clock = 0 Hz: at least 1\nrack.cfg: no model\nno memory");
    base_free(text);
    base_report_release(&report);
    CU_ASSERT_TRUE(base_report_is_clean(&report));
}

static void every_fault_of_many_is_kept(void)
{
    struct base_report report = {0};
    for (int i = 0; i < 1000; i++)
        base_report_add(&report, NULL, 0, "fault %d", i);
    CU_ASSERT_EQUAL(report.count, 1000);
    CU_ASSERT_STRING_EQUAL(report.message[999], "fault 999");
    base_report_release(&report);
}

static void printing_names_the_program(void)
{
    struct base_report report = {0};
    base_report_add(&report, "a.cfg", 3, "bad");
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    base_report_print(&report, stream);
    fclose(stream);
    CU_ASSERT_STRING_EQUAL(text, "lpusim-mp: error: a.cfg:3: bad\n");
    free(text);
    base_report_release(&report);
}

TEST_MAIN("status", TEST(a_new_report_is_clean), TEST(faults_keep_order_and_place),
          TEST(every_fault_of_many_is_kept), TEST(printing_names_the_program))
