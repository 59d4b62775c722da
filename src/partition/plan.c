/* SPDX-License-Identifier: BSD-3-Clause */
/* Chooses a split by compiled step length, and fixes the timeline of stages and transfers. */
#include "partition/partition.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "partition/columns.h"
#include "partition/plan_room.h"
#include "partition/transfer.h"

enum { LEAST_PREFILL_ROWS = 16 };

static void release_timeline(struct plan *p)
{
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++) {
        for (int32_t s = 0; p->transfer[phase] && s < p->stages; s++)
            transfer_release(&p->transfer[phase][s]);
        base_free(p->transfer[phase]);
        p->transfer[phase] = NULL;
    }
}

static void release_split(struct plan *p)
{
    release_timeline(p);
    base_free(p->stage);
    p->stage = NULL;
    p->stages = 0;
    templates_release(&p->templates);
}

void plan_release(struct plan *plan)
{
    if (!plan)
        return;
    release_split(plan);
    interval_release(plan->interval);
    base_free(plan->candidate);
    base_free(plan);
}

static int32_t chips_of(const struct partition_input *in)
{
    return in->rack->chips_used ? in->rack->chips_used : in->topology->chips;
}

/* Prompt positions that prefill writes: all but the last token's, in whole chunks. */
static int32_t prefill_extent(const struct partition_input *in)
{
    int32_t chunk = in->bucket->prefill_chunk, rows = in->workload->prompt_tokens - 1;
    int32_t extent = rows > 0 ? shape_ceil_div(rows, chunk) * chunk : chunk;
    return extent < in->bucket->max_sequence ? extent : in->bucket->max_sequence;
}

/* Each seat has caches for the sequences of a batch. */
static bool derive_shapes(struct plan *p, int32_t group, int32_t rows, char *why)
{
    const struct partition_input *in = &p->input;
    const struct bucket *bucket = in->bucket;
    struct templates *t = &p->templates;
    bool derived =
        shape_derive_decode(&t->shape[PARTITION_DECODE], in->chip, in->model, bucket, group, why) &&
        shape_derive(&t->shape[PARTITION_PREFILL], in->chip, in->model, bucket, group, 1, rows,
                     prefill_extent(in), why);
    for (int32_t r = 0; derived && r < bucket->rungs; r++)
        derived = shape_derive(&t->shape[PARTITION_RUNG + r], in->chip, in->model, bucket, group,
                               bucket->batch, 1, bucket->rung[r], why);
    for (enum partition_phase phase = 0; derived && phase < PARTITION_PHASES; phase++) {
        t->shape[phase].caches = bucket->batch * p->seats;
        if (template_has_phase(t, phase))
            shape_cut(&t->shape[phase], p->columns);
    }
    return derived;
}

struct stages_unit plan_unit(const struct plan *p, const struct partition_stage *stage,
                             int32_t block)
{
    return stages_unit(&p->templates, block, stage->first_block + stage->blocks, stage->order);
}

/* What the first unit of a stage reads. */
static enum transfer_what needs_of(const struct plan *p, const struct partition_stage *stage)
{
    switch (plan_unit(p, stage, stage->first_block).kind) {
    case PARTITION_MLP:
    case PARTITION_MLP_FIRST:
        return TRANSFER_AFTER_ATTENTION;
    case PARTITION_MLP_SECOND:
        return TRANSFER_INSIDE_MLP;
    default:
        return TRANSFER_AFTER_MLP;
    }
}

/* Whether steps of several sequences may be under way. */
static bool shares_pipeline(const struct plan *p)
{
    return p->input.seats != 0 && p->input.seats != 1;
}

static struct stages_unit last_unit(const struct plan *p, const struct partition_stage *stage)
{
    struct stages_unit u = plan_unit(p, stage, stage->first_block);
    while (u.next < stage->first_block + stage->blocks)
        u = plan_unit(p, stage, u.next);
    return u;
}

