/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes trace events one a line, and remembers when each lane of each thread is free again. */
#include "app/trace_write.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/memory.h"

/* A lane of a thread; id 0: an empty place of the table. */
struct app_trace_lane {
    int32_t process, thread, number, id;
    int64_t free_ns;
};

static void text_write(FILE *stream, const char *text)
{
    putc('"', stream);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            putc('\\', stream);
        if (c < 0x20)
            fprintf(stream, "\\u%04x", (unsigned)c);
        else
            putc(c, stream);
    }
    putc('"', stream);
}

/* Behind the event before. */
static void event_begin(struct app_trace *trace)
{
    fputs(trace->begun ? ",\n" : "\n", trace->stream);
    trace->begun = true;
}

static void metadata_write(struct app_trace *trace, const char *kind, int32_t process,
                           int32_t thread, const char *name, int32_t order)
{
    event_begin(trace);
    fprintf(trace->stream,
            "{\"ph\":\"M\",\"name\":\"%s_name\",\"pid\":%" PRId32 ",\"tid\":%" PRId32
            ",\"args\":{\"name\":",
            kind, process, thread);
    text_write(trace->stream, name);
    fputs("}}", trace->stream);
    event_begin(trace);
    fprintf(trace->stream,
            "{\"ph\":\"M\",\"name\":\"%s_sort_index\",\"pid\":%" PRId32 ",\"tid\":%" PRId32
            ",\"args\":{\"sort_index\":%" PRId32 "}}",
            kind, process, thread, order);
}

static size_t place_of(const struct app_trace *trace, int32_t process, int32_t thread,
                       int32_t number)
{
    uint64_t key = ((uint64_t)(uint32_t)process << 32) ^ ((uint64_t)(uint32_t)thread << 16) ^
                   (uint64_t)(uint32_t)number;
    size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) % trace->capacity;
    for (const struct app_trace_lane *l = &trace->lane[at];
         l->id && (l->process != process || l->thread != thread || l->number != number);
         l = &trace->lane[at])
        at = (at + 1) % trace->capacity;
    return at;
}

/* Keeps the table at most half full. */
static void lanes_grow(struct app_trace *trace)
{
    struct app_trace_lane *old = trace->lane;
    size_t places = trace->capacity;
    if (2 * trace->lanes < places)
        return;
    trace->capacity = 2 * places;
    trace->lane = base_alloc(trace->capacity, sizeof *trace->lane);
    for (size_t i = 0; i < places; i++)
        if (old[i].id)
            trace->lane[place_of(trace, old[i].process, old[i].thread, old[i].number)] = old[i];
    base_free(old);
}

void app_trace_begin(struct app_trace *trace, FILE *stream, int64_t most)
{
    *trace = (struct app_trace){.stream = stream, .most = most, .capacity = 1024};
    trace->lane = base_alloc(trace->capacity, sizeof *trace->lane);
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", stream);
}

static void lane_announce(struct app_trace *trace, const struct app_trace_place *place,
                          const struct app_trace_lane *lane)
{
    char *name = lane->number
                     ? base_format("%s (%" PRId32 ")", place->thread_name, lane->number + 1)
                     : base_strdup(place->thread_name);
    metadata_write(trace, "process", place->process, lane->id, place->process_name, place->process);
    metadata_write(trace, "thread", place->process, lane->id, name,
                   1000 * place->thread + lane->number);
    base_free(name);
}

static struct app_trace_lane *lane_add(struct app_trace *trace, size_t at,
                                       const struct app_trace_place *place, int32_t number)
{
    trace->lane[at] = (struct app_trace_lane){.process = place->process,
                                              .thread = place->thread,
                                              .number = number,
                                              .id = ++trace->threads,
                                              .free_ns = INT64_MIN};
    trace->lanes++;
    lane_announce(trace, place, &trace->lane[at]);
    lanes_grow(trace);
    return &trace->lane[place_of(trace, place->process, place->thread, number)];
}

