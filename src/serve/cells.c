/* SPDX-License-Identifier: BSD-3-Clause */
/* What has been asked for, and times between it. */
#include "serve/cells.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "serve/cells_grid.h"

struct point {
    uint64_t key; /* 0: free */
    double mean_ps;
};

enum { REGIONS = 4 };

/* Factors of the mean, ascending; 0: not asked for. */
struct region {
    double factor[SERVE_CELLS_DRAWS];
};

struct serve_cells {
    struct serve_cells_source source;
    struct serve_grid grid;
    struct point *point; /* open addressing, at most half full */
    size_t capacity, points, regions;
    struct region region[REGIONS];
};

struct serve_cells *serve_cells_create(int64_t most_sequences, int64_t most_tokens,
                                       int64_t most_keys, const struct serve_cells_source *source)
{
    struct serve_cells *cells = base_alloc(1, sizeof *cells);
    *cells = (struct serve_cells){.source = *source,
                                  .grid = serve_grid_of(most_sequences, most_tokens, most_keys),
                                  .capacity = 1024};
    cells->point = base_alloc(cells->capacity, sizeof *cells->point);
    return cells;
}

void serve_cells_free(struct serve_cells *cells)
{
    if (!cells)
        return;
    base_free(cells->point);
    base_free(cells);
}

/* Where a key is, or would be. */
static struct point *find(const struct serve_cells *cells, uint64_t key)
{
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) % cells->capacity;
    while (cells->point[at].key != 0 && cells->point[at].key != key)
        at = at + 1 < cells->capacity ? at + 1 : 0;
    return &cells->point[at];
}

static void enlarge(struct serve_cells *cells)
{
    struct serve_cells larger = *cells;
    larger.capacity = 2 * cells->capacity;
    larger.point = base_alloc(larger.capacity, sizeof *larger.point);
    for (size_t i = 0; i < cells->capacity; i++)
        if (cells->point[i].key != 0)
            *find(&larger, cells->point[i].key) = cells->point[i];
    base_free(cells->point);
    *cells = larger;
}

/* Asks for the corners that are not known. */
static void know(struct serve_cells *cells, const struct serve_corners *corners)
{
    struct gpu_batch batch[SERVE_CELLS_POINTS];
    uint64_t key[SERVE_CELLS_POINTS];
    double mean_ps[SERVE_CELLS_POINTS];
    size_t count = 0;
    for (size_t i = 0; i < corners->count; i++)
        if (find(cells, corners->key[i])->key == 0) {
            batch[count] = serve_place_batch(&corners->place[i]);
            key[count++] = corners->key[i];
        }
    if (count == 0)
        return;
    cells->source.means(cells->source.context, batch, key, count, mean_ps);
    while (2 * (cells->points + count) > cells->capacity)
        enlarge(cells);
    for (size_t i = 0; i < count; i++)
        *find(cells, key[i]) = (struct point){key[i], mean_ps[i]};
    cells->points += count;
}

double serve_cells_mean_ps(struct serve_cells *cells, const struct gpu_batch *batch)
{
    struct serve_corners corners = serve_corners_of(&cells->grid, batch);
    double mean_ps = 0;
    know(cells, &corners);
    for (size_t i = 0; i < corners.count; i++)
        mean_ps += corners.share[i] * find(cells, corners.key[i])->mean_ps;
    return mean_ps;
}

/* Captured and few, captured and many, launched by the host, bound by the GPU. */
static int32_t region_of(const struct serve_place *place)
{
    enum { MANY = 32, LONG = 1024 };
    if (place->value[SERVE_TOKENS] > 0)
        return 2 + (place->value[SERVE_TOKENS] > LONG);
    return place->value[SERVE_SEQUENCES] > MANY;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The first batch that comes stands for its region. */
static const struct region *region_at(struct serve_cells *cells, const struct gpu_batch *batch)
{
    struct serve_place place = serve_place_of(batch);
    int32_t number = region_of(&place);
    struct region *region = &cells->region[number];
    if (region->factor[0] > 0)
        return region;
    double mean = 0;
    cells->source.draws(cells->source.context, batch, (uint64_t)number, SERVE_CELLS_DRAWS,
                        region->factor);
    for (int32_t i = 0; i < SERVE_CELLS_DRAWS; i++)
        mean += region->factor[i] / SERVE_CELLS_DRAWS;
    for (int32_t i = 0; i < SERVE_CELLS_DRAWS; i++)
        region->factor[i] /= mean;
    qsort(region->factor, SERVE_CELLS_DRAWS, sizeof region->factor[0], ascending);
    cells->regions++;
    return region;
}

/* Draw i stands at (i + 1/2) / n; straight lines between, which end at the least and the most. */
double serve_cells_factor(struct serve_cells *cells, const struct gpu_batch *batch, double u)
{
    const struct region *region = region_at(cells, batch);
    double at = u * SERVE_CELLS_DRAWS - 0.5;
    if (at <= 0)
        return region->factor[0];
    int32_t low = (int32_t)at;
    if (low >= SERVE_CELLS_DRAWS - 1)
        return region->factor[SERVE_CELLS_DRAWS - 1];
    double share = at - low;
    return region->factor[low] * (1 - share) + region->factor[low + 1] * share;
}

double serve_cells_deviation(struct serve_cells *cells, const struct gpu_batch *batch)
{
    const struct region *region = region_at(cells, batch);
    double square = 0;
    for (int32_t i = 0; i < SERVE_CELLS_DRAWS; i++)
        square += (region->factor[i] - 1) * (region->factor[i] - 1) / (SERVE_CELLS_DRAWS - 1);
    return sqrt(square);
}

size_t serve_cells_points(const struct serve_cells *cells)
{
    return cells->points;
}

size_t serve_cells_regions(const struct serve_cells *cells)
{
    return cells->regions;
}
