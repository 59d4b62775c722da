/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions of the C library that the program calls, with hooks around them: what an executable
 * defines comes before what libraries do. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct interpose_hooks *hooks;

void interpose_begin(const struct interpose_hooks *wanted)
{
    hooks = wanted;
}

/* The C library's own function into *function. */
static void own(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

/* Whether the call is to fail, with errno set. */
static bool fails(enum interpose_kind kind)
{
    int failed = hooks && hooks->before ? hooks->before(kind) : 0;
    if (failed)
        errno = failed;
    return failed != 0;
}

static void happened(enum interpose_kind kind, int descriptor, bool well)
{
    int kept = errno;
    if (well && hooks && hooks->after)
        hooks->after(kind, descriptor);
    errno = kept;
}

int open(const char *path, int flags, ...)
{
    static int (*function)(const char *, int, ...);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    own("open", &function);
    if (!(flags & O_CREAT))
        return function(path, flags);
    if (fails(INTERPOSE_CREATE))
        return -1;
    int descriptor = function(path, flags, mode);
    happened(INTERPOSE_CREATE, descriptor, descriptor >= 0);
    return descriptor;
}

ssize_t write(int descriptor, const void *bytes, size_t count)
{
    static ssize_t (*function)(int, const void *, size_t);
    own("write", &function);
    if (fails(INTERPOSE_WRITE))
        return -1;
    ssize_t written = function(descriptor, bytes, count);
    happened(INTERPOSE_WRITE, descriptor, written >= 0);
    return written;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t at)
{
    static ssize_t (*function)(int, const void *, size_t, off_t);
    own("pwrite", &function);
    if (fails(INTERPOSE_WRITE))
        return -1;
    ssize_t written = function(descriptor, bytes, count, at);
    happened(INTERPOSE_WRITE, descriptor, written >= 0);
    return written;
}

int fsync(int descriptor)
{
    static int (*function)(int);
    own("fsync", &function);
    if (fails(INTERPOSE_FSYNC))
        return -1;
    int failed = hooks && hooks->keep_off_disk ? 0 : function(descriptor);
    happened(INTERPOSE_FSYNC, descriptor, failed == 0);
    return failed;
}

int rename(const char *from, const char *to)
{
    static int (*function)(const char *, const char *);
    own("rename", &function);
    int failed = fails(INTERPOSE_RENAME) ? -1 : function(from, to);
    happened(INTERPOSE_RENAME, -1, failed == 0);
    return failed;
}

int unlink(const char *path)
{
    static int (*function)(const char *);
    own("unlink", &function);
    int failed = fails(INTERPOSE_UNLINK) ? -1 : function(path);
    happened(INTERPOSE_UNLINK, -1, failed == 0);
    return failed;
}

int mkdir(const char *path, mode_t mode)
{
    static int (*function)(const char *, mode_t);
    own("mkdir", &function);
    int failed = fails(INTERPOSE_MKDIR) ? -1 : function(path, mode);
    happened(INTERPOSE_MKDIR, -1, failed == 0);
    return failed;
}
