/* SPDX-License-Identifier: BSD-3-Clause */
/* A new schedule goes out to the racks of a fleet while requests come: some get it first, gates are
 * watched, and it is promoted or rolled back without anybody's help. */
#ifndef SERVE_ROLLOUT_H
#define SERVE_ROLLOUT_H

#include "serve/carousel.h"
#include "serve/gates.h"
#include "serve/rehearsal.h"

/* A schedule as racks run it. */
struct serve_deployed {
    const struct serve_machine *machine;
    const struct serve_frame *frame;
    int64_t load_ps;             /* to bring it onto an empty rack */
    int64_t broken[SERVE_KINDS]; /* violations of the contract by a step of each kind */
};

/* What is played; all of it outlives the run. */
struct serve_rollout {
    struct serve_deployed version[SERVE_VERSIONS];
    const struct serve_spec *spec; /* at least two racks */
    uint64_t seed;
    struct base_progress *progress; /* NULL: none */
};

enum serve_event_kind {
    SERVE_EVENT_START,     /* a decision: the first rack is emptied for the canary */
    SERVE_EVENT_EMPTIED,   /* a rack, so that loading may begin */
    SERVE_EVENT_LOADED,    /* a rack, which serves from now on */
    SERVE_EVENT_GO_ON,     /* a decision: the window was clean */
    SERVE_EVENT_PROMOTE,   /* a decision */
    SERVE_EVENT_ROLL_BACK, /* a decision */
    SERVE_EVENT_DONE,      /* all racks run one schedule again */
    SERVE_EVENT_KEEP,      /* a decision: the watch behind a promotion was clean, too */
    SERVE_EVENT_END,       /* the requests are over, and nothing is decided */
    SERVE_EVENTS
};

/* Requests beside the same ones without the rollout. */
struct serve_cost {
    int64_t delayed, delay_ps; /* finished later than they would have been promised; by so much,
                                  together */
    int64_t sooner;            /* finished earlier */
    int64_t failed;            /* were in service when the contract was broken, and served again */
    int64_t refused;           /* that would not have been */
};

struct serve_event {
    int64_t at_ps;
    enum serve_event_kind kind;
    enum serve_gate gate;                     /* that is broken */
    enum serve_version version;               /* EMPTIED, LOADED: what the rack ran, or runs */
    int32_t rack;                             /* -1: it is about all */
    int32_t serving[SERVE_VERSIONS];          /* racks, afterwards */
    struct serve_sight sight[SERVE_VERSIONS]; /* since the window began */
    int64_t violations;                       /* of the step that broke the contract */
    struct serve_cost cost;                   /* of decisions: see serve_rollout_charge */
};

/* A rack with one schedule, from when it serves to when it is empty; INT64_MAX: to the end. */
struct serve_stint {
    int32_t rack;
    enum serve_version version;
    int64_t from_ps, to_ps;
};

/* What a request went through, beside its outcome. */
struct serve_course {
    int64_t first_ps; /* when it was let in, or refused, for the first time */
    int32_t failures; /* times it was in service in vain */
    int32_t stint;    /* in which it was served; -1: in none */
};

enum serve_rollout_end { SERVE_UNDECIDED, SERVE_PROMOTED, SERVE_ROLLED_BACK };

struct serve_played {
    struct serve_event *event; /* in the order of time */
    size_t events, event_capacity;
    struct serve_stint *stint;
    size_t stints, stint_capacity;
    struct serve_course *course; /* [requests] */
    struct serve_start *start;   /* of service that was not in vain; their replica is the stint */
    size_t starts, start_capacity;
    enum serve_rollout_end end;
};

/* Serves requests, sorted by arrival, and fills outcome[count]. Release with serve_played_release.
 */
struct serve_played serve_rollout_run(const struct serve_rollout *rollout,
                                      const struct serve_request *request, size_t count,
                                      struct serve_outcome *outcome);
void serve_played_release(struct serve_played *played);

/* Compares with the same requests served without the rollout. Each one that fared otherwise is
 * charged to the last decision before their ways parted: before either let it in or refused it. */
void serve_rollout_charge(struct serve_played *played, const struct serve_request *request,
                          size_t count, const struct serve_outcome *outcome,
                          const struct serve_outcome *without);

/* Plays the starts of all stints again (serve_rehearse), and holds them against the times at which
 * racks were emptied and loaded: out_of_order counts those, too. */
struct serve_rehearsal serve_rollout_rehearse(const struct serve_rollout *rollout,
                                              const struct serve_played *played,
                                              const struct serve_request *request, size_t count,
                                              const struct serve_outcome *outcome);

bool serve_event_is_decision(enum serve_event_kind kind);

#endif
