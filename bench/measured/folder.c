/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks a folder and those below it. */
#include "folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

static bool is_table(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".csv") == 0;
}

bool folder_walk(const char *folder, const char *word,
                 void (*visit)(void *context, const char *path), void *context)
{
    struct dirent **entry;
    int count = scandir(folder, &entry, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "measured: error: %s is no folder that can be read\n", folder);
        return false;
    }
    for (int i = 0; i < count; i++) {
        char *path = base_format("%s/%s", folder, entry[i]->d_name);
        struct stat what = {0};
        if (entry[i]->d_name[0] == '.' || stat(path, &what) != 0)
            what.st_mode = 0;
        else if (S_ISDIR(what.st_mode))
            folder_walk(path, word, visit, context);
        else if (is_table(path) && (!word || strstr(path, word)))
            visit(context, path);
        base_free(path);
        free(entry[i]);
    }
    free(entry);
    return true;
}
