/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses the types of columns. */
#include "record/type.h"

hid_t record_column_type(const struct record_column *column, bool in_file)
{
    const hid_t numbers[][2] = {[RECORD_I64] = {H5T_NATIVE_INT64, H5T_STD_I64LE},
                                [RECORD_I32] = {H5T_NATIVE_INT32, H5T_STD_I32LE},
                                [RECORD_I16] = {H5T_NATIVE_INT16, H5T_STD_I16LE},
                                [RECORD_U8] = {H5T_NATIVE_UINT8, H5T_STD_U8LE},
                                [RECORD_F64] = {H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE},
                                [RECORD_F32] = {H5T_NATIVE_FLOAT, H5T_IEEE_F32LE}};
    if (column->type != RECORD_TEXT)
        return H5Tcopy(numbers[column->type][in_file]);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, column->bytes);
    H5Tset_strpad(text, H5T_STR_NULLPAD);
    return text;
}
