/* SPDX-License-Identifier: BSD-3-Clause */
/* Hands out what the build wrote into version_values.h. */
#include "base/version.h"

#include "version_values.h"

const char *base_version(void)
{
    return VERSION_NUMBER;
}

const char *base_version_source(void)
{
    return VERSION_SOURCE;
}

const char *base_version_compiler(void)
{
    return VERSION_COMPILER;
}
