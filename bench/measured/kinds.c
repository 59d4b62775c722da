/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of kinds, and what rows of any kind have in common. */
#include "kinds.h"

#include <math.h>
#include <string.h>

extern const struct kind kind_gemm, kind_attention_prefill, kind_attention_decode, kind_moe,
    kind_nccl, kind_engine_all_reduce, kind_nccl_tests, kind_transfer, kind_mlp, kind_serving,
    kind_serving_batch;

const struct kind *const kinds[] = {
    &kind_gemm, &kind_attention_prefill, &kind_attention_decode, &kind_moe,
    &kind_nccl, &kind_engine_all_reduce, &kind_nccl_tests,       &kind_transfer,
    &kind_mlp,  &kind_serving,           &kind_serving_batch,    NULL,
};

static bool is_of(const struct table *table, const struct kind *kind)
{
    for (size_t i = 0; kind->needs[i]; i++)
        if (!table_has(table, kind->needs[i]))
            return false;
    for (size_t i = 0; kind->without[i]; i++)
        if (table_has(table, kind->without[i]))
            return false;
    return true;
}

const struct kind *kind_of(const struct table *table)
{
    for (size_t i = 0; kinds[i]; i++)
        if (is_of(table, kinds[i]))
            return kinds[i];
    return NULL;
}

static bool is_measured(const struct kind *kind, const char *column)
{
    for (size_t i = 0; kind->measured[i]; i++)
        if (strcmp(kind->measured[i], column) == 0)
            return true;
    return false;
}

/* FNV-1a over the key's fields, each with its end, and a last mix so that the low bit depends on
 * all. */
bool row_is_in_half(const struct kind *kind, const struct row *row)
{
    const struct table *table = row->table;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < table->columns; i++) {
        const char *field = table->field[row->index * table->columns + i];
        for (size_t c = 0; !is_measured(kind, table->name[i]) && c <= strlen(field); c++)
            hash = (hash ^ (uint64_t)(unsigned char)field[c]) * UINT64_C(1099511628211);
    }
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    return (hash >> 63) == 0;
}

bool row_is_for_fit(const struct kind *kind, const struct row *row)
{
    return kind->is_for_fit ? kind->is_for_fit(row) : row_is_in_half(kind, row);
}

const char *row_sizes_refuse(const struct kind *kind, const struct row *row)
{
    for (size_t i = 0; kind->sizes && kind->sizes[i]; i++) {
        double size = row_real(row, kind->sizes[i], NAN);
        bool is_size = size >= 1 && size <= KIND_MOST && floor(size) == size;
        if (table_has(row->table, kind->sizes[i]) && !is_size)
            return "a size that is no whole number from 1 to 2^30";
    }
    return NULL;
}

const char *row_text(const struct row *row, const char *column)
{
    return table_text(row->table, row->index, column);
}

int64_t row_whole(const struct row *row, const char *column, int64_t otherwise)
{
    return table_whole(row->table, row->index, column, otherwise);
}

double row_real(const struct row *row, const char *column, double otherwise)
{
    return table_real(row->table, row->index, column, otherwise);
}
