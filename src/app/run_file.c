/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the file of a run to read, and another file to write. */
#include "app/run_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

bool app_run_file_is_hdf5(const char *file)
{
    static const char signature[8] = "\211HDF\r\n\032\n";
    char start[sizeof signature] = "";
    FILE *stream = fopen(file, "rb");
    size_t bytes = stream ? fread(start, 1, sizeof start, stream) : 0;
    if (stream)
        fclose(stream);
    return bytes == sizeof start && memcmp(start, signature, sizeof start) == 0;
}

struct record_reader *app_run_file_open(const char *file, struct base_report *report)
{
    FILE *stream = fopen(file, "rb");
    if (!stream) {
        base_report_add(report, file, 0, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    fclose(stream);
    if (!app_run_file_is_hdf5(file)) {
        base_report_add(report, file, 0,
                        "is not the HDF5 file of a run; one is written by lpusim-mp FILE --out=%s",
                        "X.h5");
        return NULL;
    }
    struct record_reader *reader = record_reader_open(file, report);
    if (reader && !record_reader_is_valid(reader, report)) {
        record_reader_close(reader);
        return NULL;
    }
    return reader;
}

FILE *app_output_open(const char *output, const char *file, struct base_report *report)
{
    struct stat from, to;
    if (stat(file, &from) == 0 && stat(output, &to) == 0 && from.st_dev == to.st_dev &&
        from.st_ino == to.st_ino) {
        base_report_add(report, output, 0, "is the file to read; -o wants another one");
        return NULL;
    }
    FILE *stream = fopen(output, "w");
    if (!stream)
        base_report_add(report, output, 0, "cannot be written: %s", strerror(errno));
    return stream;
}

int64_t app_output_close(FILE *stream, const char *output, struct base_report *report)
{
    int64_t bytes = (int64_t)ftell(stream);
    bool failed = fflush(stream) != 0 || ferror(stream);
    int reason = errno;
    if (fclose(stream) != 0 || failed)
        base_report_add(report, output, 0, "cannot be written to its end: %s", strerror(reason));
    return bytes;
}
