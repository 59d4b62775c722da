/* SPDX-License-Identifier: BSD-3-Clause */
/* Over many turns, rings find what a list of all vectors that were ever driven finds. */
#include "test.h"

#include <string.h>

#include "chip/rings.h"
#include "draw.h"

/* Lanes of even number go east. Rows are memory that vectors refer to. */
enum { LANES = 4, WIDTH = 20, LONGEST = 15, CYCLES = 4000, ROWS = 6, MOST = 4 * CYCLES };

struct driven {
    int64_t cycle, value;
    int32_t lane, x;
};

struct model {
    struct rings rings;
    struct driven all[MOST];
    size_t count, found, empty, wrong;
    int64_t row[ROWS], next_value;
    uint64_t state;
};

static enum program_direction way_of(int32_t lane)
{
    return lane % 2 ? PROGRAM_WEST : PROGRAM_EAST;
}

static int64_t phase_of(int32_t lane, int64_t cycle, int32_t x)
{
    return lane % 2 ? cycle + x : cycle - x;
}

/* The vector that was driven later at the nearest position, going by cycles alone; -1: none. */
static int64_t find(const struct model *m, int32_t lane, int64_t cycle, int32_t x)
{
    int64_t value = -1, nearest = WIDTH + 1;
    for (size_t n = m->count; n-- > 0 && m->all[n].cycle >= cycle - WIDTH - LONGEST;) {
        const struct driven *d = &m->all[n];
        int64_t away = lane % 2 ? d->x - x : x - d->x;
        if (d->lane == lane && away >= 0 && d->cycle + away == cycle && away < nearest) {
            nearest = away;
            value = d->value;
        }
    }
    return value;
}

static void drive(struct model *m, int64_t now)
{
    struct driven d = {.cycle = now + draw_between(&m->state, 1, LONGEST),
                       .value = m->next_value++,
                       .lane = draw_between(&m->state, 0, LANES - 1),
                       .x = draw_between(&m->state, 0, WIDTH)};
    const struct ring_drive to = {now, d.cycle + WIDTH, phase_of(d.lane, d.cycle, d.x), d.lane,
                                  d.x};
    int32_t row = draw_between(&m->state, 0, 2 * ROWS);
    if (row < ROWS) {
        d.value = m->row[row];
        rings_refer(&m->rings, &to, &m->row[row]);
    } else {
        memcpy(rings_drive(&m->rings, &to), &d.value, sizeof d.value);
    }
    m->all[m->count++] = d;
}

static void overwrite(struct model *m)
{
    int64_t *row = &m->row[draw_between(&m->state, 0, ROWS - 1)];
    rings_settle(&m->rings, row);
    *row = m->next_value++;
}

static void sample(struct model *m, int64_t now)
{
    int32_t lane = draw_between(&m->state, 0, LANES - 1), x = draw_between(&m->state, 0, WIDTH);
    const void *vector = rings_sample(&m->rings, lane, phase_of(lane, now, x), x, way_of(lane));
    int64_t want = find(m, lane, now, x), have = -1;
    if (vector)
        memcpy(&have, vector, sizeof have);
    m->wrong += have != want;
    *(want < 0 ? &m->empty : &m->found) += 1;
}

static void rings_agree_with_a_list_of_all_drives(void)
{
    static struct model m = {.row = {1, 2, 3, 4, 5, 6}, .next_value = 100, .state = 8};
    m.rings = rings_create(LANES, 2 * WIDTH + LONGEST + 1, sizeof(int64_t));
    for (int64_t now = 0; now < CYCLES; now++) {
        for (int32_t n = draw_between(&m.state, 0, 4); n > 0; n--)
            drive(&m, now);
        for (int32_t n = 0; n < 8; n++)
            sample(&m, now);
        if (draw_between(&m.state, 0, 3) == 0)
            overwrite(&m);
    }
    CU_ASSERT_EQUAL(m.wrong, 0);
    CU_ASSERT_TRUE(m.found > 2000 && m.empty > 2000);
    rings_release(&m.rings);
}

TEST_MAIN("turns of rings", TEST(rings_agree_with_a_list_of_all_drives))
