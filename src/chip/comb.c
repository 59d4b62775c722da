/* SPDX-License-Identifier: BSD-3-Clause */
/* Meets combs: ranges where steps are equal, the Chinese remainder where they are not. */
#include "chip/comb.h"

static const struct comb_meeting apart = {0, 0, 0, 0, 0};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct comb_meeting meet_equal_steps(struct comb a, struct comb b)
{
    int64_t away = b.start - a.start;
    if (a.step != 1 && away % a.step != 0)
        return apart;
    int64_t shift = away / a.step; /* member j of b is member j + shift of a */
    int64_t from = greatest(0, shift), to = least(a.count, b.count + shift);
    if (from >= to)
        return apart;
    return (struct comb_meeting){(int32_t)(to - from), (int32_t)from, 1, (int32_t)(from - shift),
                                 1};
}

/* The one member of `a`, if it is in `b`. */
static struct comb_meeting meet_single(struct comb a, struct comb b)
{
    int64_t away = a.start - b.start;
    if (away < 0 || away > comb_last(b) - b.start || (b.count > 1 && away % b.step != 0))
        return apart;
    return (struct comb_meeting){1, 0, 1, b.count > 1 ? (int32_t)(away / b.step) : 0, 1};
}

/* Greatest common divisor of a and m, and *inverse with inverse * a = gcd (mod m). */
static int64_t euclid(int64_t a, int64_t m, int64_t *inverse)
{
    int64_t r = a, next_r = m, s = 1, next_s = 0;
    while (next_r != 0) {
        int64_t q = r / next_r, t = r - q * next_r;
        r = next_r;
        next_r = t;
        t = s - q * next_s;
        s = next_s;
        next_s = t;
    }
    *inverse = s;
    return r;
}

/* Least member of `a` at or after `from` that is congruent to b.start modulo b.step; -1: none. */
static int64_t first_member(struct comb a, struct comb b, int64_t from, int64_t *period)
{
    int64_t inverse, g = euclid(a.step, b.step, &inverse), away = b.start - a.start;
    if (away % g != 0)
        return -1;
    int64_t m = b.step / g, wanted = away / g % m;
    int64_t i = wanted * (inverse % m) % m;
    i = i < 0 ? i + m : i;
    *period = m;
    return i >= from ? i : i + (from - i + m - 1) / m * m;
}

struct comb_meeting comb_meet(struct comb a, struct comb b)
{
    if (a.count == 1)
        return meet_single(a, b);
    if (b.count == 1) {
        struct comb_meeting m = meet_single(b, a);
        return (struct comb_meeting){m.count, m.b, 1, m.a, 1};
    }
    if (a.step == b.step)
        return meet_equal_steps(a, b);
    int64_t period = 1, begin = greatest(a.start, b.start), end = least(comb_last(a), comb_last(b));
    int64_t i = first_member(a, b, (begin - a.start + a.step - 1) / a.step, &period);
    int64_t cycle = a.start + i * a.step, stride = a.step * period;
    if (i < 0 || cycle > end)
        return apart;
    return (struct comb_meeting){(int32_t)((end - cycle) / stride + 1), (int32_t)i, (int32_t)period,
                                 (int32_t)((cycle - b.start) / b.step), (int32_t)(stride / b.step)};
}
