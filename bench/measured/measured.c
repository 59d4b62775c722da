/* SPDX-License-Identifier: BSD-3-Clause */
/* Predicts every table of measurements below a folder and says how far off the models are. See
 * docs/gpu_model.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "evaluate.h"
#include "folder.h"
#include "models.h"

enum { MOST_SETS = 64 };

/* The command line, and what all tables share. */
struct run {
    const char *folder, *gpus_folder, *out, *only;
    enum points_part part;
    const char *set[MOST_SETS];
    size_t sets;
    struct gpus *gpus;
    size_t tables, left; /* predicted, and skipped */
};

static void usage(FILE *stream)
{
    fputs(
        "usage: measured DIR [OPTION]...   (from the project's root)\n\n"
        "Takes every CSV file below DIR by its header, predicts its rows with the models of the\n"
        "GPU cluster, and prints the relative error of each table and group: median, 90th\n"
        "percentile and worst in percent, the median of predicted / measured, and the mean error.\n"
        "The GPU is the first part of the file's name: h200_sxm__anything.csv is described by\n"
        "configs/gpus/h200-sxm.cfg. Half of all rows, chosen by a hash of their fields, of\n"
        "collectives every second size, are for fitting parameters; errors are of the other half,\n"
        "the held-out rows.\n\n"
        "  --part held|fit|all   rows that count (held)\n"
        "  --out FOLDER          also write predictions beside measurements (CSV) and a plot "
        "(SVG)\n"
        "                        for each table\n"
        "  --gpus FOLDER         descriptions of GPUs (configs/gpus)\n"
        "  --set KEY=VALUE       for every GPU, such as gpu.chip.hbm_efficiency=0.9; repeatable\n"
        "  --models FOLDER       descriptions of models (hf_configs in LPUSIM_DATA, then\n"
        "                        configs/models)\n"
        "  --only WORD           tables alone whose path holds WORD\n"
        "  --help                print this\n\n"
        "Tables of unknown columns, rows of unknown GPUs, types or sizes and rows without a "
        "measured\n"
        "time are left out and said so; the others are predicted.\n\n"
        "exit status: 0 some table was predicted, 1 none was, 2 usage\n",
        stream);
}

static bool part_take(struct run *run, const char *text)
{
    static const char *const name[] = {"held", "fit", "all"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, name[i]) == 0) {
            run->part = (enum points_part)i;
            return true;
        }
    fprintf(stderr, "measured: error: --part %s: held, fit or all is wanted\n", text);
    return false;
}

static bool option_take(struct run *run, const char *name, const char *value)
{
    if (strcmp(name, "--part") == 0)
        return part_take(run, value);
    if (strcmp(name, "--out") == 0)
        run->out = value;
    else if (strcmp(name, "--gpus") == 0)
        run->gpus_folder = value;
    else if (strcmp(name, "--models") == 0)
        models_search(value);
    else if (strcmp(name, "--only") == 0)
        run->only = value;
    else if (strcmp(name, "--set") == 0 && run->sets < MOST_SETS)
        run->set[run->sets++] = value;
    else {
        fprintf(stderr, "measured: error: unknown option %s; see --help\n", name);
        return false;
    }
    return true;
}

static bool words_take(struct run *run, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && !run->folder) {
            run->folder = argv[i];
        } else if (argv[i][0] != '-' || i + 1 == argc) {
            fprintf(stderr, "measured: error: %s %s; see --help\n", argv[i],
                    argv[i][0] == '-' ? "needs a value" : "is a second folder, one is enough");
            return false;
        } else {
            if (!option_take(run, argv[i], argv[i + 1]))
                return false;
            i++;
        }
    }
    if (!run->folder)
        fputs("measured: error: name a folder of measurements; see --help\n", stderr);
    return run->folder != NULL;
}

