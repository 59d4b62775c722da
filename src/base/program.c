/* SPDX-License-Identifier: BSD-3-Clause */
/* Names, positions and release of programs. */
#include "base/program.h"

#include <stdio.h>

#include "base/memory.h"

int32_t program_queue_position(const struct lpu_chip *chip, int32_t queue)
{
    const int32_t slices = chip->mem_slices_per_hemisphere, east_edge = 2 * slices + 3;
    if (queue < PROGRAM_QUEUE_VXM)
        return queue < slices ? 2 + queue : 3 + queue;
    if (queue < PROGRAM_QUEUE_MXM)
        return 2 + slices;
    if (queue < PROGRAM_QUEUE_SEND)
        return program_mxm_plane(queue) < 2 ? 0 : east_edge + 1;
    if (queue < PROGRAM_QUEUE_SXM)
        return 1;
    return queue < PROGRAM_QUEUE_SXM + PROGRAM_SXM_QUEUES ? 1 : east_edge;
}

const char *program_opcode_name(enum program_opcode opcode)
{
    static const char *const name[PROGRAM_OPCODES] = {"read",    "write",  "load",    "install",
                                                      "compute", "alu",    "permute", "transpose",
                                                      "send",    "receive"};
    return opcode < PROGRAM_OPCODES ? name[opcode] : "?";
}

void program_queue_name(int32_t queue, char *text)
{
    static const char *const use[PROGRAM_MXM_QUEUES] = {"load", "install", "compute"};
    const size_t n = 24;
    if (queue < PROGRAM_QUEUE_VXM)
        snprintf(text, n, "MEM %d", queue);
    else if (queue < PROGRAM_QUEUE_MXM)
        snprintf(text, n, "VXM %d", queue - PROGRAM_QUEUE_VXM);
    else if (queue < PROGRAM_QUEUE_SEND)
        snprintf(text, n, "MXM %d %s", program_mxm_plane(queue),
                 use[(queue - PROGRAM_QUEUE_MXM) % PROGRAM_MXM_QUEUES]);
    else if (queue < PROGRAM_QUEUE_RECEIVE)
        snprintf(text, n, "C2C send %d", queue - PROGRAM_QUEUE_SEND);
    else if (queue < PROGRAM_QUEUE_SXM)
        snprintf(text, n, "C2C receive %d", queue - PROGRAM_QUEUE_RECEIVE);
    else if (queue < PROGRAM_QUEUE_HOST)
        snprintf(text, n, "SXM %d", queue - PROGRAM_QUEUE_SXM);
    else
        snprintf(text, n, "%s", queue == PROGRAM_QUEUE_HOST ? "HOST" : "SYNC");
}

void program_release(struct program *program)
{
    base_free(program->instruction);
    base_free(program->operand);
    base_free(program->tensor);
    base_free(program->slice);
    base_free(program->row);
    base_free(program->op);
    *program = (struct program){0};
}
