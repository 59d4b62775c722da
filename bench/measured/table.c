/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads CSV files: a header, commas, fields that may be empty or stand in quotes. */
#include "table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    size_t capacity = 0, length = 0, got;
    char *text = NULL;
    do {
        text = base_grow(text, &capacity, length + 65536 + 1, 1);
        got = fread(text + length, 1, 65536, file);
        length += got;
    } while (got > 0);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* Without the blanks around it. */
static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    for (char *end = text + strlen(text); end > text && strchr(" \t", end[-1]); end--)
        end[-1] = '\0';
    return text;
}

/* Ends the field at *at, which moves behind its comma; NULL once the line is over. */
static char *field_take(char **at)
{
    char *from = *at;
    if (!from)
        return NULL;
    char *end = from + strcspn(from, ",");
    if (*from == '"' && strchr(from + 1, '"')) {
        char *quote = strchr(++from, '"');
        end = quote + 1 + strcspn(quote + 1, ",");
        *quote = '\0';
    }
    *at = *end ? end + 1 : NULL;
    *end = '\0';
    return trimmed(from);
}

/* The next line without its end; moves *at behind it; NULL at the end of the text. */
static char *line_take(char **at)
{
    char *from = *at;
    if (*from == '\0')
        return NULL;
    char *end = from + strcspn(from, "\n");
    *at = *end ? end + 1 : end;
    *end = '\0';
    if (end > from && end[-1] == '\r')
        end[-1] = '\0';
    return from;
}

static void header_read(struct table *table, char *line)
{
    size_t capacity = 0;
    for (char *name = field_take(&line); name; name = field_take(&line)) {
        table->name = base_grow(table->name, &capacity, table->columns + 1, sizeof *table->name);
        table->name[table->columns++] = name;
    }
}

/* A row with fewer fields ends in empty ones; further fields are left out. */
static void rows_read(struct table *table, char *at)
{
    static char empty[1] = "";
    size_t capacity = 0;
    for (char *line = line_take(&at); line; line = line_take(&at)) {
        if (*line == '\0')
            continue;
        table->field = base_grow(table->field, &capacity, (table->rows + 1) * table->columns,
                                 sizeof *table->field);
        char **row = &table->field[table->rows++ * table->columns];
        for (size_t i = 0; i < table->columns; i++) {
            char *field = field_take(&line);
            row[i] = field ? field : empty;
        }
    }
}

static char *gpu_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *end = strstr(name, "__");
    end = end ? end : name + strlen(name) - strlen(".csv");
    char *gpu = base_format("%.*s", (int)(end - name), name);
    for (char *at = gpu; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return gpu;
}

const char *table_read(const char *path, struct table *table)
{
    *table = (struct table){.text = file_text(path)};
    if (!table->text)
        return "it cannot be read";
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, which some programs begin files with */
    size_t skip = strncmp(table->text, mark, sizeof mark - 1) == 0 ? sizeof mark - 1 : 0;
    char *at = table->text + skip, *header = line_take(&at);
    if (!header) {
        base_free(table->text);
        return "it is empty";
    }
    table->path = base_strdup(path);
    table->gpu = gpu_of(path);
    header_read(table, header);
    rows_read(table, at);
    return NULL;
}

void table_release(struct table *table)
{
    base_free(table->path);
    base_free(table->gpu);
    base_free(table->text);
    base_free(table->name);
    base_free(table->field);
    *table = (struct table){0};
}

static size_t column_of(const struct table *table, const char *column)
{
    size_t i = 0;
    while (i < table->columns && strcmp(table->name[i], column) != 0)
        i++;
    return i;
}

bool table_has(const struct table *table, const char *column)
{
    return column_of(table, column) < table->columns;
}

const char *table_text(const struct table *table, size_t row, const char *column)
{
    size_t i = column_of(table, column);
    return i < table->columns ? table->field[row * table->columns + i] : "";
}

int64_t table_whole(const struct table *table, size_t row, const char *column, int64_t otherwise)
{
    return (int64_t)table_real(table, row, column, (double)otherwise);
}

double table_real(const struct table *table, size_t row, const char *column, double otherwise)
{
    const char *text = table_text(table, row, column);
    char *end;
    double value = strtod(text, &end);
    return end > text ? value : otherwise;
}
