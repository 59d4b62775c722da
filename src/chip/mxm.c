/* SPDX-License-Identifier: BSD-3-Clause */
/* Follows the buffers, arrays and accumulators of the matrix planes through a step. */
#include "chip/mxm.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "chip/executor.h"

void mxm_create(struct chip *chip)
{
    for (int32_t p = 0; p < chip->machine->mxm_planes; p++)
        chip->mxm.plane[p].row = base_alloc((size_t)chip->machine->mxm_accumulator_rows, 1);
}

void mxm_release(struct mxm *mxm)
{
    for (int32_t p = 0; p < MXM_PLANES; p++) {
        base_free(mxm->plane[p].load.at);
        base_free(mxm->plane[p].install.at);
        base_free(mxm->plane[p].compute);
        base_free(mxm->plane[p].row);
    }
    *mxm = (struct mxm){0};
}

/* Whether a step's instruction comes after another one that acts in the same cycle. */
static bool is_behind(const struct executor_step *of, uint32_t instruction,
                      const struct executor_step *other_of, uint32_t other)
{
    return of == other_of ? instruction > other : of->number > other_of->number;
}

static bool happens_after(const struct mxm_event *a, const struct mxm_event *b)
{
    return a->first > b->first ||
           (a->first == b->first && is_behind(a->of, a->instruction, b->of, b->instruction));
}

/* In the order of time; usually it is the last. */
static void insert(struct mxm_events *events, const struct mxm_event *event)
{
    events->at = base_grow(events->at, &events->capacity, events->count + 1, sizeof *events->at);
    size_t n = events->count++;
    for (; n > 0 && happens_after(&events->at[n - 1], event); n--)
        events->at[n] = events->at[n - 1];
    events->at[n] = *event;
}

/* Events of an instruction, `count` and then as many again for each outer repeat, that last
 * `length` cycles; fp16 ones happen in both planes of the hemisphere. */
static void note_events(struct chip *chip, const struct run *run, int32_t count, int64_t length)
{
    const struct program_instruction *i = run->instruction;
    const struct program_operand *o = executor_input(run, 0);
    bool loads = i->opcode == PROGRAM_MXM_LOAD, fp16 = i->flags & PROGRAM_FP16;
    struct mxm_event event = {.of = run->of,
                              .tensor = o->tensor,
                              .sub = o->sub,
                              .fp16 = fp16,
                              .rows = i->flags & PROGRAM_ROWS,
                              .instruction = run->number};
    for (int32_t p = program_mxm_plane(i->queue), last = p + fp16; p <= last; p++) {
        struct mxm_plane *plane = &chip->mxm.plane[p];
        for (int32_t n = 0; n < count * i->count[1]; n++) {
            int32_t outer = count == 1 ? n : n / count, inner = n - outer * count;
            event.first = run->cycle + chip->timing[i->opcode].skew +
                          (int64_t)inner * i->interval[0] + (int64_t)outer * i->interval[1];
            event.last = event.first + length;
            event.index =
                (int32_t)(o->index + (int64_t)inner * o->stride[0] + (int64_t)outer * o->stride[1]);
            insert(loads ? &plane->load : &plane->install, &event);
        }
    }
}

static bool is_issued_after(const struct run *a, const struct run *b)
{
    return a->cycle > b->cycle ||
           (a->cycle == b->cycle && is_behind(a->of, a->number, b->of, b->number));
}

/* In the order of time, too. */
static void note_compute(struct mxm_plane *plane, const struct run *run)
{
    plane->compute = base_grow(plane->compute, &plane->compute_capacity, plane->computes + 1,
                               sizeof *plane->compute);
    size_t n = plane->computes++;
    for (; n > 0 && is_issued_after(&plane->compute[n - 1], run); n--)
        plane->compute[n] = plane->compute[n - 1];
    plane->compute[n] = *run;
}

/* A load is an outer repeat, from its first piece to its last; each repeat of an install is one. */
void mxm_execute(struct chip *chip, const struct run *run)
{
    const struct program_instruction *i = run->instruction;
    struct run part = *run;
    if (i->opcode == PROGRAM_MXM_LOAD)
        note_events(chip, run, 1, (int64_t)(i->count[0] - 1) * i->interval[0]);
    else if (i->opcode == PROGRAM_MXM_INSTALL)
        note_events(chip, run, i->count[0], 0);
    else
        do
            note_compute(&chip->mxm.plane[program_mxm_plane(i->queue)], &part);
        while (order_next(&part));
}

static void event_text(const struct mxm_event *event, char *text)
{
    executor_identity_text(event->of->program, event->tensor, event->sub, event->index, text);
}

static void report_text(struct chip *chip, const struct executor_step *of, uint32_t instruction,
                        int64_t cycle, const char *expected, const char *found)
{
    struct chip_violation *v = executor_report(chip, of, CHIP_RULE_MXM, instruction, cycle);
    snprintf(v->expected, sizeof v->expected, "%s", expected);
    snprintf(v->found, sizeof v->found, "%s", found);
}

