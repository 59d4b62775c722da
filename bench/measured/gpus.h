/* SPDX-License-Identifier: BSD-3-Clause */
/* GPUs by the names that tables have for them; each description file is read once. */
#ifndef MEASURED_GPUS_H
#define MEASURED_GPUS_H

#include <stddef.h>

#include "base/gpu_machine.h"

struct gpus;

/* Description files lie in `folder`; `set` are "key=value" of gpu.chip that every GPU gets. */
struct gpus *gpus_new(const char *folder, const char *const *set, size_t sets);
void gpus_free(struct gpus *gpus);

/* "h200_sxm" is described by h200_sxm.cfg or h200-sxm.cfg. NULL where neither can be read; the
 * first time, standard error says why. */
const struct gpu_chip *gpus_find(struct gpus *gpus, const char *name);

/* The same, to be changed by who fits it; later predictions see the change. */
struct gpu_chip *gpus_find_to_change(struct gpus *gpus, const char *name);

/* The machine it stands in: h200_sxm in "1x8" is described by h200-1x8.cfg in the folder topologies
 * beside that of GPUs. NULL as above. */
const struct gpu_cluster_spec *gpus_cluster(struct gpus *gpus, const char *name,
                                            const char *machine);

#endif
