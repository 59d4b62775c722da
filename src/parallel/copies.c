/* SPDX-License-Identifier: BSD-3-Clause */
/* Broadcast, gathering in rank order, and files that only the first rank reads. */
#include "parallel/copies.h"

#include <mpi.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "parallel/parallel.h"

/* MPI counts are int: larger copies go in pieces of this many bytes. */
enum { PIECE_BYTES = 1 << 30 };

void parallel_broadcast(void *bytes, size_t count)
{
    for (size_t done = 0; done < count; done += PIECE_BYTES) {
        size_t rest = count - done;
        int part = (int)(rest > PIECE_BYTES ? PIECE_BYTES : rest);
        MPI_Bcast((char *)bytes + done, part, MPI_BYTE, 0, MPI_COMM_WORLD);
    }
}

/* Sends in pieces, so that no count exceeds an int. */
static void send_to_first(const char *bytes, size_t count)
{
    for (size_t done = 0; done < count; done += PIECE_BYTES) {
        size_t rest = count - done;
        int part = (int)(rest > PIECE_BYTES ? PIECE_BYTES : rest);
        MPI_Send(bytes + done, part, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
    }
}

static void receive_from(int rank, char *bytes, size_t count)
{
    for (size_t done = 0; done < count; done += PIECE_BYTES) {
        size_t rest = count - done;
        int part = (int)(rest > PIECE_BYTES ? PIECE_BYTES : rest);
        MPI_Recv(bytes + done, part, MPI_BYTE, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
}

static char *gather_on_first(const void *bytes, const int64_t *counts, size_t *total)
{
    *total = 0;
    for (int rank = 0; rank < parallel_size(); rank++)
        *total += (size_t)counts[rank];
    char *all = base_alloc(*total, 1), *end = all + counts[0];
    if (counts[0] > 0)
        memcpy(all, bytes, (size_t)counts[0]);
    for (int rank = 1; rank < parallel_size(); rank++) {
        receive_from(rank, end, (size_t)counts[rank]);
        end += counts[rank];
    }
    return all;
}

void *parallel_gather(const void *bytes, size_t count, size_t *total)
{
    int64_t mine = (int64_t)count;
    int64_t *counts = base_alloc((size_t)parallel_size(), sizeof *counts);
    MPI_Gather(&mine, 1, MPI_INT64_T, counts, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
    char *all = NULL;
    *total = 0;
    if (parallel_is_first())
        all = gather_on_first(bytes, counts, total);
    else
        send_to_first(bytes, count);
    base_free(counts);
    return all;
}

char *parallel_concatenate(const char *text)
{
    size_t total;
    char *all = parallel_gather(text, strlen(text), &total);
    parallel_broadcast(&total, sizeof total);
    char *whole = base_alloc(total + 1, 1);
    if (all)
        memcpy(whole, all, total);
    parallel_broadcast(whole, total);
    base_free(all);
    return whole;
}

/* Returns NULL with errno set. */
static char *file_read(const char *path, size_t *bytes)
{
    struct stat file;
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return NULL;
    if (fstat(fileno(stream), &file) == 0 && S_ISDIR(file.st_mode)) {
        fclose(stream);
        errno = EISDIR;
        return NULL;
    }
    size_t capacity = 0, read;
    char *text = NULL;
    *bytes = 0;
    do {
        text = base_grow(text, &capacity, *bytes + 4096 + 1, 1);
        read = fread(text + *bytes, 1, capacity - *bytes - 1, stream);
        *bytes += read;
    } while (read > 0);
    int failed = ferror(stream) ? errno : 0;
    fclose(stream);
    text[*bytes] = '\0';
    if (failed) {
        base_free(text);
        errno = failed;
        return NULL;
    }
    return text;
}

char *parallel_share(char *text, size_t *bytes)
{
    struct {
        int64_t bytes, found;
    } head = {0, 0};
    if (parallel_is_first() && text) {
        head.bytes = (int64_t)*bytes;
        head.found = 1;
    }
    parallel_broadcast(&head, sizeof head);
    *bytes = (size_t)head.bytes;
    if (!head.found)
        return NULL;
    if (!parallel_is_first())
        text = base_alloc((size_t)head.bytes + 1, 1);
    parallel_broadcast(text, (size_t)head.bytes);
    return text;
}

char *parallel_read_file(const char *path, size_t *bytes, struct base_report *report)
{
    char *text = NULL;
    size_t count = 0;
    if (parallel_is_first()) {
        text = file_read(path, &count);
        if (!text)
            base_report_add(report, path, 0, "cannot be read: %s", strerror(errno));
    }
    text = parallel_share(text, &count);
    if (bytes)
        *bytes = count;
    return text;
}
