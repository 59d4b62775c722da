/* SPDX-License-Identifier: BSD-3-Clause */
/* Cuts trains into pieces, keeps account of what was sampled, and compares identities. */
#include "chip/trains.h"

#include "base/memory.h"
#include "chip/executor.h"

void trains_append(struct trains *trains, const struct train *train)
{
    trains->at = base_grow(trains->at, &trains->capacity, trains->count + 1, sizeof *trains->at);
    trains->at[trains->count++] = *train;
}

void trains_release(struct trains *trains)
{
    for (size_t n = 0; n < trains->count; n++)
        base_free(trains->at[n].word);
    base_free(trains->at);
    *trains = (struct trains){0};
}

/* Of a line of repeats along level 0. */
static int32_t pieces_of_line(const struct train *t)
{
    return (t->phases.count[0] + ORDER_RUN_REPEATS - 1) / ORDER_RUN_REPEATS;
}

int32_t train_pieces(const struct train *t)
{
    return pieces_of_line(t) * t->phases.count[1];
}

static bool is_piece(const struct train *t)
{
    return t->phases.count[1] == 1 && t->phases.count[0] <= ORDER_RUN_REPEATS;
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

const struct train *train_piece(const struct train *t, int32_t piece, struct train *room)
{
    if (is_piece(t))
        return t;
    int32_t per_line = pieces_of_line(t), outer = per_line == 1 ? piece : piece / per_line;
    int32_t first = (piece - outer * per_line) * ORDER_RUN_REPEATS;
    *room = *t;
    room->phases.start += (int64_t)first * t->phases.step[0] + (int64_t)outer * t->phases.step[1];
    room->phases.count[0] = least(t->phases.count[0] - first, ORDER_RUN_REPEATS);
    room->phases.count[1] = 1;
    room->last = train_phase(room, room->phases.count[0] - 1);
    room->index =
        (int32_t)(t->index + (int64_t)first * t->stride[0] + (int64_t)outer * t->stride[1]);
    return room;
}

struct train_range train_pieces_between(const struct train *t, int64_t first, int64_t last)
{
    int32_t lines = t->phases.count[1], per_line = pieces_of_line(t);
    if (lines == 1)
        return (struct train_range){0, per_line};
    int64_t line = (int64_t)(t->phases.count[0] - 1) * t->phases.step[0];
    int64_t before = first - t->phases.start - line, to = last - t->phases.start;
    int64_t from = before > 0 ? before / t->phases.step[1] : 0;
    to = to < 0 ? 0 : to / t->phases.step[1] + 1;
    return (struct train_range){from < lines ? (int32_t)from * per_line : lines * per_line,
                                to < lines ? (int32_t)to * per_line : lines * per_line};
}

uint64_t train_members(int32_t first, int32_t step, int32_t count)
{
    if (step == 1)
        return (count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1) << first;
    uint64_t mask = 0;
    for (int32_t k = 0; k < count; k++)
        mask |= UINT64_C(1) << (first + k * step);
    return mask;
}

/* A word for each piece. */
static uint64_t *words_of(struct train *t)
{
    if (is_piece(t))
        return &t->bits;
    if (!t->word)
        t->word = base_alloc((size_t)train_pieces(t), sizeof *t->word);
    return t->word;
}

uint64_t train_sampled(const struct train *t, int32_t piece)
{
    if (t->whole)
        return ~UINT64_C(0);
    return t->word ? t->word[piece] : t->bits;
}

void train_sample(struct train *t, int32_t piece, uint64_t members)
{
    if (!t->whole)
        words_of(t)[piece] |= members;
}

/* Members [from, to) of a line, whose pieces have these words. */
static void sample_line(uint64_t *word, int32_t from, int32_t to)
{
    for (int32_t k = from, end; k < to; k = end) {
        int32_t piece = k / ORDER_RUN_REPEATS;
        end = least((piece + 1) * ORDER_RUN_REPEATS, to);
        word[piece] |= train_members(k % ORDER_RUN_REPEATS, 1, end - k);
    }
}

void train_sample_meeting(struct train *driven, const struct grid_meeting *m)
{
    const int32_t *has = driven->phases.count;
    int32_t count[2] = {m->count[m->crossed ? 1 : 0], m->count[m->crossed ? 0 : 1]};
    if (driven->whole || (count[0] == has[0] && count[1] == has[1])) {
        driven->whole = true;
        return;
    }
    uint64_t *word = words_of(driven);
    for (int32_t o = m->b[1]; o < m->b[1] + count[1]; o++)
        sample_line(word + o * pieces_of_line(driven), m->b[0], m->b[0] + count[0]);
}

/* Whether a driven vector `have` is what a sample of vector `want` expects. */
static bool carries(const struct train *sampled, int64_t want, const struct train *driven,
                    int64_t have)
{
    if (sampled->tensor < 0 || driven->tensor < 0)
        return sampled->index == driven->index && sampled->of == driven->of;
    if (driven->tensor == 0)
        return sampled->tensor == 0 || want >= sampled->of->program->tensor[sampled->tensor].valid;
    return sampled->of == driven->of && sampled->tensor == driven->tensor &&
           sampled->sub == driven->sub && want == have;
}

bool train_carries(const struct train *sampled, int32_t i, const struct train *driven, int32_t j)
{
    return carries(sampled, sampled->index + (int64_t)i * sampled->stride[0], driven,
                   driven->index + (int64_t)j * driven->stride[0]);
}

/* Indices are linear in the member, so what holds at both ends of a meeting holds throughout. */
bool train_carries_comb(const struct train *sampled, const struct train *driven,
                        struct comb_meeting m)
{
    int32_t last = m.count - 1;
    return train_carries(sampled, m.a, driven, m.b) &&
           train_carries(sampled, m.a + last * m.a_step, driven, m.b + last * m.b_step);
}

static int64_t index_at(const struct train *t, int32_t i, int32_t o)
{
    return t->index + (int64_t)i * t->stride[0] + (int64_t)o * t->stride[1];
}

/* Whether identities of two trains progress alike over a meeting and begin alike. */
static bool runs_alike(const struct train *sampled, const struct train *driven,
                       const struct grid_meeting *m)
{
    int first = m->crossed ? 1 : 0;
    return sampled->tensor == driven->tensor && sampled->of == driven->of &&
           sampled->sub == driven->sub &&
           (m->count[0] == 1 || sampled->stride[0] == driven->stride[first]) &&
           (m->count[1] == 1 || sampled->stride[1] == driven->stride[1 - first]) &&
           index_at(sampled, m->a[0], m->a[1]) == index_at(driven, m->b[0], m->b[1]);
}

/* And what holds at the corners of a rectangle. */
bool train_carries_grid(const struct train *sampled, const struct train *driven,
                        const struct grid_meeting *m)
{
    if (sampled->tensor < 0)
        return sampled->tensor == driven->tensor && carries(sampled, 0, driven, 0);
    if (driven->tensor > 0)
        return runs_alike(sampled, driven, m);
    for (int corner = 0; corner < 4; corner++) {
        int32_t k = corner & 1 ? m->count[0] - 1 : 0, l = corner & 2 ? m->count[1] - 1 : 0;
        if (!carries(sampled, index_at(sampled, m->a[0] + k, m->a[1] + l), driven, 0))
            return false;
    }
    return true;
}
