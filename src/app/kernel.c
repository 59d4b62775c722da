/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the command line of `lpusim-mp kernel`, finds the GPU, and prints the answer. */
#include "app/kernel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/text.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/ids.h"

/* Where descriptions lie: of the working directory, of a build in its source tree, installed. */
static const char *const folders[] = {"configs/gpus", "../../configs/gpus",
                                      "../share/lpusim-mp/configs/gpus"};

/* "--gemm m,n,k", and what it is; numbers that may be left out in brackets. */
static void subject_print(const struct app_kernel_subject *s)
{
    printf("  --%s ", s->name);
    for (size_t i = 0; s->field[i]; i++) {
        bool optional = s->otherwise[i] >= 0;
        printf("%s%s%s%s", optional ? "[" : "", i ? "," : "", s->field[i], optional ? "]" : "");
    }
    printf("\n      %s\n", s->help);
}

static void options_print(void)
{
    puts(
        "\noptions\n"
        "  --gpu NAME         a file of configs/gpus without .cfg (h100-sxm), or the path of one\n"
        "  --number TYPE      of products: bf16, fp8 (a scale a tensor), fp8_block (bf16)\n"
        "  --kv TYPE          of the KV cache: bf16, fp8 (bf16)\n"
        "  --sms N            SMs that are free; others are a collective's or a neighbour's (all)\n"
        "  --set KEY=VALUE    another value of the description: gpu.chip.hbm_rate=\"4 TB/s\"\n"
        "  --help             print this");
}

static void help_print(void)
{
    puts("usage: lpusim-mp kernel --gpu NAME --SUBJECT NUMBERS [OPTION]...\n\n"
         "Says what a serving engine would launch on one GPU, and where its time goes: the tile\n"
         "that the library chooses, its grid in waves over the SMs, the main loop of an SM cycle\n"
         "by cycle, what hits L2, what crosses HBM, and which of them bounds the time. The\n"
         "cluster simulation uses the same models (docs/gpu_model.md).\n\nsubjects");
    for (const struct app_kernel_subject *s = app_kernel_subjects; s->name; s++)
        subject_print(s);
    options_print();
    puts("\nexamples\n"
         "  lpusim-mp kernel --gpu h100-sxm --gemm 16,8192,8192          decode: HBM's pace\n"
         "  lpusim-mp kernel --gpu h100-sxm --gemm 4096,8192,8192        prefill: that of SMs\n"
         "  lpusim-mp kernel --gpu h100-sxm --attention 32,1,4096,32,8   a token of 32 sequences\n"
         "  lpusim-mp kernel --gpu a100-sxm --moe 64,4096,14336,8,2      Mixtral, 64 tokens\n"
         "  lpusim-mp kernel --gpu h100-sxm --gemm 4096,4096,4096 --sms 108   beside a collective\n"
         "\nexit status: 0 done, 2 usage or description of the GPU");
}

/* "m,n,k": what is wanted after --gemm. */
static void wanted_add(struct base_report *report, const struct app_kernel_subject *s,
                       const char *given, const char *why)
{
    char text[96] = "";
    for (size_t i = 0; s->field[i]; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "," : "",
                 s->field[i]);
    base_report_add(report, NULL, 0, "--%s %s: %s; %s is wanted, whole numbers of at least 1",
                    s->name, given, why, text);
}

static void numbers_take(struct app_kernel_question *q, const char *text,
                         struct base_report *report)
{
    const struct app_kernel_subject *s = q->subject;
    const char *at = text;
    for (size_t i = 0; s->field[i]; i++) {
        size_t length = strcspn(at, ",");
        int32_t value = 0;
        q->number[i] = s->otherwise[i];
        if (length > 0 && (!config_number_parse(at, at + length, &value) ||
                           (value == 0 && s->otherwise[i] != 0))) {
            wanted_add(report, s, text, s->field[i]);
            return;
        }
        if (length > 0)
            q->number[i] = value;
        else if (s->otherwise[i] < 0) {
            wanted_add(report, s, text, "a number is missing");
            return;
        }
        at += length + (at[length] == ',');
    }
    if (*at)
        wanted_add(report, s, text, "there are too many numbers");
}

