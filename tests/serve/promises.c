/* SPDX-License-Identifier: BSD-3-Clause */
/* Drawn machines under drawn traces: every start is played by an executor that knows nothing of the
 * planner, which finds that each request finishes at the picosecond that was promised; and finds
 * what was broken where a plan is changed. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "drawn.h"
#include "serve/frame_choice.h"
#include "starts.h"
#include "test.h"

enum { MACHINES = 60, CHANGED_MACHINES = 20, REQUESTS = 150, CHANGES = 60 };

/* A run with all that belongs to it. */
struct run {
    struct drawn drawn;
    struct serve_spec spec;
    struct serve_frame frame;
    struct serve_request *request;
    struct serve_outcome *outcome;
    struct starts starts;
    struct serve_usage usage;
};

static struct serve_spec draw_spec(struct drawn *d)
{
    return (struct serve_spec){.policy = (enum serve_policy)drawn_below(d, 3),
                               .refuse_late = drawn_below(d, 2) != 0,
                               .ttft_limit_ps = INT64_C(1000) * (2000 + drawn_below(d, 60000)),
                               .tpot_limit_ps = INT64_C(1000) * (300 + drawn_below(d, 2000)),
                               .prefill_share =
                                   drawn_below(d, 3) ? 0.2 + 0.1 * drawn_below(d, 5) : 0,
                               .tenant_tokens_per_s = 200.0 * (1 + drawn_below(d, 10)),
                               .lpu_replicas = 1 + drawn_below(d, 3),
                               .router = (enum serve_router)drawn_below(d, 2)};
}

static void serve(struct run *r, size_t count)
{
    struct serve_door door = {.machine = &r->drawn.machine,
                              .frame = &r->frame,
                              .spec = &r->spec,
                              .note = starts_note,
                              .context = &r->starts};
    r->starts.count = 0;
    r->usage = serve_carousel_run(&door, r->request, count, r->outcome);
}

static void begin(struct run *r, uint64_t entity)
{
    struct serve_capacity capacity;
    memset(r, 0, sizeof *r);
    drawn_machine(&r->drawn, entity);
    r->spec = draw_spec(&r->drawn);
    r->request = drawn_requests(&r->drawn, REQUESTS, INT64_C(1000) * (100 + 200 * (int64_t)entity));
    r->outcome = base_alloc(REQUESTS, sizeof *r->outcome);
    r->frame = serve_frame_choose(&r->drawn.machine, &r->spec, r->request, REQUESTS, &capacity);
    serve(r, REQUESTS);
}

static void end(struct run *r)
{
    serve_frame_release(&r->frame);
    base_free(r->request);
    base_free(r->outcome);
    base_free(r->starts.start);
}

static struct serve_rehearsal rehearse(struct run *r)
{
    return starts_rehearse(&r->starts, &r->drawn.machine, r->request, REQUESTS, r->outcome,
                           r->spec.lpu_replicas);
}

/* What is played while the run goes on, and forgotten, comes to the same as all at the end. */
static struct serve_rehearsal rehearse_along(struct run *r)
{
    struct serve_rehearsing *along = serve_rehearsal_open(&r->drawn.machine, r->request, REQUESTS,
                                                          r->outcome, r->spec.lpu_replicas);
    struct serve_door door = {.machine = &r->drawn.machine,
                              .frame = &r->frame,
                              .spec = &r->spec,
                              .note = serve_rehearsal_note,
                              .context = along};
    serve_carousel_run(&door, r->request, REQUESTS, r->outcome);
    return serve_rehearsal_close(along);
}

static void print(uint64_t entity, const struct serve_rehearsal *f)
{
    fprintf(
        stderr,
        "machine %d: %lld starts, %lld too near, %lld out of order, %lld too small, %lld taken, "
        "%lld unkept\n",
        (int)entity, (long long)f->starts, (long long)f->too_near, (long long)f->out_of_order,
        (long long)f->too_small, (long long)f->taken, (long long)f->unkept);
}

