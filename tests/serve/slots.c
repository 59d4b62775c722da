/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring of slots against a long plain array. */
#include "serve/slots.h"

#include "base/random.h"
#include "test.h"

enum { PLACES = 20000, TAKES = 4000, PATTERNS = 24, LONGEST = 200 };

struct draw {
    uint64_t entity, next;
};

static int64_t draw(struct draw *d, int64_t count)
{
    return (int64_t)(base_random_u64(5, BASE_RANDOM_PLAY, d->entity, d->next++) % (uint64_t)count);
}

/* Draws what is closed of a period; at least one place is open. */
static int64_t draw_pattern(struct draw *d, bool closed[LONGEST])
{
    int64_t period = 1 + draw(d, LONGEST), open = draw(d, period);
    for (int64_t n = 0; n < period; n++)
        closed[n] = n != open && draw(d, 3) > 0;
    return period;
}

static int64_t next_plain(const bool *taken, int64_t from)
{
    while (taken[from])
        from++;
    return from;
}

static void follow(uint64_t entity)
{
    static bool taken[2 * PLACES];
    struct draw d = {.entity = entity};
    bool closed[LONGEST];
    int64_t period = draw_pattern(&d, closed), now = 0;
    struct serve_slots *slots = serve_slots_create(closed, period);
    for (int64_t n = 0; n < 2 * PLACES; n++)
        taken[n] = closed[n % period];
    for (int64_t n = 0; n < TAKES && now < PLACES - 1000; n++) {
        int64_t from = now + draw(&d, draw(&d, 10) ? 50 : 900);
        int64_t place = serve_slots_next(slots, from, INT64_MAX), limit = now + draw(&d, 300);
        CU_ASSERT_EQUAL_FATAL(place, next_plain(taken, from));
        CU_ASSERT_EQUAL(serve_slots_next(slots, from, limit), place < limit ? place : limit);
        if (draw(&d, 4)) {
            serve_slots_take(slots, place);
            taken[place] = true;
        }
        now += draw(&d, 20) ? draw(&d, 8) : draw(&d, 3000);
        serve_slots_forget(slots, now);
    }
    serve_slots_release(slots);
}

static void the_next_free_place_is_that_of_a_plain_array(void)
{
    for (uint64_t entity = 0; entity < PATTERNS; entity++)
        follow(entity);
}

static void far_reservations_keep_the_near_ones(void)
{
    const bool open = false;
    struct serve_slots *slots = serve_slots_create(&open, 1);
    serve_slots_take(slots, 3);
    serve_slots_take(slots, 1000000);
    CU_ASSERT_EQUAL(serve_slots_next(slots, 3, INT64_MAX), 4);
    CU_ASSERT_EQUAL(serve_slots_next(slots, 1000000, INT64_MAX), 1000001);
    CU_ASSERT_EQUAL(serve_slots_next(slots, 999999, INT64_MAX), 999999);
    serve_slots_release(slots);
}

TEST_MAIN("slots", TEST(the_next_free_place_is_that_of_a_plain_array),
          TEST(far_reservations_keep_the_near_ones))
