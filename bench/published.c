/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of the compiler take beside what has been published. See docs/published.md.
 * usage: published [quick|delays]   (from the project's root; LPUSIM_DATA: models not shipped)
 * Every "predicted" is the length of a step that was executed under the contract. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cases.h"
#include "config/config.h"
#include "install.h"
#include "lstm.h"
#include "partition/lone.h"
#include "partition/op_matmul.h"
#include "partition/partition.h"
#include "play.h"

enum { NODE = 8, FP16_BYTES = 2 };

static int64_t violations;

static double nanoseconds(const struct lpu_chip *chip, int64_t cycles)
{
    return (double)machine_cycles_to_ps(chip, cycles) / 1000.0;
}

static void print_row(const char *name, double predicted, const char *unit, double published)
{
    printf("%-58s %10.4g %10.4g  %-10s %6.2f\n", name, predicted, published, unit,
           predicted / published);
    fflush(stdout);
}

static void print_unsupported(const char *name, const char *why)
{
    printf("%-58s not supported yet: %s\n", name, why);
}

/* Runs what the caller has put into play->program; closes it. */
static struct play_result run(struct play *play)
{
    play_start(play, false);
    struct play_result r = play_step(play);
    violations += r.violations;
    play_close(play);
    return r;
}

/* One chip of a node, whose program is the block; releases the block. */
static struct play_result run_alone(const struct lpu_chip *chip, struct block *b)
{
    struct play play;
    play_open(&play, chip, 1, NODE, 1);
    play.program[0] = lone_program(b, 0, b->end);
    block_release(b);
    return run(&play);
}

static int64_t install_cycles(const struct lpu_chip *chip)
{
    struct play play;
    play_open(&play, chip, 1, NODE, 1);
    play.program[0] = install_best(chip);
    return run(&play).length_cycles;
}

static int64_t lstm_cycles(const struct lpu_chip *chip)
{
    struct block b = lone_open(chip);
    struct lstm l;
    lstm_emit(&b, 512, &l);
    return run_alone(chip, &b).length_cycles;
}

static void print_cells(const struct lpu_chip *chip)
{
    print_row("install of 409,600 weights", (double)install_cycles(chip), "cycles", 40);
    print_row("LSTM, hidden 512, batch 1, one step", (double)lstm_cycles(chip), "cycles", 517);
}

/* The delays that nobody has published, and what a cycle more of each does to the two rows that may
 * calibrate them. */
static void print_delays(const struct lpu_chip *chip)
{
    struct lpu_chip more = *chip;
    struct {
        const char *name;
        int32_t *cycles;
    } delay[] = {{"mem_read", &more.mem_read_cycles},
                 {"mem_write_skew", &more.mem_write_skew_cycles},
                 {"mxm_load_skew", &more.mxm_load_skew_cycles},
                 {"mxm_install", &more.mxm_install_cycles},
                 {"mxm_compute_skew", &more.mxm_compute_skew_cycles},
                 {"mxm_compute", &more.mxm_compute_cycles},
                 {"vxm_skew", &more.vxm_skew_cycles},
                 {"vxm_alu", &more.vxm_alu_cycles}};
    int64_t install = install_cycles(chip), lstm = lstm_cycles(chip);
    printf("%-18s %8s %16s %16s\n", "delay", "cycles", "install per one", "LSTM per one");
    for (size_t n = 0; n < sizeof delay / sizeof *delay; n++) {
        printf("%-18s %8d", delay[n].name, (int)*delay[n].cycles);
        ++*delay[n].cycles;
        printf(" %+16" PRId64 " %+16" PRId64 "\n", install_cycles(&more) - install,
               lstm_cycles(&more) - lstm);
        more = *chip;
    }
    printf("%-18s %8s %16" PRId64 " %16" PRId64 "\n", "executed", "", install, lstm);
}

static int32_t tiles(int64_t n, int32_t of)
{
    return shape_ceil_div(n, of);
}

/* Useful multiplications of x[m, k] W[k, n] over what the MXM could do in the executed time. */
static double utilisation(const struct lpu_chip *chip, int32_t m, int32_t k, int32_t n)
{
    struct matmul what = {m, tiles(k, chip->mxm_fp16_rows), tiles(n, chip->mxm_columns)};
    if (matmul_refusal(chip, &what))
        return 0;
    struct block b = lone_open(chip);
    struct matmul_side side[2];
    ops_matmul(&b, &what, side);
    double peak = (double)chip->mxm_fp16_rows * chip->mxm_columns * chip->mxm_planes / 2;
    return (double)m * k * n / peak / (double)run_alone(chip, &b).length_cycles;
}

/* Either matrix may be installed: the better choice counts. */
static void print_products(const struct lpu_chip *chip)
{
    enum { ROWS = 2304, DEPTH = 4096 };
    static const int32_t columns[] = {1376, 1600, 2000, 2400, 2800, 3200, 3500};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char name[64];
        double right = utilisation(chip, ROWS, DEPTH, columns[i]),
               left = utilisation(chip, columns[i], DEPTH, ROWS);
        snprintf(name, sizeof name, "fp16 [2304x4096]x[4096x%d], %s one installed", (int)columns[i],
                 right > left ? "right" : "left");
        print_row(name, right > left ? right : left, "of peak", 0.95);
    }
}