static bool build_transfer(struct plan *p, enum partition_phase phase, int32_t s)
{
    bool last = s + 1 == p->stages;
    const struct partition_stage *to = &p->stage[last ? 0 : s + 1];
    struct transfer_request r = {.phase = phase,
                                 .from_first = p->stage[s].first_chip,
                                 .to_first = to->first_chip,
                                 .from = last_unit(p, &p->stage[s]),
                                 .what = last ? TRANSFER_TOKEN : needs_of(p, to),
                                 .straight = shares_pipeline(p)};
    if (last && (phase == PARTITION_PREFILL || s == 0))
        return true;
    return transfer_build(&p->transfer[phase][s], &p->templates, p->input.topology, &r);
}

static int64_t stage_cycles(const struct plan *p, enum partition_phase phase,
                            const struct partition_stage *stage)
{
    int64_t cycles = 0;
    for (int32_t n = stage->first_block; n < stage->first_block + stage->blocks;) {
        struct stages_unit u = plan_unit(p, stage, n);
        cycles += stages_unit_length(&p->templates, phase, u);
        n = u.next;
    }
    return cycles;
}

/* Stages one after the other, each followed by its transfer. What follows a block or a transfer
 * starts late enough to read the last row that it wrote. */
static bool lay_timeline(struct plan *p, enum partition_phase phase)
{
    const int32_t settle = p->input.chip->mem_write_skew_cycles;
    int64_t cycle = p->input.chip->sync_cycles;
    p->transfer[phase] = base_alloc((size_t)p->stages, sizeof *p->transfer[phase]);
    for (int32_t s = 0; s < p->stages; s++) {
        struct partition_stage *stage = &p->stage[s];
        stage->start_cycle[phase] = cycle;
        cycle += stage_cycles(p, phase, stage);
        stage->end_cycle[phase] = cycle;
        if (!build_transfer(p, phase, s))
            return false;
        if (p->transfer[phase][s].parts)
            cycle += p->transfer[phase][s].length + settle;
    }
    p->length[phase] = cycle - settle;
    return true;
}

const struct block *plan_block(const struct plan *p, enum partition_phase phase, int32_t rank,
                               struct stages_unit u)
{
    return &p->templates.rank[rank].block[template_phase(phase, u.kind)][u.kind][u.variant];
}

static int64_t vectors_of(const struct block *b, enum program_tensor_kind kind)
{
    int64_t vectors = 0;
    for (size_t k = 0; k < b->code.tensors; k++)
        if (b->code.tensor[k].kind == kind && b->meta[k].persistent)
            vectors += (int64_t)b->code.tensor[k].subs * b->code.tensor[k].count;
    return vectors;
}

/* Bytes that tensors of `kind` take in the blocks of a stage, on its first chip. */
static int64_t stage_bytes(const struct plan *p, const struct partition_stage *stage,
                           enum program_tensor_kind kind)
{
    int64_t vectors = 0;
    for (int32_t n = stage->first_block; n < stage->first_block + stage->blocks;) {
        struct stages_unit u = plan_unit(p, stage, n);
        vectors += vectors_of(plan_block(p, PARTITION_DECODE, 0, u), kind);
        n = u.next;
    }
    return vectors * p->input.chip->lanes;
}

static int32_t layers_of(const struct plan *p, const struct partition_stage *stage)
{
    int32_t layers = 0;
    for (int32_t n = stage->first_block; n < stage->first_block + stage->blocks; n++)
        layers += plan_unit(p, stage, n).kind == PARTITION_ATTENTION;
    return layers;
}

static void describe_stage(struct plan *p, int32_t s, const struct stages_piece *piece)
{
    struct partition_stage *stage = &p->stage[s];
    *stage = (struct partition_stage){.first_chip = s * p->group,
                                      .first_block = piece->first,
                                      .blocks = piece->blocks,
                                      .order = piece->order};
    stage->layers = layers_of(p, stage);
    stage->weight_bytes = stage_bytes(p, stage, PROGRAM_TENSOR_WEIGHT);
    stage->embedding_bytes = stage_bytes(p, stage, PROGRAM_TENSOR_EMBEDDING);
    stage->kv_bytes = stage_bytes(p, stage, PROGRAM_TENSOR_KV);
    stage->constant_bytes = stage_bytes(p, stage, PROGRAM_TENSOR_CONSTANT);
}

/* Cuts the group that the plan holds into c->stages and lays out their decode step; true where it
 * fits. */
