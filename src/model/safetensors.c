/* SPDX-License-Identifier: BSD-3-Clause */
/* The format: 8 bytes little-endian length of the header, the header as JSON {NAME: {"dtype",
 * "shape", "data_offsets": [begin, end]}, "__metadata__": {NAME: TEXT}}, the data that the offsets
 * count from. Nothing of a file is trusted before it is checked. */
#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "model/keys.h"

/* The bound of the reference implementation, and what a message shows of a name or a shape. */
enum { MOST_HEADER_BYTES = 100000000, LENGTH_BYTES = 8, SHOWN_CHARACTERS = 120 };

static const char metadata[] = "__metadata__";

static const struct {
    const char *name;
    int64_t bytes;
    enum safetensors_type type;
} types[] = {
    {"F32", 4, SAFETENSORS_F32},       {"F16", 2, SAFETENSORS_F16},
    {"BF16", 2, SAFETENSORS_BF16},     {"BOOL", 1, SAFETENSORS_OTHER},
    {"U8", 1, SAFETENSORS_U8},         {"I8", 1, SAFETENSORS_OTHER},
    {"F8_E5M2", 1, SAFETENSORS_OTHER}, {"F8_E4M3", 1, SAFETENSORS_OTHER},
    {"I16", 2, SAFETENSORS_OTHER},     {"U16", 2, SAFETENSORS_OTHER},
    {"I32", 4, SAFETENSORS_OTHER},     {"U32", 4, SAFETENSORS_OTHER},
    {"I64", 8, SAFETENSORS_OTHER},     {"U64", 8, SAFETENSORS_OTHER},
    {"F64", 8, SAFETENSORS_OTHER},
};

enum { TYPES = sizeof types / sizeof types[0] };

/* Where the data of a tensor lie; the name belongs to the header. */
struct span {
    const char *name;
    int64_t begin, end;
};

/* NAME, shortened and without control characters; free with base_free. */
static char *shown(const char *name)
{
    bool is_long = strlen(name) > SHOWN_CHARACTERS;
    char *text = base_format("%.*s%s", SHOWN_CHARACTERS, name, is_long ? "..." : "");
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return text;
}

/* The index in `types`, or -1. */
static int type_find(const json_t *value)
{
    const char *name = json_string_value(value);
    for (int i = 0; name && i < TYPES; i++)
        if (strcmp(types[i].name, name) == 0)
            return i;
    return -1;
}

/* Product of a list of sizes times `bytes`; -1 where it is no such list or beyond 63 bits. */
static int64_t product_of(const json_t *shape, int64_t bytes)
{
    if (!json_is_array(shape))
        return -1;
    int64_t product = bytes;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *value = json_array_get(shape, i);
        int64_t size = json_integer_value(value);
        if (!json_is_integer(value) || size < 0 || (size && product > INT64_MAX / size))
            return -1;
        product *= size;
    }
    return product;
}

/* Whether VALUE is [begin, end] within the data. */
static bool read_offsets(const json_t *value, int64_t data_bytes, struct span *span)
{
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    span->begin = json_integer_value(begin);
    span->end = json_integer_value(end);
    return json_array_size(value) == 2 && json_is_integer(begin) && json_is_integer(end) &&
           0 <= span->begin && span->begin <= span->end && span->end <= data_bytes;
}

static void offsets_fault(const struct keys *keys, int64_t data_bytes)
{
    char *advice =
        base_format("must be [begin, end] within the %" PRId64 " bytes of data", data_bytes);
    keys_fault(keys, "data_offsets", advice);
    base_free(advice);
}

/* Checks one entry of the header and stores where its data lie. */
static void check_entry(const struct keys *keys, int64_t data_bytes, struct span *span)
{
    int type = type_find(json_object_get(keys->object, "dtype"));
    const json_t *shape = json_object_get(keys->object, "shape");
    int64_t bytes = product_of(shape, type < 0 ? 1 : types[type].bytes);
    bool is_placed = read_offsets(json_object_get(keys->object, "data_offsets"), data_bytes, span);
    if (type < 0)
        keys_fault(keys, "dtype", "must be F32, F16, BF16 or another type of safetensors");
    if (bytes < 0)
        keys_fault(keys, "shape", "must be a list of sizes whose product is a 63-bit integer");
    if (!is_placed)
        offsets_fault(keys, data_bytes);
    if (type >= 0 && bytes >= 0 && is_placed && span->end - span->begin != bytes)
        base_report_add(keys->report, keys->file, 0,
                        "%sdata_offsets span %" PRId64 " bytes, but dtype and shape need %" PRId64,
                        keys->prefix, span->end - span->begin, bytes);
}

static void check_metadata(const struct keys *keys, json_t *object)
{
    bool is_good = json_is_object(object);
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) is_good = is_good && json_is_string(value);
    if (!is_good)
        keys_fault(keys, metadata, "must be an object of texts");
}