/* [800, 32576] x [32576, 8192] on all chips of `nodes` nodes, of which `sharing` share a
 * contraction; 0 where that cannot be. */
static int64_t split_product_cycles(const struct lpu_chip *chip, int32_t nodes, int32_t sharing)
{
    struct play play;
    const struct cases_product p = {800, 32576, 8192, nodes, sharing};
    if (cases_split_product(&play, chip, &p))
        return 0;
    return run(&play).length_cycles;
}

/* The shorter of what can be. */
static void print_split_product(const struct lpu_chip *chip, int32_t nodes, double published_us)
{
    char name[64];
    int64_t one = split_product_cycles(chip, nodes, 1), two = split_product_cycles(chip, nodes, 2);
    int64_t best = two && (!one || two < one) ? two : one;
    snprintf(name, sizeof name, "fp16 [800x32576]x[32576x8192], K over %d of %d chips",
             (int)(NODE * (best == two ? 2 : 1)), (int)(nodes * NODE));
    print_row(name, nanoseconds(chip, best) / 1000, "us", published_us);
}

static int64_t all_reduce_cycles(const struct lpu_chip *chip, int32_t rows)
{
    struct play play;
    struct collective c = {chip, COLLECTIVE_ALL_REDUCE, NODE, rows};
    c.kind = collective_best_reduce(&c);
    cases_collective(&play, &c);
    return run(&play).length_cycles;
}

/* Published as a model: 2 hops and 2 (S / 8) / 12.2 GB/s; and its limit in bus bandwidth. */
static void print_all_reduce(const struct lpu_chip *chip)
{
    for (int32_t rows = 16; rows <= 16384; rows *= 32) {
        char name[64];
        double bytes = (double)rows * FP16_BYTES * chip->lanes;
        double ns = nanoseconds(chip, all_reduce_cycles(chip, rows));
        snprintf(name, sizeof name, "all-reduce, 8 chips, %.0f bytes", bytes);
        print_row(name, ns / 1000, "us", (2 * 722 + 2 * bytes / NODE / 12.2) / 1000);
        if (rows == 16384)
            print_row("all-reduce, 8 chips, bus bandwidth", bytes / ns * 2 * (NODE - 1) / NODE,
                      "GB/s", 85);
    }
}