static bool is_same(const struct mxm_event *a, const struct mxm_event *b)
{
    return a->of == b->of && a->tensor == b->tensor && a->sub == b->sub && a->index == b->index &&
           a->fp16 == b->fp16;
}

static void check_order(struct chip *chip, const struct mxm_event *in, const struct mxm_event *load)
{
    if (in->rows != load->rows)
        report_text(chip, in->of, in->instruction, in->first, in->rows ? "rows" : "columns",
                    load->rows ? "a load of rows" : "a load of columns");
}

/* Install r against load r, and load r + 1 against install r. */
static void check_install(struct chip *chip, const struct mxm_plane *plane, size_t r)
{
    const struct mxm_event *in = &plane->install.at[r];
    char expected[CHIP_TEXT_BYTES], found[CHIP_TEXT_BYTES];
    if (r >= plane->load.count || plane->load.at[r].last >= in->first) {
        event_text(in, expected);
        bool under_way = r < plane->load.count && plane->load.at[r].first < in->first;
        report_text(chip, in->of, in->instruction, in->first, expected,
                    under_way ? "a load that is not complete" : "no load");
        return;
    }
    if (!is_same(in, &plane->load.at[r])) {
        event_text(in, expected);
        event_text(&plane->load.at[r], found);
        report_text(chip, in->of, in->instruction, in->first, expected, found);
    }
    check_order(chip, in, &plane->load.at[r]);
    if (r + 1 < plane->load.count &&
        plane->load.at[r + 1].first < in->first + chip->machine->mxm_install_cycles) {
        event_text(in, found);
        report_text(chip, plane->load.at[r + 1].of, plane->load.at[r + 1].instruction,
                    plane->load.at[r + 1].first, "an empty buffer", found);
    }
}

/* Installs whose neighbours are known: no load that matters to them is issued at `now` or later. */
static void check_installs(struct chip *chip, struct mxm_plane *plane, int64_t now)
{
    for (; plane->judged < plane->install.count; plane->judged++) {
        if (plane->install.at[plane->judged].first >= now - chip->machine->mxm_install_cycles)
            return;
        check_install(chip, plane, plane->judged);
    }
}

static void check_idle_loads(struct chip *chip, const struct mxm_plane *plane)
{
    for (size_t r = plane->install.count; r < plane->load.count; r++) {
        char found[CHIP_TEXT_BYTES];
        event_text(&plane->load.at[r], found);
        report_text(chip, plane->load.at[r].of, plane->load.at[r].instruction,
                    plane->load.at[r].last, "an install of the load", found);
    }
}

