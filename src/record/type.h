/* SPDX-License-Identifier: BSD-3-Clause */
/* The types of columns, as HDF5 knows them. */
#ifndef RECORD_TYPE_H
#define RECORD_TYPE_H

#include <hdf5.h>

#include <stdbool.h>

#include "record/record.h"

/* A column's type in files (little-endian) or in this machine's memory; close with H5Tclose. */
hid_t record_column_type(const struct record_column *column, bool in_file);

#endif
