/* SPDX-License-Identifier: BSD-3-Clause */
/* On which machines numbers can be computed: each thing that is in the way is a fault of its own.
 */
#include "test.h"

#include <stddef.h>
#include <string.h>

#include "chip/chip_values.h"
#include "rig.h"

/* Faults of the rig's machine with another value at `offset`; the text of the first is in `text`.
 */
static size_t faults_with(size_t offset, int32_t value, char text[256])
{
    struct lpu_chip m = rig_machine;
    struct base_report report = {0};
    memcpy((char *)&m + offset, &value, sizeof value);
    bool can = chip_can_compute(&m, &report);
    size_t count = report.count;
    text[0] = '\0';
    if (count)
        strncat(text, report.message[0], 255);
    CU_ASSERT_EQUAL(can, count == 0);
    base_report_release(&report);
    return count;
}

#define AT(member) offsetof(struct lpu_chip, member)

static void units_that_drive_no_later_than_they_sample_are_refused(void)
{
    static const struct {
        size_t delay;
        int32_t skew;
        const char *name;
    } unit[] = {{AT(mem_read_cycles), -1, "mem_read"},
                {AT(mxm_compute_cycles), 1, "mxm_compute"},
                {AT(vxm_alu_cycles), 1, "vxm_alu"},
                {AT(sxm_cycles), 1, "sxm"},
                {AT(sxm_transpose_cycles), 1, "sxm_transpose"},
                {AT(c2c_receive_cycles), -1, "c2c_receive"}};
    char text[256];
    for (size_t n = 0; n < sizeof unit / sizeof unit[0]; n++) {
        CU_ASSERT_EQUAL(faults_with(unit[n].delay, unit[n].skew + 1, text), 0);
        CU_ASSERT_EQUAL(faults_with(unit[n].delay, unit[n].skew, text), 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, unit[n].name));
    }
}

static void maxima_over_lanes_want_sixteen_to_twenty_superlanes_of_sixteen(void)
{
    static const struct {
        int32_t lanes;
        size_t faults;
    } row[] = {{320, 0}, {256, 0}, {240, 1}, {336, 1}, {312, 1}};
    char text[256];
    for (size_t n = 0; n < sizeof row / sizeof row[0]; n++)
        CU_ASSERT_EQUAL(faults_with(AT(lanes), row[n].lanes, text), row[n].faults);
    CU_ASSERT_EQUAL(faults_with(AT(lanes_per_superlane), 32, text), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "not 20 of 32"));
}

static void passes_of_more_rows_than_are_exact_are_refused(void)
{
    char text[256];
    CU_ASSERT_EQUAL(faults_with(AT(mxm_rows), 1024, text), 0);
    CU_ASSERT_EQUAL(faults_with(AT(mxm_rows), 1025, text), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "lpu.chip.mxm_rows = 1025"));
}

TEST_MAIN("machines that can compute", TEST(units_that_drive_no_later_than_they_sample_are_refused),
          TEST(maxima_over_lanes_want_sixteen_to_twenty_superlanes_of_sixteen),
          TEST(passes_of_more_rows_than_are_exact_are_refused))