/* The first lane that is free from `start_ns` on. */
static struct app_trace_lane *lane_find(struct app_trace *trace,
                                        const struct app_trace_place *place, int64_t start_ns)
{
    for (int32_t number = 0;; number++) {
        size_t at = place_of(trace, place->process, place->thread, number);
        if (!trace->lane[at].id)
            return lane_add(trace, at, place, number);
        if (trace->lane[at].free_ns <= start_ns)
            return &trace->lane[at];
    }
}

static int64_t floor_ns(int64_t ps)
{
    return ps / 1000 - (ps % 1000 < 0);
}

/* Microseconds; `ns` >= 0, as times are that a trace shows. */
static void time_write(FILE *stream, const char *key, int64_t ns)
{
    fprintf(stream, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

static void slice_begin(struct app_trace *trace, int32_t process, int32_t thread, const char *name)
{
    event_begin(trace);
    fprintf(trace->stream,
            "{\"ph\":\"X\",\"pid\":%" PRId32 ",\"tid\":%" PRId32 ",\"name\":", process, thread);
    text_write(trace->stream, name);
}

static void span_write(FILE *stream, int64_t start_ps, int64_t end_ps)
{
    int64_t start_ns = floor_ns(start_ps), end_ns = floor_ns(end_ps);
    time_write(stream, "ts", start_ns);
    time_write(stream, "dur", end_ns - start_ns);
}

struct app_trace_spot app_trace_slice(struct app_trace *trace, const struct app_trace_place *place,
                                      const char *name, const char *category, int64_t start_ps,
                                      int64_t end_ps, const char *details, ...)
{
    if (trace->slices >= trace->most) {
        trace->refused++;
        return (struct app_trace_spot){0};
    }
    struct app_trace_lane *lane = lane_find(trace, place, floor_ns(start_ps));
    lane->free_ns = floor_ns(end_ps);
    slice_begin(trace, place->process, lane->id, name);
    fprintf(trace->stream, ",\"cat\":\"%s\"", category);
    span_write(trace->stream, start_ps, end_ps);
    fputs(",\"args\":{", trace->stream);
    va_list args;
    va_start(args, details);
    vfprintf(trace->stream, details, args);
    va_end(args);
    fputs("}}", trace->stream);
    trace->slices++;
    return (struct app_trace_spot){place->process, lane->id, start_ps, end_ps};
}

void app_trace_within(struct app_trace *trace, const struct app_trace_spot *spot, const char *name,
                      int64_t start_ps, int64_t end_ps)
{
    if (!spot->thread)
        return;
    slice_begin(trace, spot->process, spot->thread, name);
    fputs(",\"cat\":\"part\"", trace->stream);
    span_write(trace->stream, start_ps, end_ps);
    fputs("}", trace->stream);
    trace->slices++;
}

static void arrow_end_write(struct app_trace *trace, const char *phase,
                            const struct app_trace_spot *at)
{
    event_begin(trace);
    fprintf(trace->stream,
            "{\"ph\":%s,\"pid\":%" PRId32 ",\"tid\":%" PRId32
            ",\"name\":\"link\",\"cat\":\"link\",\"id\":%" PRId64,
            phase, at->process, at->thread, trace->arrows);
    time_write(trace->stream, "ts", floor_ns(at->start_ps));
    fputs("}", trace->stream);
}

void app_trace_arrow(struct app_trace *trace, const struct app_trace_spot *from,
                     const struct app_trace_spot *to)
{
    if (!from->thread || !to->thread)
        return;
    trace->arrows++;
    arrow_end_write(trace, "\"s\"", from);
    arrow_end_write(trace, "\"f\",\"bp\":\"e\"", to);
}

void app_trace_end(struct app_trace *trace, const char *const *about)
{
    fputs("\n],\"otherData\":{", trace->stream);
    for (; *about; about += 2) {
        text_write(trace->stream, about[0]);
        putc(':', trace->stream);
        text_write(trace->stream, about[1]);
        if (about[2])
            putc(',', trace->stream);
    }
    fputs("}}\n", trace->stream);
    base_free(trace->lane);
    trace->lane = NULL;
}