static bool take_stages(struct plan *p, struct partition_candidate *c)
{
    struct stages_piece *piece = base_alloc((size_t)c->stages, sizeof *piece);
    int64_t missing = 0;
    release_timeline(p);
    base_free(p->stage);
    c->fits = stages_cut(&p->templates, c->stages, piece, &missing);
    c->missing_bytes = missing * p->input.chip->lanes;
    c->why_not[0] = '\0';
    if (!c->fits)
        snprintf(c->why_not, sizeof c->why_not, "the fullest chip lacks %.1f MiB of SRAM",
                 (double)c->missing_bytes / 1048576.0);
    p->stages = c->fits ? c->stages : 0;
    p->stage = base_alloc((size_t)p->stages, sizeof *p->stage);
    for (int32_t s = 0; s < p->stages; s++)
        describe_stage(p, s, &piece[s]);
    base_free(piece);
    if (c->fits && !(c->fits = lay_timeline(p, PARTITION_DECODE)))
        snprintf(c->why_not, sizeof c->why_not, "no links join consecutive stages");
    c->decode_cycles = c->fits ? p->length[PARTITION_DECODE] : 0;
    return c->fits;
}

/* The blocks of one chip of a group, with MLPs cut in two where `shares`. */
static bool take_group(struct plan *p, int32_t group, int32_t rows, bool shares, char *why)
{
    release_split(p);
    p->templates.shares = shares;
    if (!derive_shapes(p, group, rows, why))
        return false;
    p->group = group;
    templates_build(&p->templates, 1);
    return true;
}

bool plan_try_rows(struct plan *p, struct partition_candidate *c, int32_t rows, bool shares)
{
    c->fits = false;
    c->prefill_rows = rows;
    c->shares = shares;
    return take_group(p, c->group, rows, shares, c->why_not) && take_stages(p, c);
}

int32_t plan_pass_rows(const struct bucket *bucket, int32_t rows)
{
    int32_t chunk = bucket->prefill_chunk, passes = rows ? chunk / rows + 1 : 1;
    for (; passes == 1 || chunk / passes >= LEAST_PREFILL_ROWS; passes++)
        if (passes == 1 || (chunk % passes == 0 && shape_is_pass(bucket, chunk / passes)))
            return chunk / passes;
    return 0;
}

bool plan_try_passes(struct plan *p, struct partition_candidate *c, bool shares)
{
    const struct bucket *bucket = p->input.bucket;
    for (int32_t rows = 0; (rows = plan_pass_rows(bucket, rows)) > 0;)
        if (plan_try_rows(p, c, rows, shares))
            break;
    return c->fits;
}

/* Biases of an MLP or of experts cannot be cut, nor can shared experts, nor MLPs whose second share
 * would have no tiles. */
static bool has_shares(const struct plan *p)
{
    const struct model *model = p->input.model;
    return !model->expert_bias && !model->mlp_bias && !model->shared_ffn &&
           shape_share_tiles(&p->templates.shape[0], SHAPE_SECOND) > 0;
}

/* MLPs are cut in two only where whole ones do not fit. */
static bool try_split(struct plan *p, struct partition_candidate *c)
{
    return plan_try_passes(p, c, false) ||
           (c->missing_bytes > 0 && has_shares(p) && plan_try_passes(p, c, true));
}

static void add_candidate(struct plan *p, int32_t stages, int32_t group)
{
    p->candidate =
        base_grow(p->candidate, &p->candidate_capacity, p->candidates + 1, sizeof *p->candidate);
    p->candidate[p->candidates++] = (struct partition_candidate){.stages = stages, .group = group};
}

/* Groups divide a node, and are of the size asked for, if any is. */
static bool group_is_allowed(const struct plan *p, int32_t group)
{
    int32_t asked = p->input.rack->tensor_group;
    return p->input.topology->chips_per_node % group == 0 && (!asked || asked == group);
}

struct plan *plan_sketch(const struct partition_input *input, int32_t group, int32_t rows,
                         bool shares)
{
    struct plan *p = base_alloc(1, sizeof *p);
    char why[160];
    p->input = *input;
    columns_cut_as_asked(p);
    if (group_is_allowed(p, group) && take_group(p, group, rows, shares, why) &&
        (!shares || has_shares(p)))
        return p;
    plan_release(p);
    return NULL;
}

