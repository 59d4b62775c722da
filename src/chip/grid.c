/* SPDX-License-Identifier: BSD-3-Clause */
/* Meets grids whose levels have equal steps: they are shifted against each other. */
#include "chip/grid.h"

/* Shifts along the slow level that are tried. */
enum { MOST_SHIFTS = 4 };

struct range {
    int64_t from, to; /* both included */
};

static int64_t divided_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The step that both have on a level; 0: there is none. A level that does not repeat agrees with
 * any. */
static int32_t common_step(const struct grid *a, const struct grid *b, int level)
{
    if (a->count[level] == 1)
        return b->count[level] == 1 ? 1 : b->step[level];
    return b->count[level] == 1 || b->step[level] == a->step[level] ? a->step[level] : 0;
}

/* Members of `a` on a level that have one of `b` `shift` before them. */
static void overlap_level(const struct grid *a, const struct grid *b, int level, int64_t shift,
                          struct grid_meeting *m)
{
    int64_t from = shift > 0 ? shift : 0;
    int64_t to =
        b->count[level] + shift < a->count[level] ? b->count[level] + shift : a->count[level];
    m->a[level] = (int32_t)from;
    m->b[level] = (int32_t)(from - shift);
    m->count[level] = (int32_t)(to - from);
}

/* Member numbers of `a` minus those of `b` on a level, as far as they meet at all. */
static struct range shifts_of(const struct grid *a, const struct grid *b, int level)
{
    return (struct range){1 - b->count[level], a->count[level] - 1};
}

/* Shifts of the slow level that leave what those of the fast level can make up for. */
static struct range slow_shifts(const struct grid *a, const struct grid *b, int slow,
                                const int32_t step[2])
{
    int fast = 1 - slow;
    int64_t away = b->start - a->start;
    struct range all = shifts_of(a, b, slow), rest = shifts_of(a, b, fast);
    int64_t from = -divided_down(rest.to * step[fast] - away, step[slow]);
    int64_t to = divided_down(away - rest.from * step[fast], step[slow]);
    return (struct range){from > all.from ? from : all.from, to < all.to ? to : all.to};
}

/* Level meets level of the same number. */
static bool meet_straight(const struct grid *a, const struct grid *b, struct grid_meeting *m)
{
    int32_t step[2] = {common_step(a, b, 0), common_step(a, b, 1)};
    int slow = step[1] >= step[0] ? 1 : 0, fast = 1 - slow;
    *m = (struct grid_meeting){0};
    if (!step[0] || !step[1])
        return false;
    struct range shift = slow_shifts(a, b, slow, step);
    if (shift.to - shift.from >= MOST_SHIFTS)
        return false;
    for (int64_t s = shift.from; s <= shift.to; s++) {
        int64_t rest = b->start - a->start - s * step[slow];
        if (rest % step[fast] != 0)
            continue;
        if (m->count[0])
            return false;
        overlap_level(a, b, slow, s, m);
        overlap_level(a, b, fast, rest / step[fast], m);
    }
    return true;
}

static bool meet_crossed(const struct grid *a, const struct grid *b, struct grid_meeting *m)
{
    struct grid turned = {b->start, {b->step[1], b->step[0]}, {b->count[1], b->count[0]}};
    if (!meet_straight(a, &turned, m))
        return false;
    int32_t first = m->b[0];
    m->b[0] = m->b[1];
    m->b[1] = first;
    m->crossed = true;
    return true;
}

/* A grid meets its like at every member: repeats nest, so that no number comes twice. */
static bool is_same(const struct grid *a, const struct grid *b)
{
    return a->start == b->start && a->count[0] == b->count[0] && a->count[1] == b->count[1] &&
           (a->count[0] == 1 || a->step[0] == b->step[0]) &&
           (a->count[1] == 1 || a->step[1] == b->step[1]);
}

bool grid_meet(const struct grid *a, const struct grid *b, struct grid_meeting *meeting)
{
    if (is_same(a, b)) {
        *meeting = (struct grid_meeting){.count = {a->count[0], a->count[1]}};
        return true;
    }
    return meet_straight(a, b, meeting) || meet_crossed(a, b, meeting);
}
