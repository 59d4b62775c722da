/* SPDX-License-Identifier: BSD-3-Clause */
/* Times of iterations as distributions on a grid of batches, so that a million of them need not be
 * simulated one by one.
 *
 * A batch is placed by what its time depends on: sequences that generate and the mean of their
 * keys; positions of prompts, the keys that these see, and in how many groups they come. Between
 * points of the grid the mean is multilinear. What an iteration takes beside its mean is drawn from
 * whole steps that were simulated once for its region. Points and regions are asked for when they
 * are needed, so nothing is simulated that no iteration touches. */
#ifndef SERVE_CELLS_H
#define SERVE_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/gpu_batch.h"

enum { SERVE_CELLS_POINTS = 16 }; /* around a batch */

/* Where times come from; the answers must depend on batch and key alone. */
struct serve_cells_source {
    /* Mean times of `count` batches, at most SERVE_CELLS_POINTS. */
    void (*means)(void *context, const struct gpu_batch *batch, const uint64_t *key, size_t count,
                  double *mean_ps);
    /* `count` draws of the time of one batch, in any order. */
    void (*draws)(void *context, const struct gpu_batch *batch, uint64_t key, size_t count,
                  double *ps);
    void *context;
};

/* Draws of a region. */
enum { SERVE_CELLS_DRAWS = 16 };

struct serve_cells;

/* For batches of at most so many sequences that generate, and positions of prompts; more keys than
 * `most_keys` are taken for these. Free with serve_cells_free. */
struct serve_cells *serve_cells_create(int64_t most_sequences, int64_t most_tokens,
                                       int64_t most_keys, const struct serve_cells_source *source);
void serve_cells_free(struct serve_cells *cells);

double serve_cells_mean_ps(struct serve_cells *cells, const struct gpu_batch *batch);

/* Over the mean: the quantile at 0 < u < 1 of what whole steps of the region take over theirs, 1 on
 * average. */
double serve_cells_factor(struct serve_cells *cells, const struct gpu_batch *batch, double u);

/* Standard deviation of the factors, over u. */
double serve_cells_deviation(struct serve_cells *cells, const struct gpu_batch *batch);

/* How many were asked for. */
size_t serve_cells_points(const struct serve_cells *cells);
size_t serve_cells_regions(const struct serve_cells *cells);

#endif
