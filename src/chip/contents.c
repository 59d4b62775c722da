/* SPDX-License-Identifier: BSD-3-Clause */
/* Pages of SRAM rows that come into being with their first write. */
#include "chip/contents.h"

#include <string.h>

#include "base/memory.h"

enum { PAGE_ROWS = 64 };

struct contents contents_create(int32_t slices, int32_t rows, size_t row_bytes)
{
    struct contents c = {.slices = slices,
                         .rows = rows,
                         .pages = (rows + PAGE_ROWS - 1) / PAGE_ROWS,
                         .row_bytes = row_bytes};
    c.page = base_alloc((size_t)slices * (size_t)c.pages, sizeof *c.page);
    c.zero = base_alloc(1, row_bytes);
    return c;
}

void contents_release(struct contents *contents)
{
    for (int64_t n = 0; contents->page && n < (int64_t)contents->slices * contents->pages; n++)
        base_free(contents->page[n]);
    base_free(contents->page);
    base_free(contents->zero);
    *contents = (struct contents){0};
}

static struct contents_page **page_of(const struct contents *c, int32_t slice, int64_t row)
{
    if (slice < 0 || slice >= c->slices || row < 0 || row >= c->rows)
        return NULL;
    return &c->page[(size_t)slice * (size_t)c->pages + (size_t)(row / PAGE_ROWS)];
}

static uint8_t *row_of(const struct contents *c, struct contents_page *page, int64_t row)
{
    return page->row + (size_t)(row % PAGE_ROWS) * c->row_bytes;
}

static struct contents_page *new_page(const struct contents *c)
{
    struct contents_page *page = base_alloc(1, sizeof *page + PAGE_ROWS * c->row_bytes);
    page->lent_until = INT64_MIN;
    return page;
}

void *contents_row(struct contents *contents, int32_t slice, int64_t row)
{
    struct contents_page **page = page_of(contents, slice, row);
    if (page && !*page)
        *page = new_page(contents);
    return page ? row_of(contents, *page, row) : NULL;
}

const void *contents_look(const struct contents *contents, int32_t slice, int64_t row)
{
    struct contents_page *const *page = page_of(contents, slice, row);
    return page && *page ? row_of(contents, *page, row) : contents->zero;
}

const void *contents_lend(struct contents *contents, int32_t slice, int64_t row, int64_t until)
{
    struct contents_page **page = page_of(contents, slice, row);
    if (!page || !*page)
        return contents->zero;
    (*page)->lent_until = until > (*page)->lent_until ? until : (*page)->lent_until;
    return row_of(contents, *page, row);
}

bool contents_is_lent(const struct contents *contents, int32_t slice, int64_t row, int64_t now)
{
    struct contents_page *const *page = page_of(contents, slice, row);
    return page && *page && (*page)->lent_until >= now;
}

void contents_take_back(struct contents *contents)
{
    for (int64_t n = 0; n < (int64_t)contents->slices * contents->pages; n++)
        if (contents->page[n])
            contents->page[n]->lent_until = INT64_MIN;
}

/* One step of a 64-bit mixing function (splitmix64). */
static uint64_t mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
    digest = (digest ^ digest >> 29) * UINT64_C(0x94d049bb133111eb);
    return digest ^ digest >> 32;
}

static uint64_t digest_row(uint64_t digest, const uint8_t *row, size_t bytes)
{
    for (size_t n = 0; n < bytes; n += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, row + n, bytes - n < sizeof word ? bytes - n : sizeof word);
        digest = mix(digest, word);
    }
    return digest;
}

uint64_t contents_digest(const struct contents *contents)
{
    uint64_t digest = 0;
    for (int64_t n = 0; n < (int64_t)contents->slices * contents->pages; n++)
        for (size_t r = 0; contents->page[n] && r < PAGE_ROWS; r++) {
            const uint8_t *row = row_of(contents, contents->page[n], (int64_t)r);
            if (memcmp(row, contents->zero, contents->row_bytes) != 0)
                digest =
                    digest_row(mix(digest, (uint64_t)n * PAGE_ROWS + r), row, contents->row_bytes);
        }
    return digest;
}
