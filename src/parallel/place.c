/* SPDX-License-Identifier: BSD-3-Clause */
/* Hosts, cores and resources of the ranks, through hwloc. */
#include "parallel/place.h"

#include <hwloc.h>
#include <mpi.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/memory.h"
#include "parallel/copies.h"
#include "parallel/parallel.h"
#include "parallel/room.h"

static double clock_start;

/* Open MPI reads its parameter mpi_yield_when_idle from this variable. */
static const char yield_variable[] = "OMPI_MCA_mpi_yield_when_idle";

static hwloc_topology_t topology_load(void)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) || hwloc_topology_load(topology))
        parallel_abort(BASE_FAILURE, "hwloc cannot read the topology of this host");
    return topology;
}

/* Cores this process may use, or hardware threads where the machine shows no cores. */
static int topology_cores(hwloc_topology_t topology)
{
    int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    return cores > 0 ? cores : hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
}

int parallel_host_cores(void)
{
    hwloc_topology_t topology = topology_load();
    int cores = topology_cores(topology);
    hwloc_topology_destroy(topology);
    return cores;
}

int parallel_most_tasks(const char *list)
{
    long most = 0;
    while (*list) {
        char *end;
        long tasks = strtol(list, &end, 10);
        if (end == list)
            break;
        if (tasks > most)
            most = tasks;
        end += strcspn(end, ",");
        list = *end ? end + 1 : end;
    }
    return (int)most;
}

/* Ranks on this host, from what launchers say before MPI starts; 1 where nobody says. */
static int ranks_on_this_host(void)
{
    static const char *const variable[] = {"OMPI_COMM_WORLD_LOCAL_SIZE",
                                           "SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE"};
    for (size_t i = 0; i < sizeof variable / sizeof variable[0]; i++) {
        const char *text = getenv(variable[i]);
        int ranks = text ? parallel_most_tasks(text) : 0;
        if (ranks > 0)
            return ranks;
    }
    return 1;
}

void parallel_decide_yield(void)
{
    if (ranks_on_this_host() > parallel_host_cores())
        setenv(yield_variable, "1", 0);
}

bool parallel_ranks_yield(void)
{
    const char *value = getenv(yield_variable);
    return value && strchr("1tTyY", value[0]) != NULL && value[0];
}

static char *count_text(hwloc_topology_t topology, hwloc_obj_type_t type, const char *noun)
{
    int count = hwloc_get_nbobjs_by_type(topology, type);
    return base_format("%d %s%s", count, noun, count == 1 ? "" : "s");
}

char *parallel_host_text(void)
{
    hwloc_topology_t topology = topology_load();
    char *cores = count_text(topology, HWLOC_OBJ_CORE, "core");
    char *threads = count_text(topology, HWLOC_OBJ_PU, "hardware thread");
    char *nodes = count_text(topology, HWLOC_OBJ_NUMANODE, "NUMA node");
    double bytes = (double)hwloc_get_root_obj(topology)->total_memory;
    char *text = base_format("%s, %s, %s, %.1f GiB", cores, threads, nodes,
                             bytes / (double)(INT64_C(1) << 30));
    base_free(cores);
    base_free(threads);
    base_free(nodes);
    hwloc_topology_destroy(topology);
    return text;
}

/* "cores 0-3", or "any core" where the process is not bound. */
static char *binding_text(void)
{
    hwloc_topology_t topology = topology_load();
    hwloc_bitmap_t bound = hwloc_bitmap_alloc(), cores = hwloc_bitmap_alloc();
    char *text = NULL;
    if (hwloc_get_cpubind(topology, bound, HWLOC_CPUBIND_PROCESS) == 0 &&
        !hwloc_bitmap_isincluded(hwloc_topology_get_topology_cpuset(topology), bound)) {
        hwloc_obj_t core = NULL;
        while ((core = hwloc_get_next_obj_covering_cpuset_by_type(topology, bound, HWLOC_OBJ_CORE,
                                                                  core)))
            hwloc_bitmap_set(cores, core->logical_index);
        char *list;
        hwloc_bitmap_list_asprintf(&list, cores);
        text = base_format("core%s %s", hwloc_bitmap_weight(cores) == 1 ? "" : "s", list);
        free(list);
    }
    hwloc_bitmap_free(bound);
    hwloc_bitmap_free(cores);
    hwloc_topology_destroy(topology);
    return text ? text : base_strdup("any core");
}

/* "node1, cores 0-3" */
static char *place_text(void)
{
    char host[MPI_MAX_PROCESSOR_NAME + 1] = "";
    int length;
    MPI_Get_processor_name(host, &length);
    char *binding = binding_text();
    char *text = base_format("%s, %s", host, binding);
    base_free(binding);
    return text;
}

/* `lines` holds a line for each rank; equal neighbours become one. Consumes `lines`. */
static char *lines_merge(char *lines)
{
    char *merged = base_strdup("");
    int rank = 0;
    for (char *line = lines; *line;) {
        size_t length = strcspn(line, "\n") + 1;
        int last = rank;
        char *next = line + length;
        for (; *next && !strncmp(next, line, length); next += length)
            last++;
        char *longer =
            last == rank
                ? base_format("%srank %d on %.*s", merged, rank, (int)length, line)
                : base_format("%sranks %d-%d on %.*s", merged, rank, last, (int)length, line);
        base_free(merged);
        merged = longer;
        rank = last + 1;
        line = next;
    }
    base_free(lines);
    return merged;
}

char *parallel_layout_text(void)
{
    char *place = place_text();
    char *line = base_format("%s\n", place);
    base_free(place);
    char *lines = parallel_concatenate(line);
    base_free(line);
    return lines_merge(lines);
}

char *parallel_library_text(void)
{
    char name[MPI_MAX_LIBRARY_VERSION_STRING];
    int length, version, subversion;
    MPI_Get_library_version(name, &length);
    MPI_Get_version(&version, &subversion);
    name[strcspn(name, ",")] = '\0';
    return base_format("%s, MPI %d.%d", name, version, subversion);
}

int64_t parallel_peak_memory_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t bytes = (int64_t)usage.ru_maxrss * 1024;
    parallel_sum_i64(&bytes, 1);
    return bytes;
}

double parallel_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void parallel_clock_start(void)
{
    clock_start = parallel_clock_seconds();
}

double parallel_wall_seconds(void)
{
    return parallel_clock_seconds() - clock_start;
}