static void print_floor(const struct lpu_chip *chip)
{
    struct play play;
    const char *name = "all-reduce, 256 chips, three stages, 640 bytes";
    struct hierarchy h;
    const char *why = cases_hierarchy(&play, &h, chip, 256 / NODE, 1);
    if (why)
        print_unsupported(name, why);
    else
        print_row(name, nanoseconds(chip, run(&play).length_cycles), "ns", 2166);
}

/* A model on a rack: what is compiled is one decode step of one sequence. */
struct hosted {
    const char *name, *config;
    const char *model; /* below hf_configs of the data folder; NULL: that of the configuration */
    double tokens_per_s;
};

static const struct hosted hosted[] = {
    {"Llama-2-70B int8, 576 chips, a user", "configs/rack_576.cfg", NULL, 300},
    {"Llama-3.1-8B, hosted; here 64 chips", "configs/rack_72.cfg", NULL, 560},
    {"Llama-3.3-70B, hosted; here 576 chips", "configs/rack_576.cfg", "Meta-Llama-3.1-70B", 280},
    {"gpt-oss-20b, hosted; here 576 chips", "configs/rack_576.cfg", "gpt-oss-20b", 1000},
    {"gpt-oss-120b, hosted; here 576 chips", "configs/rack_576.cfg", "gpt-oss-120b", 500},
};

static const char *first_fault(const struct base_report *report)
{
    return report->count ? report->message[0] : "refused";
}

/* Compiles and executes a decode step. */
static void print_step(const struct hosted *h, const struct scenario *s, const struct model *model,
                       struct base_report *report)
{
    struct play play;
    enum base_status status;
    play_open_rack(&play, &s->lpu_chip, &s->lpu_rack);
    struct partition_input input = {
        &s->lpu_chip, &s->lpu_rack, &play.topology, model, &s->bucket, &s->workload, 1};
    struct plan *plan = plan_compile(&input, report, &status);
    if (!plan) {
        print_unsupported(h->name, first_fault(report));
        play_close(&play);
        return;
    }
    for (int32_t c = 0; c < play.chips; c++)
        plan_program(plan, PARTITION_DECODE, c, &play.program[c]);
    int64_t cycles = run(&play).length_cycles;
    print_row(h->name, 1e9 / nanoseconds(&s->lpu_chip, cycles), "tokens/s", h->tokens_per_s);
    plan_release(plan);
}

static void print_hosted(const struct hosted *h)
{
    struct scenario scenario;
    struct base_report report = {0};
    struct model model;
    const char *data = getenv("LPUSIM_DATA"), *set[1];
    size_t sets = 0;
    char *path = NULL;
    if (h->model && !data) {
        print_unsupported(h->name, "its config.json is not shipped; LPUSIM_DATA names no folder");
        return;
    }
    if (h->model)
        set[sets++] = path = base_format("model.path=%s/hf_configs/%s", data, h->model);
    if (config_scenario_read(h->config, set, sets, &scenario, &report) &&
        model_read(scenario.model_path, &model, &report))
        print_step(h, &scenario, &model, &report);
    else
        print_unsupported(h->name, first_fault(&report));
    config_scenario_release(&scenario);
    base_report_release(&report);
    base_free(path);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    struct lpu_chip chip = play_machine("configs/rack.cfg");
    if (argc > 1 && strcmp(argv[1], "delays") == 0) {
        print_delays(&chip);
        return violations ? 1 : 0;
    }
    printf("%-58s %10s %10s  %-10s %6s\n", "case", "predicted", "published", "unit", "ratio");
    print_cells(&chip);
    print_floor(&chip);
    if (!quick) {
        print_products(&chip);
        print_split_product(&chip, 1, 330);
        print_split_product(&chip, 2, 150);
        print_split_product(&chip, 13, 120);
        print_all_reduce(&chip);
        for (size_t n = 0; n < sizeof hosted / sizeof *hosted; n++)
            print_hosted(&hosted[n]);
    }
    printf("violations: %" PRId64 "\n", violations);
    return violations ? 1 : 0;
}
