/* SPDX-License-Identifier: BSD-3-Clause */
/* The same requests at both machines' doors. */
#ifndef APP_SERVING_H
#define APP_SERVING_H

#include "app/app.h"
#include "serve/requests.h"

/* Serve `count` requests, sorted by arrival, on one machine as the run describes it; fill
 * outcome[count]. Collective; the outcome is the same on all ranks and for any number of them. The
 * LPU's programs are compiled, the GPU's job is valid. Shows progress unless the run is quiet. */
enum base_status app_serving_lpu(struct app_run *run, const struct serve_request *request,
                                 size_t count, struct serve_outcome *outcome);
enum base_status app_serving_gpu(struct app_run *run, const struct serve_request *request,
                                 size_t count, struct serve_outcome *outcome);

#endif
