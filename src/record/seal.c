/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes and judges headers of artifacts. */
#include "record/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "parallel/parallel.h"

static const char magic[] = "lpusim-mp artifact\n";

void record_digest(const void *bytes, size_t count, char *hex)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!EVP_Digest(bytes, count, digest, &length, EVP_sha256(), NULL))
        parallel_abort(BASE_FAILURE, "the cryptographic library has no SHA-256");
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
}

/* The header of a file, padded with zeros. */
static void header_print(char *header, int format, uint64_t bytes, const char *digest)
{
    memset(header, 0, RECORD_SEAL_BYTES);
    snprintf(header, RECORD_SEAL_BYTES, "%sformat %d\nbytes %" PRIu64 "\nsha256 %s\n", magic,
             format, bytes, digest);
}

void record_seal_write(char *bytes, size_t count)
{
    char digest[RECORD_DIGEST_BYTES];
    record_digest(bytes + RECORD_SEAL_BYTES, count - RECORD_SEAL_BYTES, digest);
    header_print(bytes, RECORD_ARTIFACT_FORMAT, count, digest);
}

bool record_seal_begins(const char *bytes, size_t count)
{
    return count >= strlen(magic) && !memcmp(bytes, magic, strlen(magic));
}

/* The numbers of a header, if it is to the letter as header_print writes it. */
static bool header_read(const char *bytes, int *format, uint64_t *length, char *digest)
{
    char text[RECORD_SEAL_BYTES + 1] = {0}, again[RECORD_SEAL_BYTES];
    memcpy(text, bytes, RECORD_SEAL_BYTES);
    if (sscanf(text + strlen(magic), "format %9d\nbytes %18" SCNu64 "\nsha256 %64[0-9a-f]\n",
               format, length, digest) != 3)
        return false;
    header_print(again, *format, *length, digest);
    return !memcmp(again, bytes, sizeof again);
}

/* Why the bytes do not agree with their header; NULL where they do. */
static const char *broken_by(const char *bytes, size_t count, uint64_t length, const char *digest)
{
    char found[RECORD_DIGEST_BYTES];
    if (length > count)
        return "truncated";
    if (length < count)
        return "longer than it was written";
    record_digest(bytes + RECORD_SEAL_BYTES, count - RECORD_SEAL_BYTES, found);
    return strcmp(found, digest) ? "digest differs" : NULL;
}

/* The format stands where every format has it, so that another one is called by its name; 0: it is
 * none. */
static int format_of(const char *bytes, size_t count)
{
    char text[32] = {0};
    int format = 0;
    size_t left = count - strlen(magic);
    memcpy(text, bytes + strlen(magic), left < sizeof text - 1 ? left : sizeof text - 1);
    return sscanf(text, "format %9d\n", &format) == 1 ? format : 0;
}

bool record_seal_holds(const char *path, const char *bytes, size_t count, char *digest,
                       struct base_report *report)
{
    int format = 0;
    uint64_t length = 0;
    size_t before = report->count;
    if (!record_seal_begins(bytes, count))
        base_report_add(report, path, 0,
                        "not an artifact of this program; write one with "
                        "lpusim-mp compile FILE -o X");
    else if (format_of(bytes, count) > 0 && format_of(bytes, count) != RECORD_ARTIFACT_FORMAT)
        base_report_add(report, path, 0,
                        "artifact of format %d, this program reads %d; compile "
                        "it anew",
                        format_of(bytes, count), RECORD_ARTIFACT_FORMAT);
    else if (count < RECORD_SEAL_BYTES)
        base_report_add(report, path, 0, "truncated at %zu bytes, within its header", count);
    else if (!header_read(bytes, &format, &length, digest) || format != RECORD_ARTIFACT_FORMAT)
        base_report_add(report, path, 0, "altered: its header is not as it was written");
    if (report->count > before)
        return false;
    const char *broken = broken_by(bytes, count, length, digest);
    if (!broken)
        return true;
    base_report_add(report, path, 0, "%s: %zu bytes of %" PRIu64 " were written%s", broken, count,
                    length, length == count ? ", but not these" : "");
    return false;
}
