/* SPDX-License-Identifier: BSD-3-Clause */
/* Write, flush, rename, flush: in this order, and nothing in place. */
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static const char suffix[] = ".part";

void store_list_add(struct store_list *list, const char *text)
{
    list->text = base_grow(list->text, &list->capacity, list->count + 1, sizeof *list->text);
    list->text[list->count++] = base_strdup(text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void store_list_sort(struct store_list *list)
{
    if (list->count > 0)
        qsort(list->text, list->count, sizeof *list->text, by_text);
}

bool store_list_has(const struct store_list *list, const char *text)
{
    return list->count > 0 &&
           bsearch(&text, list->text, list->count, sizeof *list->text, by_text) != NULL;
}

void store_list_release(struct store_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        base_free(list->text[i]);
    base_free(list->text);
    *list = (struct store_list){0};
}

bool store_disk_is_leftover(const char *file)
{
    size_t length = strlen(file), end = strlen(suffix);
    return file[0] == '.' && length > end && !strcmp(file + length - end, suffix);
}

static int write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

static int flush(int descriptor)
{
    while (fsync(descriptor) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/* A new file of the folder, its path in *path; -1 with errno set. Others' leftovers stay. */
static int part_create(const char *folder, char **path)
{
    int descriptor = -1;
    for (unsigned n = 0; descriptor < 0; n++) {
        *path = base_format("%s/.%ld-%u%s", folder, (long)getpid(), n, suffix);
        descriptor = open(*path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST)
            return -1;
        if (descriptor < 0)
            base_free(*path);
    }
    return descriptor;
}

/* Writes and closes the new file. */
static int part_fill(int descriptor, const void *bytes, size_t count)
{
    int failed = write_all(descriptor, bytes, count);
    if (!failed)
        failed = flush(descriptor);
    if (close(descriptor) != 0 && !failed)
        failed = errno;
    return failed;
}

int store_disk_write(const char *folder, const char *file, const void *bytes, size_t count)
{
    char *part = NULL, *path = base_format("%s/%s", folder, file);
    int descriptor = part_create(folder, &part);
    int failed = descriptor < 0 ? errno : part_fill(descriptor, bytes, count);
    if (!failed && rename(part, path) != 0)
        failed = errno;
    if (failed && descriptor >= 0)
        unlink(part);
    base_free(part);
    base_free(path);
    return failed ? failed : store_disk_sync(folder);
}

static int path_flush(const char *path, int flags)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (descriptor < 0)
        return errno;
    int failed = flush(descriptor);
    close(descriptor);
    return failed;
}

int store_disk_sync(const char *folder)
{
    return path_flush(folder, O_DIRECTORY);
}

int store_disk_settle(const char *folder, const char *file)
{
    char *path = base_format("%s/%s", folder, file);
    int failed = path_flush(path, 0);
    base_free(path);
    return failed ? failed : store_disk_sync(folder);
}

/* Reads until the end; NULL with errno set. */
static char *bytes_read(int descriptor, size_t *count)
{
    size_t capacity = 0;
    char *bytes = NULL;
    ssize_t got = 0;
    *count = 0;
    do {
        bytes = base_grow(bytes, &capacity, *count + 65536 + 1, 1);
        got = read(descriptor, bytes + *count, capacity - *count - 1);
        *count += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    bytes[*count] = '\0';
    if (got == 0)
        return bytes;
    int failed = errno;
    base_free(bytes);
    errno = failed;
    return NULL;
}

char *store_disk_read(const char *path, size_t *count)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    char *bytes = bytes_read(descriptor, count);
    int failed = errno;
    close(descriptor);
    errno = failed;
    return bytes;
}

int store_disk_list(const char *folder, struct store_list *files)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return errno;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            store_list_add(files, entry->d_name);
    int failed = errno;
    closedir(directory);
    store_list_sort(files);
    return failed;
}
