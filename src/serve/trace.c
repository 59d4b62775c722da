/* SPDX-License-Identifier: BSD-3-Clause */
/* A format is a list of columns; a line is taken apart by commas or as JSON, then column by column.
 */
#include "serve/trace.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/fields.h"
#include "serve/json_line.h"

enum { MOST_COLUMNS = 4, SHOWN_BYTES = 40 };
static const int64_t SECOND_PS = INT64_C(1000000000000);

/* A line as it was read. */
struct entry {
    struct serve_instant at;
    int64_t prompt, output, tenant;
};

/* A column or key, and how its text becomes part of an entry. */
struct column {
    const char *name;
    bool (*take)(struct serve_field field, struct entry *entry);
    const char *wanted;
};

struct format {
    const char *header; /* the first line; NULL: lines of JSON */
    size_t columns;
    struct column column[MOST_COLUMNS];
    bool has_tenants;
};

static bool date_take(struct serve_field field, struct entry *entry)
{
    return serve_field_date(field, &entry->at);
}

static bool seconds_take(struct serve_field field, struct entry *entry)
{
    return serve_field_decimal(field, 0, &entry->at);
}

static bool milliseconds_take(struct serve_field field, struct entry *entry)
{
    return serve_field_decimal(field, -3, &entry->at);
}

static bool prompt_take(struct serve_field field, struct entry *entry)
{
    return serve_field_whole(field, SERVE_MOST_TOKENS, &entry->prompt) && entry->prompt > 0;
}

static bool output_take(struct serve_field field, struct entry *entry)
{
    return serve_field_whole(field, SERVE_MOST_TOKENS, &entry->output) && entry->output > 0;
}

static bool tenant_take(struct serve_field field, struct entry *entry)
{
    return serve_field_whole(field, SERVE_MOST_TENANTS - 1, &entry->tenant);
}

#define TOKENS "a whole number from 1 to 1000000000"
#define SECONDS "seconds as a number, 0 or more"

static const struct format formats[] = {
    [SERVE_AZURE] = {"TIMESTAMP,ContextTokens,GeneratedTokens",
                     3,
                     {{"TIMESTAMP", date_take, "a time as 2023-11-16 18:15:46.6805900"},
                      {"ContextTokens", prompt_take, TOKENS},
                      {"GeneratedTokens", output_take, TOKENS}},
                     false},
    [SERVE_MOONCAKE] = {NULL,
                        3,
                        {{"timestamp", milliseconds_take, "milliseconds as a number, 0 or more"},
                         {"input_length", prompt_take, TOKENS},
                         {"output_length", output_take, TOKENS}},
                        false},
    [SERVE_CSV] = {"arrival_s,prompt_tokens,output_tokens",
                   3,
                   {{"arrival_s", seconds_take, SECONDS},
                    {"prompt_tokens", prompt_take, TOKENS},
                    {"output_tokens", output_take, TOKENS}},
                   false},
};

/* SERVE_CSV with one column more. */
static const struct format with_tenants = {
    "arrival_s,prompt_tokens,output_tokens,tenant",
    4,
    {{"arrival_s", seconds_take, SECONDS},
     {"prompt_tokens", prompt_take, TOKENS},
     {"output_tokens", output_take, TOKENS},
     {"tenant", tenant_take, "a whole number from 0 to 65535"}},
    true};

struct reading {
    const char *name, *rest, *end;
    int line;
    const struct format *format;
    struct serve_trace *trace;
    struct base_report *report;
    size_t faults;
    bool begun;
    int64_t start_s; /* of the first request that was read, in whole seconds */
};

/* What a fault shows of a text from outside. */
static char *shown(struct serve_field field)
{
    size_t bytes = field.bytes < SHOWN_BYTES ? field.bytes : SHOWN_BYTES;
    char *text = base_format("%.*s%s", (int)bytes, field.at, bytes < field.bytes ? "..." : "");
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            *p = '?';
    return text;
}

static bool fault_counts(struct reading *r)
{
    return r->faults++ < SERVE_TRACE_FAULTS;
}

static void column_fault(struct reading *r, const struct column *column, struct serve_field field)
{
    if (!fault_counts(r))
        return;
    char *value = shown(field);
    if (!field.at)
        base_report_add(r->report, r->name, r->line, "%s is missing: %s is wanted", column->name,
                        column->wanted);
    else
        base_report_add(r->report, r->name, r->line, "%s: \"%s\": %s is wanted", column->name,
                        value, column->wanted);
    base_free(value);
}

