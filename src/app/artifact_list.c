/* SPDX-License-Identifier: BSD-3-Clause */
/* show --chip: one instruction a line, with what it takes and gives. */
#include "app/artifact_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/artifact_tally.h"
#include "app/text.h"
#include "base/memory.h"

/* A program and the instructions of it that are wanted. */
struct listing {
    const struct program *program;
    const struct program_instruction **wanted;
    size_t count;
};

static const char *const vxm_function[PROGRAM_VXM_FUNCTIONS] = {
    [PROGRAM_VXM_COPY] = "copy",     [PROGRAM_VXM_ADD] = "add",
    [PROGRAM_VXM_SUB] = "sub",       [PROGRAM_VXM_MUL] = "mul",
    [PROGRAM_VXM_MAX] = "max",       [PROGRAM_VXM_MAXABS] = "maxabs",
    [PROGRAM_VXM_EXP] = "exp",       [PROGRAM_VXM_RSQRT] = "rsqrt",
    [PROGRAM_VXM_TANH] = "tanh",     [PROGRAM_VXM_SCALE] = "scale",
    [PROGRAM_VXM_OFFSET] = "offset", [PROGRAM_VXM_QUANTISE] = "quantise",
    [PROGRAM_VXM_KEY] = "key"};

static const char *const sxm_function[PROGRAM_SXM_FUNCTIONS] = {[PROGRAM_SXM_IDENTITY] = "identity",
                                                                [PROGRAM_SXM_WINDOW] = "window",
                                                                [PROGRAM_SXM_SWAP_HALVES] = "swap",
                                                                [PROGRAM_SXM_SPREAD] = "spread",
                                                                [PROGRAM_SXM_ROTATE] = "rotate"};

/* What an instruction does, more closely than its opcode where there is more to say. */
static const char *name_of(const struct program_instruction *i)
{
    if (i->opcode == PROGRAM_VXM)
        return vxm_function[i->function];
    if (i->opcode == PROGRAM_SXM_PERMUTE)
        return sxm_function[i->function];
    return program_opcode_name((enum program_opcode)i->opcode);
}

/* " 20i/1 4o/22": repeats, inner and outer, and the cycles between them; nothing for one. */
static void print_repeats(const struct program_instruction *i)
{
    char text[64] = "";
    int length = 0;
    for (int level = 0; level < 2; level++)
        if (i->count[level] > 1)
            length +=
                snprintf(text + length, sizeof text - (size_t)length, "%s%" PRId32 "%c/%" PRId32,
                         length ? " " : "", i->count[level], level ? 'o' : 'i', i->interval[level]);
    printf(" %-15s", text);
}

/* "+20i+1o", of the two levels of repeats. */
static void print_strides(const int32_t stride[2])
{
    for (int level = 0; level < 2; level++)
        if (stride[level] != 0)
            printf("%+" PRId32 "%c", stride[level], level ? 'o' : 'i');
}

static void print_identity(const struct program *p, const struct program_operand *o)
{
    const struct program_tensor *t = &p->tensor[o->tensor];
    printf("%s", t->name);
    if (t->layer >= 0)
        printf("[%" PRId16 "]", t->layer);
    printf(".%d:%" PRId32, o->sub, o->index);
    print_strides(o->stride);
}

/* "E3-18 w_gate[5].0:40+1i": streams with what they carry; "ALU 2"; "=w_gate[5].0:0": expected. */
static void print_operand(const struct program *p, const struct program_operand *o)
{
    if (o->kind == PROGRAM_ALU) {
        printf("ALU %d", o->stream);
        return;
    }
    if (o->kind == PROGRAM_EXPECT)
        putchar('=');
    else if (o->streams > 1)
        printf("%c%d-%d ", o->direction == PROGRAM_EAST ? 'E' : 'W', o->stream,
               o->stream + o->streams - 1);
    else
        printf("%c%d ", o->direction == PROGRAM_EAST ? 'E' : 'W', o->stream);
    print_identity(p, o);
}

static void print_operands(const struct program *p, const struct program_instruction *i)
{
    const struct program_operand *o = &p->operand[i->operand];
    for (int k = 0; k < i->inputs + i->outputs; k++) {
        printf("%s", k == i->inputs ? (k ? " -> " : "-> ") : k ? ", " : "");
        print_operand(p, &o[k]);
    }
}

