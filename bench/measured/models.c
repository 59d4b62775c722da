/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks for a folder whose name says the same as the table's. */
#include "models.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MOST_FOLDERS = 4, MOST_NAMES = 64, NAME_BYTES = 128 };

struct entry {
    const char *name, *why;
    struct model model;
};

static const char *folders[MOST_FOLDERS];
static int folder_count;
static struct entry entries[MOST_NAMES];
static int entry_count;

void models_search(const char *folder)
{
    if (folder_count < MOST_FOLDERS)
        folders[folder_count++] = folder;
}

void models_search_usual(void)
{
    const char *data = getenv("LPUSIM_DATA");
    models_search("configs/models");
    if (data)
        models_search(base_format("%s/hf_configs", data));
}

/* Cuts `word` out of `text`. */
static bool cut(char *text, const char *word)
{
    char *at = strstr(text, word);
    size_t length = strlen(word);
    if (!at || strlen(text) <= length)
        return false;
    memmove(at, at + length, strlen(at + length) + 1);
    return true;
}

/* The same at its end. */
static bool cut_end(char *text, const char *word)
{
    size_t length = strlen(text), tail = strlen(word);
    return length > tail && strcmp(text + length - tail, word) == 0 &&
           cut(text + length - tail - 1, word);
}

static void essence(const char *name, char text[NAME_BYTES])
{
    static const char *const words[] = {"fp8", "hf", "it", "base", "chat", "2507"};
    const char *slash = strrchr(name, '/');
    size_t length = 0;
    for (const char *at = slash ? slash + 1 : name; *at && length < NAME_BYTES - 1; at++)
        if (isalnum((unsigned char)*at))
            text[length++] = (char)tolower((unsigned char)*at);
    text[length] = '\0';
    bool again = true;
    cut(text, "instruct");
    while (again) {
        again = false;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            again = cut_end(text, words[i]) || again;
    }
    if (strncmp(text, "meta", 4) == 0)
        cut(text, "meta");
}

/* Path of a description in the folder; NULL: none. Free with base_free. */
static char *find_in(const char *folder, const char *wanted)
{
    char *path = NULL, text[NAME_BYTES];
    DIR *stream = opendir(folder);
    struct dirent *file;
    while (stream && !path && (file = readdir(stream))) {
        essence(file->d_name, text);
        if (file->d_name[0] != '.' && strcmp(text, wanted) == 0)
            path = base_format("%s/%s", folder, file->d_name);
    }
    if (stream)
        closedir(stream);
    return path;
}

static void entry_read(struct entry *entry, const char *path)
{
    struct base_report report = {0};
    if (!model_read(path, &entry->model, &report))
        entry->why = base_format("the description %s cannot be used", path);
    base_report_print(&report, stderr);
    base_report_release(&report);
}

static void entry_fill(struct entry *entry, const char *name)
{
    char wanted[NAME_BYTES], *path = NULL;
    essence(name, wanted);
    *entry = (struct entry){.name = base_strdup(name)};
    for (int i = folder_count - 1; i >= 0 && !path; i--)
        path = find_in(folders[i], wanted);
    if (path)
        entry_read(entry, path);
    else
        entry->why = base_format("no description of the model %s", name);
    base_free(path);
}

const struct model *models_find(const char *name, const char **why)
{
    int i = 0;
    while (i < entry_count && strcmp(entries[i].name, name) != 0)
        i++;
    if (i == MOST_NAMES) {
        *why = "more models than there is room for";
        return NULL;
    }
    if (i == entry_count)
        entry_fill(&entries[entry_count++], name);
    *why = entries[i].why;
    return entries[i].why ? NULL : &entries[i].model;
}