static struct serve_field line_take(struct reading *r)
{
    const char *end = memchr(r->rest, '\n', (size_t)(r->end - r->rest));
    struct serve_field line = {r->rest, (size_t)((end ? end : r->end) - r->rest)};
    r->rest = end ? end + 1 : r->end;
    r->line++;
    return serve_field_trimmed(line);
}

/* Fields between commas; those that are too many are counted alone. */
static size_t comma_split(struct serve_field line, struct serve_field *field, size_t most)
{
    size_t count = 0;
    const char *from = line.at, *end = line.at + line.bytes;
    for (const char *p = from; p <= end; p++) {
        if (p < end && *p != ',')
            continue;
        if (count < most)
            field[count] = serve_field_trimmed((struct serve_field){from, (size_t)(p - from)});
        count++;
        from = p + 1;
    }
    return count;
}

static bool line_split(struct reading *r, struct serve_field line, struct serve_field *field)
{
    size_t count = comma_split(line, field, r->format->columns);
    if (count == r->format->columns)
        return true;
    if (fault_counts(r))
        base_report_add(r->report, r->name, r->line, "%zu field%s; %zu are wanted: %s", count,
                        count == 1 ? "" : "s", r->format->columns, r->format->header);
    return false;
}

static bool object_split(struct reading *r, struct serve_field line, struct serve_field *field)
{
    const char *key[MOST_COLUMNS];
    size_t where;
    for (size_t i = 0; i < r->format->columns; i++)
        key[i] = r->format->column[i].name;
    const char *fault = serve_json_line(line, key, r->format->columns, field, &where);
    if (fault && fault_counts(r))
        base_report_add(r->report, r->name, r->line, "no JSON object at byte %zu: %s", where,
                        fault);
    return !fault;
}

/* Keeps the request if it is near enough to the first. */
static void entry_keep(struct reading *r, const struct entry *entry)
{
    const int64_t most_s = SERVE_MOST_DAYS * INT64_C(86400);
    if (!r->begun)
        r->start_s = entry->at.s;
    r->begun = true;
    int64_t after_s = entry->at.s - r->start_s;
    if (after_s > most_s || after_s < -most_s) {
        if (fault_counts(r))
            base_report_add(r->report, r->name, r->line,
                            "%s: more than %d days from the first request of the file",
                            r->format->column[0].name, SERVE_MOST_DAYS);
        return;
    }
    struct serve_trace *t = r->trace;
    t->request = base_grow(t->request, &t->capacity, t->count + 1, sizeof *t->request);
    t->request[t->count++] =
        (struct serve_request){.arrival_ps = after_s * SECOND_PS + entry->at.ps,
                               .prompt_tokens = (int32_t)entry->prompt,
                               .output_tokens = (int32_t)entry->output,
                               .tenant = (int32_t)entry->tenant};
}

static void line_read(struct reading *r, struct serve_field line)
{
    struct serve_field field[MOST_COLUMNS];
    struct entry entry = {0};
    size_t before = r->faults;
    bool split = r->format->header ? line_split(r, line, field) : object_split(r, line, field);
    for (size_t i = 0; split && i < r->format->columns; i++) {
        const struct column *column = &r->format->column[i];
        if (!field[i].at || !column->take(field[i], &entry))
            column_fault(r, column, field[i]);
    }
    if (r->faults == before)
        entry_keep(r, &entry);
}

static bool has_header(const struct format *format, struct serve_field line)
{
    if (!format->header)
        return line.bytes > 0 && line.at[0] == '{';
    return line.bytes == strlen(format->header) && memcmp(line.at, format->header, line.bytes) == 0;
}

/* The format whose first line this is; NULL with a fault where it is none, or not that which is
 * wanted. */
static const struct format *format_find(struct reading *r, enum serve_format wanted,
                                        struct serve_field line)
{
    if ((wanted == SERVE_AUTO || wanted == SERVE_CSV) && has_header(&with_tenants, line))
        return &with_tenants;
    for (size_t i = SERVE_AUTO + 1; i < sizeof formats / sizeof formats[0]; i++)
        if ((wanted == SERVE_AUTO || wanted == i) && has_header(&formats[i], line))
            return &formats[i];
    char *text = shown(line);
    if (wanted == SERVE_AUTO)
        base_report_add(r->report, r->name, r->line,
                        "\"%s\" begins no trace: %s, or %s with or without ,tenant, or a JSON "
                        "object a line is wanted",
                        text, formats[SERVE_AZURE].header, formats[SERVE_CSV].header);
    else
        base_report_add(r->report, r->name, r->line, "\"%s\": the first line of this format is %s",
                        text, wanted == SERVE_MOONCAKE ? "a JSON object" : formats[wanted].header);
    base_free(text);
    return NULL;
}

