/* SPDX-License-Identifier: BSD-3-Clause */
/* The timetable that the static machine repeats for ever: slots in which decode steps begin, and a
 * window for a train of prefill passes. */
#ifndef SERVE_FRAME_H
#define SERVE_FRAME_H

#include "serve/machine.h"

/* Slot s begins at cycle s * slot_cycles; in frame f, from slot f * slots on, pass n of the window
 * begins `first_cycles` + n * `apart_cycles` after the frame. Closed slots are those in which a
 * decode step could not begin beside the whole train, whether its passes are taken or not; with
 * several lanes also those in which one would still be open when a pass begins. */
struct serve_frame {
    int64_t slot_cycles;
    int32_t slots;  /* of a frame; 1 where there are no windows */
    int32_t passes; /* of a window; 0: none */
    int64_t first_cycles, apart_cycles;
    int32_t closed_slots;
    bool *closed; /* [slots]; serve_frame_release */
};

/* What a window costs: the slots that a train of passes closes, wherever the frame's end is. */
int32_t serve_frame_window(const struct serve_machine *machine, int64_t slot_cycles,
                           int32_t passes);

/* A frame with `open` > 0 open slots behind its window, or a few more, that two windows bear with
 * each other. `slot_cycles` is an interval of serve_machine_train; `passes` 0: no window. */
struct serve_frame serve_frame_build(const struct serve_machine *machine, int64_t slot_cycles,
                                     int32_t passes, int32_t open);
void serve_frame_release(struct serve_frame *frame);

int64_t serve_frame_cycles(const struct serve_frame *frame);

/* When pass number `pass` begins, counted from the first window on, and the first that begins at
 * `cycle` or later. */
int64_t serve_frame_pass_cycle(const struct serve_frame *frame, int64_t pass);
int64_t serve_frame_pass_from(const struct serve_frame *frame, int64_t cycle);

/* The first slot that begins at `cycle` or later. */
int64_t serve_frame_slot_from(const struct serve_frame *frame, int64_t cycle);

#endif