/* A stream for FOLDER/NAME.KIND.ENDING, NAME being that of the table; NULL with a message. */
static FILE *beside(const struct run *run, const struct kind *kind, const struct table *table,
                    const char *ending)
{
    const char *slash = strrchr(table->path, '/'), *name = slash ? slash + 1 : table->path;
    char *path =
        base_format("%s/%.*s.%s.%s", run->out, (int)(strlen(name) - 4), name, kind->name, ending);
    for (char *at = strchr(path + strlen(run->out), ' '); at; at = strchr(at, ' '))
        *at = '_';
    FILE *stream = fopen(path, "w");
    if (!stream)
        fprintf(stderr, "measured: error: %s cannot be written\n", path);
    base_free(path);
    return stream;
}

static void predictions_write(const struct table *table, const struct points *points, FILE *stream)
{
    for (size_t i = 0; i < table->columns; i++)
        fprintf(stream, "%s,", table->name[i]);
    fputs("part,group,measured_us,predicted_us,error\n", stream);
    for (size_t i = 0; i < points->count; i++) {
        const struct point *p = &points->point[i];
        for (size_t c = 0; c < table->columns; c++)
            fprintf(stream, "%s,", table->field[p->row * table->columns + c]);
        fprintf(stream, "%s,\"%s\",%.6g,%.6g,%+.4f\n", p->for_fit ? "fit" : "held", p->group,
                p->measured_s * 1e6, p->predicted_s * 1e6, p->predicted_s / p->measured_s - 1);
    }
}

static void files_write(const struct run *run, const struct kind *kind, const struct table *table,
                        const struct points *points, const char *title)
{
    FILE *csv = beside(run, kind, table, "csv"), *svg = beside(run, kind, table, "svg");
    if (csv) {
        predictions_write(table, points, csv);
        fclose(csv);
    }
    if (svg) {
        points_plot(points, run->part, title, svg);
        fclose(svg);
    }
}

static void table_show(struct run *run, const struct kind *kind, const struct table *table)
{
    struct points points = {0};
    struct left_out left = {0};
    evaluate(kind, table, run->gpus, &points, &left);
    char *title = base_format("%s, %s", kind->name, table->gpu);
    printf("%s\n", table->path);
    if (points.count > 0)
        points_print(&points, run->part, title, stdout);
    for (size_t i = 0; i < left.count; i++)
        printf("    %zu of %zu rows left out: %s\n", left.rows[i], table->rows, left.why[i]);
    if (run->out && points.count > 0)
        files_write(run, kind, table, &points, title);
    run->tables += points.count > 0;
    base_free(title);
    points_release(&points);
    fflush(stdout);
}

static void file_take(void *context, const char *path)
{
    struct run *run = context;
    struct table table;
    const char *why = table_read(path, &table);
    if (!why) {
        const struct kind *kind = kind_of(&table);
        if (kind && table.rows > 0)
            table_show(run, kind, &table);
        else
            why = kind ? "it has a header and no rows" : "no kind of table has its columns";
        table_release(&table);
    }
    if (why) {
        printf("%s\n    skipped: %s\n", path, why);
        run->left++;
    }
}

static void folder_show(struct run *run)
{
    static const char *const part[] = {"held-out rows", "rows for the fit", "all rows"};
    printf("%-60s %6s %8s %8s %8s %10s %8s\n", "table, GPU; group", "rows", "median %", "p90 %",
           "worst %", "pred/meas", "mean %");
    folder_walk(run->folder, run->only, file_take, run);
    printf("%zu tables predicted (%s), %zu skipped\n", run->tables, part[run->part], run->left);
}

int main(int argc, char **argv)
{
    struct run run = {.gpus_folder = "configs/gpus"};
    models_search_usual();
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return 0;
    }
    if (!words_take(&run, argc, argv))
        return 2;
    if (run.out)
        mkdir(run.out, 0777);
    run.gpus = gpus_new(run.gpus_folder, run.set, run.sets);
    folder_show(&run);
    gpus_free(run.gpus);
    return run.tables > 0 ? 0 : 1;
}