/* The first line that is not empty; nothing where there is none. */
static struct serve_field first_line(struct reading *r)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct serve_field line = {r->rest, 0};
    if (r->end - r->rest >= 3 && memcmp(r->rest, byte_order_mark, 3) == 0)
        r->rest += 3;
    while (line.bytes == 0 && r->rest < r->end)
        line = line_take(r);
    return line;
}

static void lines_read(struct reading *r, enum serve_format wanted)
{
    struct serve_field line = first_line(r);
    if (line.bytes == 0) {
        base_report_add(r->report, r->name, 0, "is empty: a trace of requests is wanted");
        return;
    }
    r->format = format_find(r, wanted, line);
    if (!r->format)
        return;
    if (!r->format->header)
        line_read(r, line);
    while (r->rest < r->end) {
        line = line_take(r);
        if (line.bytes > 0)
            line_read(r, line);
    }
    if (r->faults > SERVE_TRACE_FAULTS)
        base_report_add(r->report, r->name, 0, "and %zu more faults of this kind",
                        r->faults - SERVE_TRACE_FAULTS);
    else if (r->faults == 0 && r->trace->count == 0)
        base_report_add(r->report, r->name, 0, "has no request behind its first line");
    r->trace->has_tenants = r->format->has_tenants;
}

/* A request on its way into order, with its place in the file. */
struct place {
    struct serve_request request;
    size_t at;
};

static int by_arrival(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->request.arrival_ps != y->request.arrival_ps)
        return x->request.arrival_ps < y->request.arrival_ps ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static size_t moved_count(const struct serve_trace *trace)
{
    size_t moved = 0;
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < trace->count; i++) {
        moved += trace->request[i].arrival_ps < latest;
        if (trace->request[i].arrival_ps > latest)
            latest = trace->request[i].arrival_ps;
    }
    return moved;
}

static void sort(struct serve_trace *trace)
{
    struct place *place = base_alloc(trace->count, sizeof *place);
    for (size_t i = 0; i < trace->count; i++)
        place[i] = (struct place){trace->request[i], i};
    qsort(place, trace->count, sizeof *place, by_arrival);
    for (size_t i = 0; i < trace->count; i++)
        trace->request[i] = place[i].request;
    base_free(place);
}

bool serve_trace_parse(const char *name, const char *text, size_t bytes, enum serve_format format,
                       struct serve_trace *trace, struct base_report *report)
{
    size_t before = report->count;
    struct reading r = {
        .name = name, .rest = text, .end = text + bytes, .trace = trace, .report = report};
    *trace = (struct serve_trace){0};
    lines_read(&r, format);
    trace->moved = moved_count(trace);
    if (trace->moved > 0)
        sort(trace);
    for (size_t i = trace->count; i-- > 0;)
        trace->request[i].arrival_ps -= trace->request[0].arrival_ps;
    return report->count == before;
}

/* The whole file; NULL with a fault where it cannot be read. */
static char *content_of(const char *path, size_t *bytes, struct base_report *report)
{
    FILE *file = fopen(path, "rb");
    char *content = NULL;
    size_t capacity = 0, got = 1;
    *bytes = 0;
    while (file && got > 0) {
        content = base_grow(content, &capacity, *bytes + 65536, 1);
        got = fread(content + *bytes, 1, 65536, file);
        *bytes += got;
    }
    bool bad = !file || ferror(file);
    if (bad)
        base_report_add(report, path, 0, "cannot be read: %s", strerror(errno));
    if (file)
        fclose(file);
    if (bad)
        base_free(content);
    return bad ? NULL : content;
}

bool serve_trace_read(const char *path, enum serve_format format, struct serve_trace *trace,
                      struct base_report *report)
{
    size_t bytes;
    *trace = (struct serve_trace){0};
    char *content = content_of(path, &bytes, report);
    bool good = content && serve_trace_parse(path, content, bytes, format, trace, report);
    base_free(content);
    return good;
}

void serve_trace_release(struct serve_trace *trace)
{
    base_free(trace->request);
    *trace = (struct serve_trace){0};
}