bool plan_sketch_stages(struct plan *plan, struct partition_candidate *c)
{
    return take_stages(plan, c);
}

int32_t plan_most_chips(const struct partition_input *input)
{
    return chips_of(input);
}

static void list_candidates(struct plan *p)
{
    const struct lpu_rack *rack = p->input.rack;
    int32_t chips = chips_of(&p->input), most = stages_most(&p->templates, p->input.model);
    for (int32_t group = 1; group <= TEMPLATE_RANKS; group *= 2) {
        int32_t stages = rack->pipeline_stages ? rack->pipeline_stages : chips / group;
        if (!group_is_allowed(p, group) || stages < 1)
            continue;
        if (stages > most)
            stages = most;
        if (stages * group <= chips)
            add_candidate(p, stages, group);
    }
}

/* The fewest stages of `group` chips that hold the model; 0: none do. */
static int32_t least_stages(struct plan *p, int32_t group, bool shares)
{
    char why[160];
    release_split(p);
    p->templates.shares = shares;
    if (!derive_shapes(p, group, LEAST_PREFILL_ROWS, why) || (shares && !has_shares(p)))
        return 0;
    templates_build(&p->templates, 1);
    return stages_least(&p->templates);
}

/* The split with the fewest chips that holds the model at all; stages 0: none does. */
static struct partition_candidate least_that_would_do(struct plan *p)
{
    struct partition_candidate least = {.stages = 0};
    for (int32_t group = 1; group <= TEMPLATE_RANKS; group *= 2)
        for (int shares = 0; shares < 2 && group_is_allowed(p, group); shares++) {
            int32_t stages = least_stages(p, group, shares == 1);
            if (stages && (!least.stages || stages * group < least.stages * least.group))
                least = (struct partition_candidate){.stages = stages, .group = group};
        }
    return least;
}

static const struct partition_candidate *nearest_miss(const struct plan *p)
{
    const struct partition_candidate *best = NULL;
    for (size_t n = 0; n < p->candidates; n++) {
        const struct partition_candidate *c = &p->candidate[n];
        if (c->missing_bytes && (!best || c->missing_bytes < best->missing_bytes))
            best = c;
    }
    return best;
}

static void report_impossible(const struct plan *p, struct base_report *report)
{
    for (size_t n = 0; n < p->candidates; n++)
        base_report_add(report, NULL, 0, "%d stages x %d chips: %s", p->candidate[n].stages,
                        p->candidate[n].group, p->candidate[n].why_not);
    if (!p->candidates)
        base_report_add(report, NULL, 0,
                        "no split of %d chips matches lpu.pipeline_stages and lpu.tensor_group",
                        chips_of(&p->input));
}

static void report_no_fit(struct plan *p, struct base_report *report, enum base_status *status)
{
    const struct partition_candidate *best = nearest_miss(p);
    *status = best ? BASE_DOES_NOT_FIT : BASE_USAGE;
    if (!best) {
        report_impossible(p, report);
        return;
    }
    struct partition_candidate would = least_that_would_do(p);
    char *way_out = would.stages
                        ? base_format("%d chips would do, as %d x %d", would.stages * would.group,
                                      would.stages, would.group)
                        : base_format("no number of such chips would do with this bucket");
    base_report_add(report, NULL, 0,
                    "%s does not fit into %d chips as %d x %d (stages x tensor group) with "
                    "%s = %d caches of %d positions: the fullest chip lacks %lld bytes "
                    "(%.1f MiB) of SRAM; %s",
                    p->input.model->name, best->stages * best->group, best->stages, best->group,
                    p->seats > 1 ? "lpu.seats x bucket.batch" : "bucket.batch",
                    p->seats * p->input.bucket->batch, p->input.bucket->max_sequence,
                    (long long)best->missing_bytes, (double)best->missing_bytes / 1048576.0,
                    way_out);
    base_free(way_out);
}

void plan_complete(struct plan *p, struct partition_candidate *c)
{
    release_timeline(p);
    templates_build(&p->templates, p->group);
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
        if (template_has_phase(&p->templates, phase))
            lay_timeline(p, phase);
    c->decode_cycles = p->length[PARTITION_DECODE];
}