/* The place of `text` in a list of names; a fault where it is none of them. */
static int choice_take(const char *option, const char *text, const char *const *name, int names,
                       struct base_report *report)
{
    char all[96] = "";
    for (int i = 0; i < names; i++) {
        if (strcmp(text, name[i]) == 0)
            return i;
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", name[i]);
    }
    base_report_add(report, NULL, 0, "%s %s: %s is wanted", option, text, all);
    return 0;
}

static bool subject_take(struct app_kernel_question *q, const char *option, const char *value,
                         struct base_report *report)
{
    for (const struct app_kernel_subject *s = app_kernel_subjects; s->name; s++)
        if (strcmp(option + 2, s->name) == 0) {
            if (q->subject)
                base_report_add(report, NULL, 0, "--%s and --%s: one subject is enough",
                                q->subject->name, s->name);
            q->subject = s;
            numbers_take(q, value, report);
            return true;
        }
    return false;
}

static void sms_take(struct app_kernel_question *q, const char *value, struct base_report *report)
{
    int32_t sms = 0;
    if (!config_number_parse(value, value + strlen(value), &sms) || sms == 0)
        base_report_add(report, NULL, 0, "--sms %s: a whole number of SMs is wanted", value);
    q->sms = sms;
}

static void option_take(struct app_kernel_question *q, const char *option, const char *value,
                        struct base_report *report)
{
    static const char *const types[] = {"bf16", "fp8", "fp8_block"};
    if (strcmp(option, "--gpu") == 0)
        q->gpu = value;
    else if (strcmp(option, "--number") == 0)
        q->type = (enum gpu_number)choice_take(option, value, types, 3, report);
    else if (strcmp(option, "--kv") == 0)
        q->kv_bytes = choice_take(option, value, types, 2, report) == 0 ? 2 : 1;
    else if (strcmp(option, "--sms") == 0)
        sms_take(q, value, report);
    else if (strcmp(option, "--set") == 0 && q->sets < APP_KERNEL_SETS)
        q->set[q->sets++] = value;
    else if (strncmp(option, "--", 2) != 0 || !subject_take(q, option, value, report))
        base_report_add(report, NULL, 0, "kernel: unknown option %s; see kernel --help", option);
}

static struct app_kernel_question question_read(int argc, char **argv, struct base_report *report)
{
    struct app_kernel_question q = {.kv_bytes = 2};
    for (int i = 0; i < argc; i++) {
        char *equals = strncmp(argv[i], "--set", 5) ? strchr(argv[i], '=') : NULL;
        char *option = equals ? base_format("%.*s", (int)(equals - argv[i]), argv[i]) : NULL;
        if (strcmp(argv[i], "--help") == 0)
            q.help = true;
        else if (equals)
            option_take(&q, option, equals + 1, report);
        else if (i + 1 == argc)
            base_report_add(report, NULL, 0, "%s needs an argument; see kernel --help", argv[i]);
        else
            option_take(&q, argv[i], argv[i + 1], report), i++;
        base_free(option);
    }
    if (!q.help && !q.gpu)
        base_report_add(report, NULL, 0, "kernel: a GPU is wanted: --gpu h100-sxm");
    if (!q.help && !q.subject && base_report_is_clean(report))
        base_report_add(report, NULL, 0,
                        "kernel: what is wanted? --gemm m,n,k, --attention, --moe, ...; see "
                        "kernel --help");
    return q;
}

