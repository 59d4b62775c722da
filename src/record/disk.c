/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks of the output path, and blocks set aside before they are needed. */
#include "record/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"

int record_disk_reserve(const char *path, int64_t bytes)
{
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    int failed;
    do
        failed = posix_fallocate(descriptor, 0, bytes);
    while (failed == EINTR);
    close(descriptor);
    return failed;
}

int64_t record_disk_length(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? (int64_t)file.st_size : 0;
}

/* Whether PATH starts with HDF5's signature, or is empty. */
static bool file_may_be_replaced(const char *path)
{
    static const char signature[8] = "\x89HDF\r\n\x1a\n";
    char head[sizeof signature];
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return false;
    size_t read = fread(head, 1, sizeof head, stream);
    fclose(stream);
    return read == 0 || (read == sizeof head && !memcmp(head, signature, sizeof head));
}

/* Reports and returns false where something at PATH must not or cannot be replaced. */
static bool path_is_free(const char *path, bool *there, struct base_report *report)
{
    struct stat file;
    *there = stat(path, &file) == 0;
    if (!*there)
        return true;
    if (!S_ISREG(file.st_mode))
        base_report_add(report, path, 0, "is not a regular file; name the HDF5 file to write");
    else if (access(path, W_OK) != 0)
        base_report_add(report, path, 0, "cannot be written: %s", strerror(errno));
    else if (!file_may_be_replaced(path))
        base_report_add(report, path, 0,
                        "exists and is not an HDF5 file; remove it or name another output");
    else
        return true;
    return false;
}

static bool path_opens(const char *path, struct base_report *report)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor >= 0)
        return close(descriptor) == 0;
    base_report_add(report, path, 0, "cannot be written: %s%s", strerror(errno),
                    errno == ENOENT ? "; the folder must exist" : "");
    return false;
}

static bool path_has_room(const char *path, int64_t bytes, bool there, struct base_report *report)
{
    int failed = record_disk_reserve(path, bytes);
    if (!failed)
        return true;
    base_report_add(report, path, 0, "cannot grow to %.1f MiB: %s", (double)bytes / (1 << 20),
                    strerror(failed));
    if (!there)
        unlink(path);
    return false;
}

static bool first_rank_accepts(const char *path, int64_t bytes, struct base_report *report)
{
    bool there;
    return path_is_free(path, &there, report) && path_opens(path, report) &&
           path_has_room(path, bytes, there, report);
}

/* Collective. Whether the file that the first rank has created is there for all ranks. */
static bool all_ranks_see(const char *path, struct base_report *report)
{
    int64_t blind = access(path, W_OK) != 0;
    parallel_sum_i64(&blind, 1);
    if (blind > 0 && parallel_is_first())
        base_report_add(report, path, 0,
                        "is out of reach for %d of %d ranks; name a file on storage that all "
                        "hosts share",
                        (int)blind, parallel_size());
    return blind == 0;
}

bool record_disk_accepts(const char *path, int64_t bytes, struct base_report *report)
{
    bool accepted = parallel_is_first() && first_rank_accepts(path, bytes, report);
    parallel_broadcast(&accepted, sizeof accepted);
    return accepted && all_ranks_see(path, report);
}