/* Adds the rows of the caches of a unit, by slice. */
static void add_cache_rows(const struct plan *p, struct stages_unit u,
                           int32_t rows[PROGRAM_QUEUE_VXM])
{
    const struct program *code =
        &p->templates.rank[0].block[PARTITION_DECODE][u.kind][u.variant].code;
    for (size_t k = 0; k < code->tensors; k++)
        for (int32_t j = 0; code->tensor[k].kind == PROGRAM_TENSOR_KV && j < code->tensor[k].subs;
             j++)
            rows[code->slice[code->tensor[k].slice + j]] += code->tensor[k].count;
}

static int32_t stage_seats(const struct plan *p, const struct partition_stage *stage)
{
    int32_t rows[PROGRAM_QUEUE_VXM] = {0}, cache[PROGRAM_QUEUE_VXM] = {0};
    int32_t most = PROGRAM_CACHES / p->input.bucket->batch;
    for (int32_t n = stage->first_block; n < stage->first_block + stage->blocks;) {
        struct stages_unit u = plan_unit(p, stage, n);
        add_cache_rows(p, u, cache);
        stages_add_rows(&p->templates, u, rows);
        n = u.next;
    }
    for (int32_t slice = 0; slice < PROGRAM_QUEUE_VXM; slice++) {
        int32_t each = cache[slice] / p->seats, left = p->templates.capacity[slice] - rows[slice];
        int32_t seats = each ? p->seats + left / each : most;
        most = seats < most ? seats : most;
    }
    return most;
}

static int32_t seats_in_sram(const struct plan *p)
{
    int32_t least = stage_seats(p, &p->stage[0]);
    for (int32_t s = 1; s < p->stages; s++) {
        int32_t seats = stage_seats(p, &p->stage[s]);
        least = seats < least ? seats : least;
    }
    return least;
}

static void find_interval(struct plan *p)
{
    interval_release(p->interval);
    p->interval = interval_create(p, p->input.chip, p->input.topology->chips);
}

/* As many seats as the pipeline holds without anybody waiting, and SRAM has room for: rather with
 * shorter prefill passes than with fewer seats. */
static void raise_seats(struct plan *p, struct partition_candidate *c)
{
    int32_t least = 1, most = PROGRAM_CACHES / p->input.bucket->batch;
    most = plan_seats(p).by_time < most ? plan_seats(p).by_time : most;
    if (most <= 1)
        return;
    while (least < most) {
        p->seats = (least + most + 1) / 2;
        if (plan_try_passes(p, c, c->shares))
            least = p->seats;
        else
            most = p->seats - 1;
    }
    p->seats = least;
    plan_try_passes(p, c, c->shares);
    plan_complete(p, c);
    find_interval(p);
}

static void take_best(struct plan *p)
{
    struct partition_candidate *best = NULL;
    for (size_t n = 0; n < p->candidates; n++) {
        struct partition_candidate *c = &p->candidate[n];
        if (try_split(p, c) && (!best || c->decode_cycles < best->decode_cycles))
            best = c;
    }
    if (!best) {
        release_split(p);
        return;
    }
    plan_try_rows(p, best, best->prefill_rows, best->shares);
    columns_choose(p, best);
    plan_complete(p, best);
    if (shares_pipeline(p))
        find_interval(p);
    if (p->input.seats == PARTITION_ALL_SEATS)
        raise_seats(p, best);
}

static bool stage_is_valid(const struct plan *p, int32_t s)
{
    const struct partition_stage *stage = &p->stage[s];
    int32_t rows[PROGRAM_QUEUE_VXM] = {0};
    bool valid = stage->blocks > 0 && stage->first_chip == s * p->group;
    for (int32_t n = stage->first_block; n < stage->first_block + stage->blocks;) {
        struct stages_unit u = plan_unit(p, stage, n);
        stages_add_rows(&p->templates, u, rows);
        n = u.next;
    }
    for (int32_t slice = 0; slice < PROGRAM_QUEUE_VXM; slice++)
        valid = valid && rows[slice] <= p->templates.capacity[slice];
    /* A stage of the head alone has nothing to do in prefill. */
    for (enum partition_phase phase = 0; phase < PARTITION_PHASES; phase++)
        valid = valid && stage->start_cycle[phase] <= stage->end_cycle[phase] &&
                (s == 0 || stage->start_cycle[phase] > p->stage[s - 1].end_cycle[phase] ||
                 !template_has_phase(&p->templates, phase));
    return valid;
}

