/* SPDX-License-Identifier: BSD-3-Clause */
/* Which program this is: version, state of its source, and how it was compiled. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

/* "0.1.0" */
const char *base_version(void);

/* Abbreviated commit, with "+changes" where the source differed from it; "unknown" outside a clone.
 */
const char *base_version_source(void);

/* "GNU 12.2.0, Release" */
const char *base_version_compiler(void);

#endif