static void print_address(const struct program_instruction *i)
{
    static const char *const mode[] = {[PROGRAM_ADDRESS_STATIC] = "",
                                       [PROGRAM_ADDRESS_POSITION] = "+position",
                                       [PROGRAM_ADDRESS_CLAMP] = "+clamped position",
                                       [PROGRAM_ADDRESS_KV] = "+cache row",
                                       [PROGRAM_ADDRESS_CACHE] = "+cache",
                                       [PROGRAM_ADDRESS_TOKEN] = "+token",
                                       [PROGRAM_ADDRESS_EXPERT] = "+expert"};
    if (i->opcode != PROGRAM_MEM_READ && i->opcode != PROGRAM_MEM_WRITE)
        return;
    printf("@%" PRId32 "%s", i->address, mode[i->address_mode]);
    print_strides(i->stride);
    putchar(' ');
}

static void print_instruction(const struct program *p, const struct program_instruction *i)
{
    const struct program_op *op = &p->op[i->op];
    char queue[24];
    program_queue_name(i->queue, queue);
    printf("%9" PRId64 "  %-13s %-9s", i->cycle, queue, name_of(i));
    print_repeats(i);
    printf(" %s", op->name);
    if (op->layer >= 0)
        printf("[%" PRId16 "]", op->layer);
    printf(": ");
    print_address(i);
    print_operands(p, i);
    puts("");
}

static int by_cycle(const void *a, const void *b)
{
    const struct program_instruction *x = *(const struct program_instruction *const *)a;
    const struct program_instruction *y = *(const struct program_instruction *const *)b;
    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    return (x > y) - (x < y);
}

static bool is_wanted(const struct program *p, const struct program_instruction *i,
                      const struct app_command *command)
{
    char queue[24];
    program_queue_name(i->queue, queue);
    return (!command->queue || !strcmp(queue, command->queue)) &&
           (!command->op || !strcmp(p->op[i->op].name, command->op));
}

static void list_wanted(struct listing *list, const struct app_command *command)
{
    const struct program *p = list->program;
    list->wanted = base_alloc(p->instructions, sizeof *list->wanted);
    for (size_t n = 0; n < p->instructions; n++)
        if (is_wanted(p, &p->instruction[n], command))
            list->wanted[list->count++] = &p->instruction[n];
    if (list->count > 0)
        qsort(list->wanted, list->count, sizeof *list->wanted, by_cycle);
}

/* The names of a program's ops, each once; base_free. */
static char *names_of_ops(const struct program *p)
{
    char *text = base_strdup("");
    for (size_t n = 0; n < p->ops; n++) {
        bool known = false;
        for (size_t k = 0; k < n && !known; k++)
            known = !strcmp(p->op[k].name, p->op[n].name);
        if (known)
            continue;
        char *longer = base_format("%s%s%s", text, *text ? ", " : "", p->op[n].name);
        base_free(text);
        text = longer;
    }
    return text;
}

/* Nothing is there to list: whose fault that is. */
static void explain_nothing(const struct program *p, const struct app_command *command,
                            const char *phase, struct base_report *report)
{
    char *names = names_of_ops(p);
    if (p->instructions == 0)
        base_report_add(report, command->file, 0, "chip %" PRId32 " has nothing to do in %s",
                        command->chip, phase);
    else
        base_report_add(report, command->file, 0,
                        "chip %" PRId32 " has no such instruction in %s; ops are %s; queues are "
                        "called MEM 12, VXM 3, MXM 2 load, SXM 0, C2C send 4, C2C receive 4",
                        command->chip, phase, names);
    base_free(names);
}

static void list_program(const struct program *p, const struct app_command *command,
                         const char *phase, struct base_report *report)
{
    struct listing list = {.program = p};
    list_wanted(&list, command);
    if (list.count == 0)
        explain_nothing(p, command, phase, report);
    else
        printf("chip %" PRId32 ", %s: %s of %s instructions, %s cycles\n"
               "    cycle  queue         does      repeats         op: what it takes -> gives\n",
               p->chip, phase, app_text_count((int64_t)list.count).text,
               app_text_count((int64_t)p->instructions).text,
               app_text_count(p->length_cycles).text);
    for (size_t n = 0; n < list.count; n++)
        print_instruction(p, list.wanted[n]);
    base_free(list.wanted);
}

void app_artifact_list(const struct app_artifact *a, const struct app_command *command,
                       struct base_report *report)
{
    bool prefill = command->phase && !strcmp(command->phase, "prefill");
    enum partition_phase phase = prefill ? PARTITION_PREFILL : PARTITION_DECODE;
    struct program program[PARTITION_PHASES] = {{0}};
    int32_t chips = app_artifact_chips(a);
    if (command->chip >= chips)
        base_report_add(report, command->file, 0, "--chip %" PRId32 ": its chips are 0 to %" PRId32,
                        command->chip, chips - 1);
    else if (app_artifact_programs(a, command->chip, program, report))
        list_program(&program[phase], command, app_artifact_phase_name(phase), report);
    for (int n = 0; n < PARTITION_PHASES; n++)
        program_release(&program[n]);
}