bool plan_is_valid(const struct plan *plan)
{
    int32_t block = 0;
    for (int32_t s = 0; s < plan->stages; s++) {
        if (plan->stage[s].first_block != block || !stage_is_valid(plan, s))
            return false;
        block += plan->stage[s].blocks;
    }
    return block == stages_block_count(plan->input.model) &&
           plan_chips(plan) <= plan->input.topology->chips;
}

struct plan *plan_compile(const struct partition_input *input, struct base_report *report,
                          enum base_status *status)
{
    *status = BASE_USAGE;
    bool known = columns_are_known(input, report);
    if (!shape_supports(input->chip, input->model, input->bucket, report) || !known)
        return NULL;
    struct plan *p = base_alloc(1, sizeof *p);
    p->input = *input;
    p->seats = input->seats > 0 ? input->seats : 1;
    columns_cut_as_asked(p);
    list_candidates(p);
    take_best(p);
    if (p->stages) {
        assert(plan_is_valid(p));
        *status = BASE_OK;
        return p;
    }
    report_no_fit(p, report, status);
    plan_release(p);
    return NULL;
}

/* Whatever bucket all of them are in. */
static int32_t seats_by_time(const struct plan *plan)
{
    struct interval_found found = interval_of(plan->interval);
    int64_t least = INT32_MAX;
    for (int phase = 0; phase < PARTITION_PHASES; phase++) {
        int64_t seats = found.cycles[phase] ? plan->length[phase] / found.cycles[phase] : least;
        least = phase != PARTITION_PREFILL && seats < least ? seats : least;
    }
    return (int32_t)least;
}

struct partition_seats plan_seats(const struct plan *plan)
{
    struct partition_seats seats = {.placed = plan->seats, .by_sram = seats_in_sram(plan)};
    if (plan->interval)
        seats.by_time = seats_by_time(plan);
    return seats;
}

const struct interval *plan_interval(const struct plan *plan)
{
    return plan->interval;
}

const struct partition_input *plan_input(const struct plan *plan)
{
    return &plan->input;
}

const struct templates *plan_templates(const struct plan *plan)
{
    return &plan->templates;
}

const struct transfer *plan_transfer(const struct plan *plan, enum partition_phase phase,
                                     int32_t stage)
{
    return &plan->transfer[phase][stage];
}

int64_t plan_transfer_cycles(const struct plan *plan, enum partition_phase phase, int32_t stage)
{
    bool last = stage + 1 == plan->stages;
    int64_t next = last ? plan->length[phase] : plan->stage[stage + 1].start_cycle[phase];
    int64_t cycles = next - plan->stage[stage].end_cycle[phase];
    return cycles > 0 ? cycles : 0;
}

int32_t plan_stages(const struct plan *plan)
{
    return plan->stages;
}

const struct partition_stage *plan_stage(const struct plan *plan, int32_t stage)
{
    return &plan->stage[stage];
}

int32_t plan_group(const struct plan *plan)
{
    return plan->group;
}

int32_t plan_chips(const struct plan *plan)
{
    return plan->stages * plan->group;
}

struct partition_columns plan_columns(const struct plan *plan)
{
    return plan->columns;
}

struct partition_choice plan_choice(const struct plan *plan, enum partition_matrix matrix)
{
    struct partition_choice choice = plan->choice[matrix];
    struct partition_columns columns = plan->columns;
    choice.columns = *columns_of(&columns, matrix);
    return choice;
}

int32_t plan_prefill_rows(const struct plan *plan)
{
    return plan->templates.shape[PARTITION_PREFILL].rows;
}

int64_t plan_length_cycles(const struct plan *plan, enum partition_phase phase)
{
    return plan->length[phase];
}

int32_t plan_positions(const struct plan *plan, enum partition_phase phase)
{
    const struct shape *s = &plan->templates.shape[phase];
    return 2 * s->attend_tiles * s->kv_tile_positions;
}

const struct partition_candidate *plan_candidates(const struct plan *plan, size_t *count)
{
    *count = plan->candidates;
    return plan->candidate;
}
