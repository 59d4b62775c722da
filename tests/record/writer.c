/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes a file as a run would, for scripts: record_writer PATH ROWS BATCHES SEED. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "parallel/parallel.h"
#include "parallel/place.h"
#include "record/layout.h"
#include "record/run.h"

/* A row as a function of its number alone; `duration` does not compress. */
static struct record_gpu_kernel kernel(int64_t number, uint64_t seed)
{
    uint64_t duration = base_random_u64(seed, BASE_RANDOM_KERNEL, 0, (uint64_t)number) >> 20;
    return (struct record_gpu_kernel){.step = (int32_t)(number / 100),
                                      .gpu = (int32_t)(number % 8),
                                      .op = (uint8_t)(number % 15),
                                      .start_ps = 1000 * number,
                                      .end_ps = 1000 * number + (int64_t)duration};
}

static enum base_status batch_write(struct record_file *file, int64_t first, int64_t count,
                                    uint64_t seed)
{
    struct parallel_block block = parallel_block_of(count, parallel_size(), parallel_rank());
    struct record_gpu_kernel *rows = base_alloc((size_t)block.count, sizeof *rows);
    for (int64_t i = 0; i < block.count; i++)
        rows[i] = kernel(first + block.first + i, seed);
    enum base_status status =
        record_append(file, record_layout(RECORD_GPU_KERNELS), rows, (size_t)block.count);
    base_free(rows);
    return status;
}

/* The progress counts rows that are in the file. */
static enum base_status batches_write(struct record_file *file, int64_t rows, int64_t batches,
                                      uint64_t seed)
{
    enum base_status status = BASE_OK;
    for (int64_t i = 0; status == BASE_OK && i < batches; i++) {
        struct parallel_block batch = parallel_block_of(rows, (int)batches, (int)i);
        status = batch_write(file, batch.first, batch.count, seed);
        char *progress = base_format("%lld", (long long)(batch.first + batch.count));
        if (status == BASE_OK)
            status = record_flush(file, progress);
        base_free(progress);
    }
    return status;
}

static enum base_status file_write(char **argument, struct base_report *report)
{
    struct record_file *file = record_open(argument[1], report);
    if (!file)
        return BASE_IO;
    uint64_t seed = strtoull(argument[4], NULL, 10);
    struct record_run run = {"0", "test", "record_writer", "", seed, NULL, NULL};
    record_run_begin(file, &run);
    enum base_status status = batches_write(file, atoll(argument[2]), atoll(argument[3]), seed);
    record_run_end(file);
    enum base_status closed = record_close(file, status == BASE_OK, NULL);
    return status ? status : closed;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: record_writer PATH ROWS BATCHES SEED\n", stderr);
        return BASE_USAGE;
    }
    parallel_start(&argc, &argv);
    struct base_report report = {0};
    enum base_status status = file_write(argv, &report);
    enum base_status agreed = parallel_agree_report(&report, BASE_IO);
    parallel_finish();
    return (int)(status ? status : agreed);
}
