/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs travel from the rank that compiled them to the ranks of their chips. */
#ifndef APP_LPU_PROGRAMS_H
#define APP_LPU_PROGRAMS_H

#include "app/lpu.h"

/* Collective. Fills lpu->own[].program of every rank from the first rank's plan; at most one chip a
 * rank is under way at a time. */
void app_lpu_hand_out(struct app_lpu *lpu);

#endif