/* The folder of the running program; "" where nobody says. */
static void program_folder(char *text, size_t bytes)
{
    ssize_t length = readlink("/proc/self/exe", text, bytes - 1);
    text[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(text, '/');
    if (slash)
        *slash = '\0';
}

static char *folder_at(size_t place)
{
    char program[1024];
    program_folder(program, sizeof program);
    return place == 0 ? base_strdup(folders[0]) : base_format("%s/%s", program, folders[place]);
}

/* Adds a fault that lists what there is. */
static void unknown_gpu(const char *name, const char *folder, struct base_report *report)
{
    char all[256] = "";
    struct dirent **entry = NULL;
    int count = scandir(folder, &entry, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        size_t at = strlen(all), length = strlen(entry[i]->d_name);
        if (length > 4 && strcmp(entry[i]->d_name + length - 4, ".cfg") == 0)
            snprintf(all + at, sizeof all - at, " %.*s", (int)length - 4, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    base_report_add(report, NULL, 0, "--gpu %s: no such file in %s; there are:%s", name, folder,
                    *all ? all : " none");
}

/* The path of the GPU's description; NULL with a fault. Free with base_free. */
static char *gpu_path(const char *name, struct base_report *report)
{
    if (strchr(name, '/') || strstr(name, ".cfg"))
        return base_strdup(name);
    char *first = NULL;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *folder = folder_at(i), *path = base_format("%s/%s.cfg", folder, name);
        bool there = access(path, R_OK) == 0;
        if (!first && access(folder, R_OK) == 0)
            first = base_strdup(folder);
        base_free(folder);
        if (there) {
            base_free(first);
            return path;
        }
        base_free(path);
    }
    unknown_gpu(name, first ? first : folders[0], report);
    base_free(first);
    return NULL;
}

static void launches_print(const struct gpu_chip *chip, const struct app_kernel_question *q,
                           const struct app_kernel_launch *launch, int32_t count)
{
    int32_t sms = q->sms > 0 ? (int32_t)q->sms : chip->sms;
    int64_t ps = 0;
    printf("%s on %s, %d of %d SMs\n", q->subject->name, chip->name, (int)sms, (int)chip->sms);
    for (int32_t i = 0; i < count; i++) {
        app_kernel_print(chip, sms, &launch[i]);
        ps += gpu_kernel_ps(chip, &launch[i].kernel, sms);
    }
    if (count > 1)
        printf("\ntogether      %s\n", app_text_time(ps).text);
}

/* Adds a fault where the GPU's memory does not hold what the kernel works on. */
static void check_memory(const struct gpu_chip *chip, const struct app_kernel_question *q,
                         struct base_report *report)
{
    double bytes = q->subject->bytes(q);
    if (bytes > (double)chip->hbm_bytes)
        base_report_add(report, NULL, 0, "--%s: operands take %.4g GB; the GPU has %.4g GB",
                        q->subject->name, bytes / 1e9, (double)chip->hbm_bytes / 1e9);
}

static void answer(const struct app_kernel_question *q, struct base_report *report)
{
    struct gpu_chip chip;
    struct app_kernel_launch launch[APP_KERNEL_LAUNCHES];
    char *path = gpu_path(q->gpu, report);
    if (path && config_gpu_chip_read(path, q->set, q->sets, &chip, report)) {
        if (q->sms > chip.sms)
            base_report_add(report, NULL, 0, "--sms %lld: %s has %d", (long long)q->sms, chip.name,
                            (int)chip.sms);
        if (q->type != GPU_NUMBER_BF16 && chip.fp8_flops <= 0)
            base_report_add(report, NULL, 0, "--number: %s has no fp8: bf16 is wanted", chip.name);
        check_memory(&chip, q, report);
        int32_t count =
            base_report_is_clean(report) ? q->subject->plan(&chip, q, launch, report) : 0;
        if (base_report_is_clean(report))
            launches_print(&chip, q, launch, count);
    }
    base_free(path);
}

enum base_status app_kernel_answer(int argc, char **argv)
{
    struct base_report report = {0};
    struct app_kernel_question q = question_read(argc, argv, &report);
    if (q.help)
        help_print();
    else if (base_report_is_clean(&report))
        answer(&q, &report);
    bool clean = q.help || base_report_is_clean(&report);
    if (!clean)
        base_report_print(&report, stderr);
    base_report_release(&report);
    return clean ? BASE_OK : BASE_USAGE;
}
