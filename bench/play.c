/* SPDX-License-Identifier: BSD-3-Clause */
/* Plays all chips of a rack in turn, each as far as it gets. */
#include "play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"

enum { PRINTED = 3 };

static void stop_with(const struct base_report *report)
{
    base_report_print(report, stderr);
    exit(EXIT_FAILURE);
}

static void open_chips(struct play *play, int32_t chips)
{
    play->chips = chips;
    play->program = base_alloc((size_t)chips, sizeof *play->program);
    play->chip = base_alloc((size_t)chips, sizeof(struct chip *));
}

static void wire(struct play *play, const struct lpu_chip *machine, const struct lpu_rack *rack)
{
    struct base_report report = {0};
    *play = (struct play){.machine = machine};
    if (!lpu_topology_build(&play->topology, rack, machine, &report))
        stop_with(&report);
}

void play_open(struct play *play, const struct lpu_chip *machine, int32_t nodes, int32_t per_node,
               int32_t chips)
{
    wire(play, machine, &(struct lpu_rack){.nodes = nodes, .chips_per_node = per_node});
    open_chips(play, chips);
}

void play_open_rack(struct play *play, const struct lpu_chip *machine, const struct lpu_rack *rack)
{
    wire(play, machine, rack);
    open_chips(play, play->topology.chips);
}

void play_start(struct play *play, bool values)
{
    struct base_report report = {0};
    for (int32_t c = 0; c < play->chips; c++) {
        if (!play->program[c].instructions)
            continue;
        if (!program_is_valid(play->machine, &play->program[c], &report))
            stop_with(&report);
        play->chip[c] = chip_create(play->machine, &play->topology, c);
        chip_load(play->chip[c], &play->program[c]);
        if (values)
            chip_compute_values(play->chip[c], CHIP_INT8);
    }
}

static bool hand_on_vectors(struct play *play, int32_t c)
{
    struct chip_vectors vectors;
    bool sent = false;
    for (int32_t link = 0; link < CHIP_LINKS; link++)
        while (chip_take_vectors(play->chip[c], link, &vectors)) {
            if (vectors.to_chip >= play->chips)
                continue;
            chip_deliver_vectors(play->chip[vectors.to_chip], &vectors);
            sent = true;
        }
    return sent;
}

/* Whether the chip sent or ended. */
static bool advance(struct play *play, int32_t c, bool *done)
{
    size_t count;
    if (*done || !play->chip[c])
        return false;
    *done = chip_run(play->chip[c], INT64_MAX) == CHIP_DONE;
    const struct chip_message *m = chip_outbox(play->chip[c], &count);
    for (size_t n = 0; n < count; n++)
        if (m[n].to_chip < play->chips && play->chip[m[n].to_chip])
            chip_deliver(play->chip[m[n].to_chip], &m[n]);
    bool sent = hand_on_vectors(play, c);
    chip_outbox_clear(play->chip[c]);
    return *done || count > 0 || sent;
}

static void run_all(struct play *play)
{
    bool *done = base_alloc((size_t)play->chips, sizeof *done);
    for (int32_t left = play->chips; left > 0;) {
        bool moved = false;
        left = 0;
        for (int32_t c = 0; c < play->chips; c++) {
            moved = advance(play, c, &done[c]) || moved;
            left += play->chip[c] && !done[c];
        }
        for (int32_t c = 0; c < play->chips && !moved && left; c++)
            if (play->chip[c] && !done[c])
                chip_give_up(play->chip[c]);
    }
    base_free(done);
}

static void print_violations(const struct chip *chip)
{
    size_t kept;
    int64_t total;
    const struct chip_violation *v = chip_violations(chip, &kept, &total);
    for (size_t n = 0; n < kept && n < PRINTED; n++) {
        char *text = chip_violation_text(&v[n]);
        fprintf(stderr, "  %s\n", text);
        base_free(text);
    }
}

enum { MOST_LAYERS = 512 };

/* Run-time values of a step: tokens 0 and, of a mixture, the first experts of every layer. */
struct choices {
    int32_t *token, *expert;
    struct program_runtime runtime;
};

/* Tokens and choices are as many on all chips that have a program. */
static struct choices choose(const struct play *play)
{
    int32_t rows = 1, slots = 0, experts = 1;
    for (int32_t c = 0; c < play->chips; c++) {
        const struct program *p = &play->program[c];
        rows = p->rows > rows ? p->rows : rows;
        slots = p->expert_slots > slots ? p->expert_slots : slots;
        experts = p->experts > experts ? p->experts : experts;
    }
    struct choices c = {.token = base_alloc((size_t)rows, sizeof *c.token),
                        .expert = base_alloc((size_t)(MOST_LAYERS * slots), sizeof *c.expert)};
    for (int32_t n = 0; n < MOST_LAYERS * slots; n++)
        c.expert[n] = n % slots % experts;
    c.runtime = (struct program_runtime){.token = c.token,
                                         .tokens = rows,
                                         .expert = c.expert,
                                         .expert_layers = slots ? MOST_LAYERS : 0};
    return c;
}

struct play_result play_step(struct play *play)
{
    struct base_report report = {0};
    struct play_result r = {0};
    struct choices choices = choose(play);
    for (int32_t c = 0; c < play->chips; c++)
        if (play->chip[c] &&
            !chip_begin(play->chip[c], &play->program[c], &choices.runtime, 0, &report))
            stop_with(&report);
    run_all(play);
    for (int32_t c = 0; c < play->chips; c++) {
        if (!play->chip[c])
            continue;
        struct chip_statistics s = chip_finish(play->chip[c]);
        if (s.violations && !r.violations)
            print_violations(play->chip[c]);
        r.length_cycles =
            s.executed_length_cycles > r.length_cycles ? s.executed_length_cycles : r.length_cycles;
        r.instructions += s.instructions;
        r.vectors += s.vectors;
        r.violations += s.violations;
    }
    base_free(choices.token);
    base_free(choices.expert);
    return r;
}

void play_close(struct play *play)
{
    for (int32_t c = 0; c < play->chips; c++) {
        chip_destroy(play->chip[c]);
        program_release(&play->program[c]);
    }
    base_free(play->chip);
    base_free(play->program);
    lpu_topology_release(&play->topology);
}

int32_t play_tensor(const struct play *play, int32_t chip, const char *name)
{
    const struct program *p = &play->program[chip];
    for (size_t n = 0; n < p->tensors; n++)
        if (strcmp(p->tensor[n].name, name) == 0)
            return (int32_t)n;
    return -1;
}

struct lpu_chip play_machine(const char *file)
{
    struct scenario scenario;
    struct base_report report = {0};
    if (!config_scenario_read(file, NULL, 0, &scenario, &report))
        stop_with(&report);
    struct lpu_chip machine = scenario.lpu_chip;
    config_scenario_release(&scenario);
    return machine;
}
