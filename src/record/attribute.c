/* SPDX-License-Identifier: BSD-3-Clause */
/* Attributes: texts that h5py reads as str, and numbers. */
#include <string.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "record/room.h"

hid_t record_group(struct record_file *file, const char *name)
{
    if (!strcmp(name, "/"))
        return record_must(H5Gopen2(file->id, name, H5P_DEFAULT), file, "opening the root");
    hid_t with_parents = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(with_parents, 1);
    char *parent = base_strdup(name);
    bool found = true;
    for (char *slash = strchr(parent + 1, '/'); found && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        found = H5Lexists(file->id, parent, H5P_DEFAULT) > 0;
        *slash = '/';
    }
    found = found && H5Lexists(file->id, name, H5P_DEFAULT) > 0;
    hid_t group = found ? H5Gopen2(file->id, name, H5P_DEFAULT)
                        : H5Gcreate2(file->id, name, with_parents, H5P_DEFAULT, H5P_DEFAULT);
    base_free(parent);
    H5Pclose(with_parents);
    return record_must(group, file, "opening a group");
}

/* Opens or creates an attribute, writes it, and closes type and space. */
static void attribute_write(struct record_file *file, hid_t object, const char *name, hid_t type,
                            hid_t space, const void *value)
{
    bool there = record_must(H5Aexists(object, name), file, "looking for an attribute") > 0;
    hid_t attribute = there ? H5Aopen(object, name, H5P_DEFAULT)
                            : H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    record_must(attribute, file, "creating an attribute");
    record_must(H5Awrite(attribute, type, value), file, "writing an attribute");
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
}

static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

void record_attribute_text(struct record_file *file, hid_t object, const char *name,
                           const char *text)
{
    attribute_write(file, object, name, text_type(), H5Screate(H5S_SCALAR), &text);
}

void record_attribute_texts(struct record_file *file, hid_t object, const char *name,
                            const char *const *texts)
{
    hsize_t count = 0;
    while (texts[count])
        count++;
    attribute_write(file, object, name, text_type(), H5Screate_simple(1, &count, NULL), texts);
}

void record_attribute_number(struct record_file *file, hid_t object, const char *name, hid_t type,
                             const void *value)
{
    attribute_write(file, object, name, H5Tcopy(type), H5Screate(H5S_SCALAR), value);
}

/* A group's number from the first rank. */
static enum base_status number_set(struct record_file *file, const char *group, const char *name,
                                   hid_t type, void *value)
{
    parallel_broadcast(value, 8);
    if (record_reserve(file, 4096) != BASE_OK)
        return file->status;
    hid_t object = record_group(file, group);
    record_attribute_number(file, object, name, type, value);
    H5Gclose(object);
    return BASE_OK;
}

enum base_status record_set_i64(struct record_file *file, const char *group, const char *name,
                                int64_t value)
{
    return number_set(file, group, name, H5T_NATIVE_INT64, &value);
}

enum base_status record_set_f64(struct record_file *file, const char *group, const char *name,
                                double value)
{
    return number_set(file, group, name, H5T_NATIVE_DOUBLE, &value);
}

void record_text_write(struct record_file *file, const char *group, const char *name,
                       const char *text)
{
    hid_t object = record_group(file, group);
    record_attribute_text(file, object, name, text);
    H5Gclose(object);
}

enum base_status record_set_text(struct record_file *file, const char *group, const char *name,
                                 const char *text)
{
    char *first = parallel_concatenate(parallel_is_first() ? text : "");
    if (record_reserve(file, 8192 + (int64_t)strlen(first)) == BASE_OK)
        record_text_write(file, group, name, first);
    base_free(first);
    return file->status;
}
