/* SPDX-License-Identifier: BSD-3-Clause */
/* The file that makes a folder a store, and whose lock its users hold. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/room.h"

static const char marker[] = "lpusim-mp store\nformat 1\n";

enum { RETRY_NS = 1000000, RETRIES_A_SECOND = 1000 };

void store_fault(struct base_report *report, const char *path, const char *what, int number)
{
    base_report_add(report, path, 0, "%s: %s", what, strerror(number));
}

/* Waits for the lock; 0 or an errno, EWOULDBLOCK where patience ends. */
static int lock_take(int descriptor, int kind, int32_t patience_s)
{
    const struct timespec pause = {.tv_nsec = RETRY_NS};
    for (int64_t left = (int64_t)patience_s * RETRIES_A_SECOND;; left--) {
        if (flock(descriptor, kind | LOCK_NB) == 0)
            return 0;
        if ((errno != EWOULDBLOCK && errno != EINTR) || left <= 0)
            return errno;
        if (nanosleep(&pause, NULL) != 0)
            return errno;
    }
}

static void lock_refuse(const char *folder, int number, int32_t patience_s,
                        struct base_report *report)
{
    if (number == EWOULDBLOCK)
        base_report_add(
            report, folder, 0,
            "is in use by another command; waited %d s (store commands take --wait SECONDS)",
            (int)patience_s);
    else
        store_fault(report, folder, "cannot be locked", number);
}

/* Length of the marker as far as it is there and right; -1: it is another file. */
static ssize_t marker_read(int descriptor)
{
    char bytes[sizeof marker];
    ssize_t count = pread(descriptor, bytes, sizeof bytes, 0);
    bool mine =
        count >= 0 && count < (ssize_t)sizeof bytes && !memcmp(bytes, marker, (size_t)count);
    return mine ? count : -1;
}

static bool marker_is_whole(int descriptor)
{
    return marker_read(descriptor) == (ssize_t)strlen(marker);
}

/* The folder above. */
static char *parent_of(const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    while (length > 0 && folder[length - 1] != '/')
        length--;
    return length > 0 ? base_format("%.*s", (int)length, folder) : base_strdup(".");
}

static int folder_add(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : errno;
}

static int marker_write(int descriptor)
{
    errno = EIO; /* of a write that is cut short */
    if (pwrite(descriptor, marker, strlen(marker), 0) != (ssize_t)strlen(marker))
        return errno;
    return fsync(descriptor) == 0 ? 0 : errno;
}

/* Makes the store whole: folders first, to the disk, then the marker says that they are there. */
static int store_complete(const struct store *store)
{
    char *parent = parent_of(store->folder);
    int failed = folder_add(store->names);
    if (!failed)
        failed = folder_add(store->artifacts);
    if (!failed)
        failed = store_disk_sync(store->folder);
    if (!failed)
        failed = store_disk_sync(parent);
    if (!failed)
        failed = marker_write(store->lock);
    base_free(parent);
    return failed;
}

/* Whether a folder is new: nothing is in it but what an interrupted creation leaves. */
static bool folder_is_new(const char *folder, struct base_report *report)
{
    struct store_list files = {0};
    int failed = store_disk_list(folder, &files);
    bool fresh = !failed;
    for (size_t i = 0; i < files.count; i++)
        fresh = fresh && (!strcmp(files.text[i], "store") || !strcmp(files.text[i], "names") ||
                          !strcmp(files.text[i], "artifacts"));
    store_list_release(&files);
    if (failed)
        store_fault(report, folder, "cannot be read", failed);
    else if (!fresh)
        base_report_add(report, folder, 0,
                        "is not a store, and not empty; a new store wants a folder of its own");
    return fresh;
}

static bool folder_make(const char *folder, struct base_report *report)
{
    if (mkdir(folder, 0777) == 0 || errno == EEXIST)
        return true;
    base_report_add(report, folder, 0, "cannot be created: %s%s", strerror(errno),
                    errno == ENOENT ? "; the folder above must exist" : "");
    return false;
}

/* The marker may be whole and not on the disk, where what wrote it was killed before it was. */
static bool marker_settle(const struct store *store, struct base_report *report)
{
    bool settled = fsync(store->lock) == 0;
    if (!settled)
        store_fault(report, store->folder, "cannot be brought to the disk", errno);
    return settled;
}

/* Whether the locked file is a store's, or has become it. */
static bool store_is_ready(const struct store *store, enum store_purpose purpose,
                           struct base_report *report)
{
    if (marker_is_whole(store->lock))
        return purpose == STORE_READ || marker_settle(store, report);
    if (marker_read(store->lock) < 0)
        base_report_add(report, store->folder, 0,
                        "its file \"store\" is not this program's, or of another format");
    else if (purpose != STORE_CREATE)
        base_report_add(report, store->folder, 0,
                        "the creation of this store was cut short; lpusim-mp store add ends it");
    else if (folder_is_new(store->folder, report)) {
        int failed = store_complete(store);
        if (failed)
            store_fault(report, store->folder, "cannot become a store", failed);
        return !failed;
    }
    return false;
}

/* Creates the file to lock in a folder where nothing is; -1 and a fault where that fails. */
static int marker_create(const char *folder, const char *path, struct base_report *report)
{
    if (!folder_make(folder, report) || !folder_is_new(folder, report))
        return -1;
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0)
        store_fault(report, path, "cannot be created", errno);
    return descriptor;
}

/* Opens the file to lock; -1 and a fault where there is none. */
static int marker_open(const char *folder, enum store_purpose purpose, struct base_report *report)
{
    char *path = base_format("%s/store", folder);
    int descriptor = open(path, (purpose == STORE_READ ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT && purpose == STORE_CREATE)
        descriptor = marker_create(folder, path, report);
    else if (descriptor < 0 && errno == ENOENT)
        base_report_add(report, folder, 0,
                        "is not a store; lpusim-mp store add FILE NAME --store %s makes one",
                        folder);
    else if (descriptor < 0)
        store_fault(report, path, "cannot be opened", errno);
    base_free(path);
    return descriptor;
}

struct store *store_open(const char *folder, enum store_purpose purpose, int32_t patience_s,
                         struct base_report *report)
{
    int descriptor = marker_open(folder, purpose, report);
    if (descriptor < 0)
        return NULL;
    struct store *store = base_alloc(1, sizeof *store);
    *store = (struct store){.folder = base_strdup(folder),
                            .names = base_format("%s/names", folder),
                            .artifacts = base_format("%s/artifacts", folder),
                            .lock = descriptor};
    int failed = lock_take(descriptor, purpose == STORE_READ ? LOCK_SH : LOCK_EX, patience_s);
    if (failed)
        lock_refuse(folder, failed, patience_s, report);
    if (!failed && store_is_ready(store, purpose, report))
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    close(store->lock);
    base_free(store->folder);
    base_free(store->names);
    base_free(store->artifacts);
    base_free(store);
}