/* Installs of a plane that were issued at or before `cycle`. */
static size_t installs_before(const struct mxm_plane *plane, int64_t cycle)
{
    size_t low = 0, high = plane->install.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (plane->install.at[middle].first <= cycle)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the weights that member k expects are the installed ones, `number` installs having been
 * issued; reports it where not. */
static bool check_weights(struct chip *chip, const struct mxm_plane *plane, const struct run *run,
                          int32_t k, size_t number)
{
    const struct program_operand *o = executor_input(run, 1);
    int64_t cycle = run->cycle + (int64_t)k * run->step;
    struct mxm_event want = {.of = run->of,
                             .tensor = o->tensor,
                             .index = (int32_t)run_value(run, o->index, o->stride, k),
                             .sub = o->sub,
                             .fp16 = run->instruction->flags & PROGRAM_FP16};
    const struct mxm_event *have = number ? &plane->install.at[number - 1] : NULL;
    bool ready = have && have->first + chip->machine->mxm_install_cycles <= cycle;
    if (ready && number <= plane->load.count)
        have = &plane->load.at[number - 1];
    if (ready && is_same(&want, have))
        return true;
    char expected[CHIP_TEXT_BYTES], found[CHIP_TEXT_BYTES] = "nothing installed";
    event_text(&want, expected);
    if (ready)
        event_text(have, found);
    else if (have)
        snprintf(found, sizeof found, "an install under way");
    report_text(chip, run->of, run->number, cycle, expected, found);
    return false;
}

/* One look where a single install serves the whole run, else vector by vector. */
static void check_run_weights(struct chip *chip, const struct mxm_plane *plane,
                              const struct run *run)
{
    const struct program_operand *o = executor_input(run, 1);
    const struct mxm_events *installs = &plane->install;
    size_t number = installs_before(plane, run->cycle);
    int64_t last = run->cycle + (int64_t)(run->count - 1) * run->step;
    bool alike = number == installs->count || installs->at[number].first > last;
    bool fine = check_weights(chip, plane, run, 0, number);
    alike = alike && o->stride[run->level] == 0;
    for (int32_t k = 1; fine && !alike && k < run->count; k++)
        fine = check_weights(chip, plane, run, k,
                             installs_before(plane, run->cycle + (int64_t)k * run->step));
}

/* Tells apart steps that are open together. */
static uint8_t mark_of(const struct executor_step *of)
{
    return (uint8_t)(of->number % UINT8_MAX + 1);
}

/* Opens, adds to or emits the accumulator row of member k. Returns what is wrong, or NULL. */
static const char *touch_row(struct chip *chip, struct mxm_plane *plane, const struct run *run,
                             int32_t k)
{
    const struct program_instruction *i = run->instruction;
    int32_t outer = run_outer(run, k);
    bool every = i->flags & PROGRAM_EVERY;
    bool opens = every || (i->flags & PROGRAM_FIRST && outer == 0);
    bool emits = every || (i->flags & PROGRAM_LAST && outer == i->count[1] - 1);
    int64_t row = run_value(run, i->address, i->stride, k);
    if (row < 0 || row >= chip->machine->mxm_accumulator_rows)
        return "no such accumulator row";
    uint8_t *open = &plane->row[row], mark = mark_of(run->of);
    const char *fault = NULL;
    if (opens && *open)
        fault = "a sum that was never emitted";
    else if (!opens && !*open)
        fault = "a row that was never initialised";
    else if (!opens && *open != mark)
        fault = "a sum of another step";
    *open = emits ? 0 : mark;
    return fault;
}

static void check_accumulators(struct chip *chip, struct mxm_plane *plane, const struct run *run)
{
    for (int32_t k = 0; k < run->count; k++) {
        const char *fault = touch_row(chip, plane, run, k);
        if (!fault)
            continue;
        char expected[CHIP_TEXT_BYTES];
        snprintf(expected, sizeof expected, "accumulator row %lld ready",
                 (long long)run_value(run, run->instruction->address, run->instruction->stride, k));
        report_text(chip, run->of, run->number, run->cycle + (int64_t)k * run->step, expected,
                    fault);
        return;
    }
}

/* Computes in their order, as far as all their repeats are before `now`. */
static size_t check_computes(struct chip *chip, struct mxm_plane *plane, int64_t now)
{
    size_t n = 0;
    for (; n < plane->computes; n++) {
        const struct run *run = &plane->compute[n];
        if (run->cycle + (int64_t)(run->count - 1) * run->step >= now)
            break;
        check_run_weights(chip, plane, run);
        check_accumulators(chip, plane, run);
        plane->last = *run;
    }
    return n;
}

static void forget_first(struct mxm_events *events, size_t count)
{
    events->count -= count;
    memmove(events->at, events->at + count, events->count * sizeof *events->at);
}

/* Keeps the install that serves a compute of `cycle` and all after it, with their loads. */
static void forget_installs(struct mxm_plane *plane, int64_t cycle)
{
    size_t served = installs_before(plane, cycle), most = plane->judged;
    size_t count = served > 0 ? served - 1 : 0;
    count = count < most ? count : most;
    count = count < plane->load.count ? count : plane->load.count;
    if (count == 0)
        return;
    forget_first(&plane->install, count);
    forget_first(&plane->load, count);
    plane->judged -= count;
}

static void settle_plane(struct chip *chip, struct mxm_plane *plane, int64_t now)
{
    check_installs(chip, plane, now);
    size_t done = check_computes(chip, plane, now);
    plane->computes -= done;
    if (done > 0)
        memmove(plane->compute, plane->compute + done, plane->computes * sizeof *plane->compute);
    if (now == INT64_MAX) {
        check_idle_loads(chip, plane);
        plane->load.count = plane->install.count = plane->judged = 0;
    } else
        forget_installs(plane, plane->computes && plane->compute[0].cycle < now
                                   ? plane->compute[0].cycle
                                   : now);
}

void mxm_settle(struct chip *chip, int64_t now)
{
    for (int32_t p = 0; p < chip->machine->mxm_planes; p++)
        settle_plane(chip, &chip->mxm.plane[p], now);
}

/* Sums still open at the end of a step were computed for nobody. */
static void check_open_rows(struct chip *chip, const struct executor_step *of,
                            struct mxm_plane *plane)
{
    int32_t rows = chip->machine->mxm_accumulator_rows;
    const uint8_t *open = memchr(plane->row, mark_of(of), (size_t)rows);
    if (!open)
        return;
    const struct run *last = &plane->last;
    char found[CHIP_TEXT_BYTES];
    snprintf(found, sizeof found, "accumulator row %d is never emitted", (int)(open - plane->row));
    report_text(chip, last->of, last->number, last->cycle + (int64_t)(last->count - 1) * last->step,
                "every sum emitted", found);
    for (int32_t r = 0; r < rows; r++)
        plane->row[r] = plane->row[r] == mark_of(of) ? 0 : plane->row[r];
}

void mxm_close(struct chip *chip, const struct executor_step *of)
{
    for (int32_t p = 0; p < chip->machine->mxm_planes; p++)
        check_open_rows(chip, of, &chip->mxm.plane[p]);
}