/* Checks every entry; returns how many tensors there are, their spans in header order. */
static size_t check_entries(const struct safetensors *file, struct span *span,
                            struct base_report *report)
{
    const char *name;
    json_t *value;
    size_t count = 0;
    struct keys all = {file->header, file->file, "", report};
    json_object_foreach(file->header, name, value)
    {
        if (strcmp(name, metadata) == 0) {
            check_metadata(&all, value);
            continue;
        }
        char *text = shown(name);
        char *prefix = base_format("%s: ", text);
        struct keys keys = {value, file->file, prefix, report};
        span[count].name = name;
        if (json_is_object(value))
            check_entry(&keys, file->data_bytes, &span[count++]);
        else
            base_report_add(report, file->file, 0, "%s: must be an object with dtype, ...", text);
        base_free(prefix);
        base_free(text);
    }
    return count;
}

static int span_compare(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return (left->end > right->end) - (left->end < right->end);
}

/* Spans without faults must follow each other up to the end; reports the first that does not. */
static void check_layout(const struct safetensors *file, struct span *span, size_t count,
                         struct base_report *report)
{
    int64_t end = 0;
    size_t i = 0;
    qsort(span, count, sizeof *span, span_compare);
    for (; i < count && span[i].begin == end; i++)
        end = span[i].end;
    if (i == count && end == file->data_bytes)
        return;
    char *name = shown(i < count ? span[i].name : "end of file");
    int64_t begin = i < count ? span[i].begin : file->data_bytes;
    base_report_add(report, file->file, 0,
                    "%s: data begin at %" PRId64 " and %s the data before, which end at %" PRId64
                    "; they must follow them without a gap",
                    name, begin, begin < end ? "overlap" : "leave a hole behind", end);
    base_free(name);
}

static void check_header(const struct safetensors *file, struct base_report *report)
{
    size_t before = report->count;
    struct span *span = base_alloc(json_object_size(file->header), sizeof *span);
    size_t count = check_entries(file, span, report);
    if (report->count == before)
        check_layout(file, span, count, report);
    base_free(span);
}

static uint64_t read_length(const unsigned char *bytes)
{
    uint64_t length = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        length = length << 8 | bytes[i];
    return length;
}

/* Sets header and data; leaves the header NULL and a fault where it cannot be read. */
static void read_header(struct safetensors *file, struct base_report *report)
{
    size_t most = file->bytes - LENGTH_BYTES;
    uint64_t length = read_length(file->map);
    if (length > most || length > MOST_HEADER_BYTES) {
        base_report_add(report, file->file, 0,
                        "header of %" PRIu64 " bytes; must fit into the file of %zu bytes and be "
                        "at most %d (no safetensors file, or a truncated one)",
                        length, file->bytes, MOST_HEADER_BYTES);
        return;
    }
    const char *text = (const char *)file->map + LENGTH_BYTES;
    json_error_t error;
    file->data = (const unsigned char *)text + length;
    file->data_bytes = (int64_t)(most - length);
    file->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!file->header)
        base_report_add(report, file->file, 0, "header is not JSON: %s", error.text);
    else if (!json_is_object(file->header))
        base_report_add(report, file->file, 0, "header must be an object of tensors");
}

/* Size in bytes of an open regular file that can hold a header length; 0 and a fault elsewhere. */
static size_t size_of(int descriptor, const char *file, struct base_report *report)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        base_report_add(report, file, 0, "cannot be read: %s", strerror(errno));
    else if (!S_ISREG(status.st_mode) || status.st_size < LENGTH_BYTES)
        base_report_add(report, file, 0, "must be a safetensors file of at least %d bytes",
                        LENGTH_BYTES);
    else
        return (size_t)status.st_size;
    return 0;
}

/* MAP_FAILED and a fault where FILE cannot be mapped. O_NONBLOCK: do not wait for a pipe. */
static void *map_file(const char *file, size_t *bytes, struct base_report *report)
{
    int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        base_report_add(report, file, 0, "cannot be read: %s", strerror(errno));
        return MAP_FAILED;
    }
    void *map = MAP_FAILED;
    *bytes = size_of(descriptor, file, report);
    if (*bytes > 0) {
        map = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (map == MAP_FAILED)
            base_report_add(report, file, 0, "cannot be mapped: %s", strerror(errno));
    }
    close(descriptor);
    return map;
}

struct safetensors *safetensors_open(const char *file, struct base_report *report)
{
    size_t before = report->count, bytes = 0;
    void *map = map_file(file, &bytes, report);
    if (map == MAP_FAILED)
        return NULL;
    struct safetensors *opened = base_alloc(1, sizeof *opened);
    opened->file = base_strdup(file);
    opened->map = map;
    opened->bytes = bytes;
    read_header(opened, report);
    if (report->count == before)
        check_header(opened, report);
    if (report->count == before)
        return opened;
    safetensors_close(opened);
    return NULL;
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    json_decref(file->header);
    munmap(file->map, file->bytes);
    base_free(file->file);
    base_free(file);
}

bool safetensors_find(const struct safetensors *file, const char *name,
                      struct safetensors_tensor *tensor)
{
    const json_t *entry = json_object_get(file->header, name);
    if (!entry || strcmp(name, metadata) == 0)
        return false;
    int type = type_find(json_object_get(entry, "dtype"));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    tensor->file = file->file;
    tensor->type = types[type].type;
    tensor->type_name = types[type].name;
    tensor->shape = json_object_get(entry, "shape");
    tensor->data = file->data + json_integer_value(json_array_get(offsets, 0));
    return true;
}