static void every_request_finishes_as_promised(void)
{
    int64_t fates[SERVE_FATES] = {0}, pairs = 0;
    for (uint64_t entity = 0; entity < MACHINES; entity++) {
        struct run r;
        begin(&r, entity);
        struct serve_rehearsal found = rehearse(&r);
        if (!serve_rehearsal_is_clean(&found))
            print(entity, &found);
        CU_ASSERT_TRUE(serve_rehearsal_is_clean(&found));
        struct serve_rehearsal along = rehearse_along(&r);
        CU_ASSERT_TRUE(serve_rehearsal_is_clean(&along));
        CU_ASSERT_EQUAL(along.starts, found.starts);
        CU_ASSERT_EQUAL(along.pairs, found.pairs);
        CU_ASSERT_EQUAL(r.usage.decode_steps + r.usage.passes_taken, found.starts);
        pairs += found.pairs;
        for (size_t n = 0; n < REQUESTS; n++)
            fates[r.outcome[n].fate]++;
        end(&r);
    }
    fprintf(stderr, "%lld pairs under way together; fates", (long long)pairs);
    for (int fate = 0; fate < SERVE_FATES; fate++)
        fprintf(stderr, " %lld", (long long)fates[fate]);
    fprintf(stderr, "\n");
    CU_ASSERT_EQUAL(fates[SERVE_WAITING], 0);
    for (int fate = SERVE_FINISHED; fate < SERVE_FATES; fate++)
        CU_ASSERT_TRUE(fates[fate] > 0);
}

static bool is_same(const struct serve_outcome *a, const struct serve_outcome *b)
{
    return a->fate == b->fate && a->replica == b->replica && a->admitted_ps == b->admitted_ps &&
           a->first_token_ps == b->first_token_ps && a->finished_ps == b->finished_ps &&
           a->promised_ps == b->promised_ps && a->longest_gap_ps == b->longest_gap_ps;
}

/* First come, first served: what is known on arrival stays. */
static void later_requests_change_nothing(void)
{
    for (uint64_t entity = 0; entity < CHANGED_MACHINES; entity++) {
        struct run r;
        begin(&r, entity);
        r.spec.policy = SERVE_FIRST_COME;
        serve(&r, REQUESTS);
        struct serve_outcome *all = r.outcome;
        r.outcome = base_alloc(REQUESTS, sizeof *r.outcome);
        serve(&r, REQUESTS / 2);
        for (size_t n = 0; n < REQUESTS / 2; n++)
            CU_ASSERT_TRUE(is_same(&all[n], &r.outcome[n]));
        base_free(all);
        end(&r);
    }
}

static int64_t faults(const struct serve_rehearsal *f)
{
    return f->too_near + f->out_of_order + f->too_small + f->taken + f->unkept;
}

/* A start is moved, dropped, or given to another bucket, lane or request. */
static const char *change(struct drawn *d, struct starts *starts)
{
    struct serve_start *s = &starts->start[drawn_below(d, (int32_t)starts->count)];
    switch (drawn_below(d, 5)) {
    case 0:
        s->cycle += 1 + drawn_below(d, 100);
        return "late";
    case 1:
        s->cycle -= 1 + drawn_below(d, 100);
        return "early";
    case 2:
        *s = starts->start[--starts->count];
        return "dropped";
    case 3:
        s->kind = s->kind == SERVE_PASS ? 0 : SERVE_PASS;
        return "another kind";
    default:
        s->seat = 99;
        return "no seat";
    }
}

/* A step may be moved to where nothing stands in its way, so not each move breaks something. */
static void a_changed_plan_is_found_out(void)
{
    int32_t changed = 0, found = 0;
    for (uint64_t entity = 0; entity < CHANGED_MACHINES; entity++) {
        struct run r;
        begin(&r, entity);
        for (int n = 0; n < CHANGES && r.starts.count > 0; n++) {
            const char *how = change(&r.drawn, &r.starts);
            struct serve_rehearsal broken = rehearse(&r);
            changed++;
            found += faults(&broken) > 0;
            if (faults(&broken) == 0 && strcmp(how, "late") != 0 && strcmp(how, "early") != 0)
                CU_FAIL("a change of kind, seat or number was not found");
            serve(&r, REQUESTS);
        }
        end(&r);
    }
    fprintf(stderr, "%d of %d changes found\n", found, changed);
    CU_ASSERT_TRUE(found * 100 > changed * 80);
}

TEST_MAIN("promises", TEST(every_request_finishes_as_promised), TEST(later_requests_change_nothing),
          TEST(a_changed_plan_is_found_out))
