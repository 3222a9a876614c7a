/* `mica bench --peak`: how many float32 operations a second the device can do at most. */
#include "cli/bench.h"

#include "base/error.h"
#include "cli/cli.h"
#include "cli/measure.h"

#include "graph/graph_impl.h"

#include <math.h>
#include <stdio.h>

/* As in cl/peak.cl and shaders/peak.comp. */
typedef struct peak_params {
    uint32_t steps;
} peak_params;

enum { CHAINS = 12, STEPS_LEAST = 1024, STEPS_MOST = 1 << 24 };
static const double run_seconds = 20e-3; /* long enough that a launch's start does not count */
static const double wanted_seconds = 0.5;

typedef struct peak {
    mica_device *device;
    mica_buffer *seeds, *sums;
    mica_launch launch;
    double flops_per_step;
} peak;

static mica_status prepare(peak *p) {
    const mica_traits *traits = mica_device_traits(p->device);
    const float seeds[2] = {0.999f, 0.001f};
    bool lanes = traits->vector_width > 1; /* else work-items are lanes */
    mica_kernel_desc desc = {.source = "peak",
        .entry = "peak_fma",
        .n_bindings = 2,
        .params_size = sizeof(peak_params),
        .local = {lanes ? 1 : 64, 1, 1}};
    mica_constant_set(&desc, "WIDTH", lanes ? (int32_t)traits->vector_width : 1);
    mica_constant_set(&desc, "CHAINS", CHAINS);
    uint32_t groups = traits->compute_units * (lanes ? 4 : 32);
    double items = (double)groups * desc.local[0];
    MICA_TRY(mica_buffer_create(p->device, sizeof seeds, MICA_MEMORY_DEVICE, &p->seeds));
    MICA_TRY(mica_buffer_write(p->seeds, 0, seeds, sizeof seeds));
    MICA_TRY(mica_buffer_create(p->device, (uint64_t)items * 4, MICA_MEMORY_DEVICE, &p->sums));
    MICA_TRY(mica_kernel_get(p->device, &desc, &p->launch.kernel));
    p->launch.bindings[0] = (mica_range){p->seeds, 0, 2};
    p->launch.bindings[1] = (mica_range){p->sums, 0, (uint64_t)items};
    for (int i = 0; i < 3; i++)
        p->launch.groups[i] = i ? 1 : groups;
    p->flops_per_step = 2.0 * CHAINS * items * (lanes ? traits->vector_width : 1);
    return MICA_OK;
}

static mica_status time_once(mica_device *device, mica_commands *commands, double *seconds) {
    uint64_t nanoseconds;
    MICA_TRY(mica_commands_submit(commands));
    MICA_TRY(mica_device_wait(device));
    MICA_TRY(mica_commands_times(commands, &nanoseconds));
    *seconds = (double)nanoseconds * 1e-9;
    return MICA_OK;
}

/* The best of runs of so many steps over `seconds`, and at least two: the first may compile. */
static mica_status time_steps(peak *p, uint32_t steps, double seconds, double *best) {
    mica_commands *commands = NULL;
    const peak_params params = {steps};
    p->launch.params[0] = params.steps;
    MICA_TRY(mica_commands_create(p->device, &p->launch, 1, true, &commands));
    double end = mica_cli_seconds() + seconds, once;
    mica_status status = time_once(p->device, commands, &once);
    *best = INFINITY;
    while (status == MICA_OK && (isinf(*best) || mica_cli_seconds() < end)) {
        status = time_once(p->device, commands, &once);
        *best = fmin(*best, once);
    }
    mica_commands_destroy(&commands);
    return status;
}

static mica_status measure(peak *p, double *rate) {
    uint32_t steps = STEPS_LEAST;
    double best = 0;
    MICA_TRY(prepare(p));
    MICA_TRY(time_steps(p, steps, 0, &best));
    while (best < run_seconds && steps < STEPS_MOST &&
           steps < mica_device_traits(p->device)->max_loop_steps / 2) {
        steps *= 2;
        MICA_TRY(time_steps(p, steps, 0, &best));
    }
    MICA_TRY(time_steps(p, steps, wanted_seconds, &best));
    *rate = p->flops_per_step * steps / best;
    return MICA_OK;
}

mica_status mica_cli_peak_rate(mica_device *device, double *rate) {
    peak p = {.device = device};
    mica_status status = measure(&p, rate);
    mica_buffer_destroy(&p.seeds);
    mica_buffer_destroy(&p.sums);
    return status;
}

int mica_cli_bench_peak(mica_device *device, bool json) {
    double rate;
    mica_status status = mica_cli_peak_rate(device, &rate);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    if (json)
        return mica_cli_json(json_pack(
            "{s:f, s:s}", "peak_gflop_s", rate * 1e-9, "device", mica_device_get_info(device)->id));
    mica_cli_out("peak          %10.1f GFLOP/s\n", rate * 1e-9);
    return 0;
}
