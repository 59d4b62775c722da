/* SPDX-License-Identifier: BSD-3-Clause */
/* The program knows its version, its source and its compiler. */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"

static void version_is_the_projects(void)
{
    const char *expected = getenv("LPUSIM_VERSION");
    CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
    CU_ASSERT_STRING_EQUAL(base_version(), expected);
}

static void source_is_a_commit_or_unknown(void)
{
    size_t digits = strspn(base_version_source(), "0123456789abcdef");
    const char *rest = base_version_source() + digits;
    bool is_commit = digits >= 12 && (*rest == '\0' || strcmp(rest, "+changes") == 0);
    CU_ASSERT_TRUE(is_commit || strcmp(base_version_source(), "unknown") == 0);
}

static void compiler_is_named_with_its_version(void)
{
    CU_ASSERT_TRUE(strpbrk(base_version_compiler(), "0123456789") != NULL);
    CU_ASSERT_TRUE(strchr(base_version_compiler(), ',') != NULL);
}

TEST_MAIN("version", TEST(version_is_the_projects), TEST(source_is_a_commit_or_unknown),
          TEST(compiler_is_named_with_its_version))
