/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that are there whole or not at all, whatever ends the process or the machine. */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* Texts, in the order of strcmp; release with store_list_release. */
struct store_list {
    char **text;
    size_t count, capacity;
};

void store_list_add(struct store_list *list, const char *text);
void store_list_sort(struct store_list *list);
bool store_list_has(const struct store_list *list, const char *text); /* once sorted */
void store_list_release(struct store_list *list);

/* What store_disk_write leaves where it is killed. */
bool store_disk_is_leftover(const char *file);

/* Puts bytes at FOLDER/FILE, in the place of what is there: into a new file of the same folder, to
 * the disk, under its name, and the name to the disk. Returns 0 or an errno, with what was there
 * untouched; only where the last of these steps fails may the new be there. */
int store_disk_write(const char *folder, const char *file, const void *bytes, size_t count);

/* Sees to it that FOLDER/FILE, found there whole, is on the disk, too. Returns 0 or an errno. */
int store_disk_settle(const char *folder, const char *file);

/* Entries of a folder to the disk. Returns 0 or an errno. */
int store_disk_sync(const char *folder);

/* The bytes of PATH and a closing 0; NULL with errno set. Free with base_free. */
char *store_disk_read(const char *path, size_t *count);

/* The files of a folder, sorted. Returns 0 or an errno. */
int store_disk_list(const char *folder, struct store_list *files);

#endif
