/* `mica bench`: the reference workloads, in time a training step, and matrix products. */
#include "cli/bench.h"

#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/measure.h"
#include "cli/workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_start[] =
    "usage: mica bench [--device D] [--steps N] [--matmul | --conv | --peak] [--json]\n"
    "                  [WORKLOAD...]\n"
    "\n"
    "Measures training steps of the reference workloads (all, if none is named) on random data\n"
    "that is already on the device: forward, backward and SGD, float32 (alexnet_codes: forward\n"
    "only). The time is the median over about four seconds; each step ends with waiting for the\n"
    "device.\n"
    "\n";
static const char help_end[] =
    "\n"
    "  --device D   opencl:0, vulkan:0, a part of a name, gpu, cpu or auto (the default)\n"
    "  --steps N    so many steps instead of about four seconds\n"
    "  --matmul     instead, products of square matrices\n"
    "  --conv       instead, the convolutions of cifar_cnn, batch 128, in their three passes,\n"
    "               and what part of the peak they reach; the best of about 0.6 seconds\n"
    "  --peak       instead, the device's rate of float32 multiply-adds\n"
    "  --json       one JSON object a workload, product or pass, each on a line\n"
    "  --help       this text\n";

enum { STEPS_MIN = 5, STEPS_MAX = 100000, WARM_UP = 3, WORKLOADS_MOST = 32 };
static const double seconds_wanted = 4;

/* ---- measuring ---- */

typedef struct request {
    mica_device *device;
    int64_t steps; /* 0: about four seconds */
    bool json, matmul, conv, peak;
} request;

static mica_status step(mica_device *device, mica_program *program) {
    MICA_TRY(mica_program_run(program));
    return mica_device_wait(device);
}

/* *median is in seconds. */
static mica_status measure(const request *asked, mica_program *program, double *median) {
    for (int i = 0; i < WARM_UP; i++)
        MICA_TRY(step(asked->device, program));
    double start = mica_cli_seconds();
    MICA_TRY(step(asked->device, program));
    double once = mica_cli_seconds() - start;
    double wanted = asked->steps ? (double)asked->steps : seconds_wanted / (once + 1e-9);
    size_t steps = (size_t)(wanted < STEPS_MAX ? wanted : STEPS_MAX);
    if (steps < STEPS_MIN && !asked->steps)
        steps = STEPS_MIN;
    double *times = mica_alloc(steps, sizeof *times);
    if (!times)
        return MICA_E_MEMORY;
    mica_status status = MICA_OK;
    for (size_t i = 0; i < steps && status == MICA_OK; i++) {
        start = mica_cli_seconds();
        status = step(asked->device, program);
        times[i] = mica_cli_seconds() - start;
    }
    if (status == MICA_OK) {
        mica_cli_sort(times, steps);
        *median = times[steps / 2];
    }
    free(times);
    return status;
}

static int report(const request *asked, const mica_workload *workload, double median) {
    const mica_device_info *info = mica_device_get_info(asked->device);
    double milliseconds = median * 1e3, rate = (double)workload->batch / median;
    if (asked->json)
        return mica_cli_json(json_pack("{s:s, s:I, s:f, s:f, s:s, s:s}", "workload", workload->name,
            "batch", (json_int_t)workload->batch, "ms_per_step", milliseconds, "samples_per_s",
            rate, "device", info->id, "device_name", info->name));
    mica_cli_out("%-20s %6lld %12.3f %14.0f\n", workload->name, (long long)workload->batch,
        milliseconds, rate);
    return 0;
}

static mica_status run(
    const request *asked, const mica_workload *workload, mica_graph *graph, double *median) {
    mica_workload_network net = {0};
    workload->build(&net, graph, workload->batch);
    mica_model *model = NULL;
    mica_program *program = NULL;
    MICA_TRY(mica_model_create(graph, asked->device, 1, &model));
    const mica_optimizer sgd = {.kind = MICA_SGD, .learning_rate = 0.01f};
    mica_program_options options = {.loss = net.loss, .optimizer = &sgd, .training = true};
    if (!net.loss)
        options = (mica_program_options){.outputs = &net.result, .n_outputs = 1};
    mica_status status = mica_program_create(model, &options, &program);
    for (int i = 0; i < 3 && net.inputs[i] && status == MICA_OK; i++)
        status = mica_value_dtype(net.inputs[i]) == MICA_I32
                     ? mica_cli_random_labels(program, net.inputs[i], net.below[i])
                     : mica_cli_random_floats(program, net.inputs[i]);
    if (status == MICA_OK)
        status = measure(asked, program, median);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    return status;
}

static int bench(const request *asked, const mica_workload *workload) {
    mica_graph *graph = NULL;
    double median = 0;
    mica_status status = mica_graph_create(&graph);
    if (status == MICA_OK)
        status = run(asked, workload, graph, &median);
    mica_graph_destroy(&graph);
    return status == MICA_OK ? report(asked, workload, median) : mica_cli_fail(status);
}

/* ---- the command ---- */

static int help(void) {
    fputs(help_start, stdout);
    for (size_t i = 0; i < mica_workload_count; i++)
        mica_cli_out("  %-20s batch %lld: %s\n", mica_workloads[i].name,
            (long long)mica_workloads[i].batch, mica_workloads[i].help);
    fputs(help_end, stdout);
    return 0;
}

static const mica_workload *find(const char *name) {
    const char *names[WORKLOADS_MOST];
    for (size_t i = 0; i < mica_workload_count; i++) {
        names[i] = mica_workloads[i].name;
        if (!strcmp(name, names[i]))
            return &mica_workloads[i];
    }
    const char *near = mica_nearest(name, names, mica_workload_count);
    mica_cli_usage(near ? "bench: unknown workload %s; did you mean %s?"
                        : "bench: unknown workload %s; mica bench --help lists them",
        name, near);
    return NULL;
}

static int bench_products(const request *asked) {
    static const int64_t sizes[] = {256, 512, 1024, 2048};
    int code = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !code; i++) {
        double rate;
        mica_status status = mica_cli_product_rate(asked->device, sizes[i], &rate);
        if (status != MICA_OK)
            return mica_cli_fail(status);
        if (asked->json)
            code = mica_cli_json(json_pack("{s:I, s:f, s:s}", "matmul", (json_int_t)sizes[i],
                "gflop_s", rate * 1e-9, "device", mica_device_get_info(asked->device)->id));
        else
            mica_cli_out("matmul %-6lld %10.1f GFLOP/s\n", (long long)sizes[i], rate * 1e-9);
        mica_cli_out_flush();
    }
    return code;
}

static int bench_workloads(const request *asked, char **names, int n_names) {
    int code = 0;
    if (!asked->json)
        mica_cli_out("%-20s %6s %12s %14s\n", "workload", "batch", "ms a step", "samples/s");
    for (int i = 0; i < (n_names ? n_names : (int)mica_workload_count) && !code; i++) {
        code = bench(asked, n_names ? find(names[i]) : &mica_workloads[i]);
        mica_cli_out_flush();
    }
    return code;
}

static int bench_all(request *asked, const char *device, char **names, int n_names) {
    if (asked->matmul + asked->conv + asked->peak > 1)
        return mica_cli_usage("bench: --matmul, --conv and --peak exclude each other");
    if ((asked->matmul || asked->conv || asked->peak) && n_names)
        return mica_cli_usage("bench: %s takes no workloads", asked->matmul ? "--matmul"
                                                              : asked->conv ? "--conv"
                                                                            : "--peak");
    for (int i = 0; i < n_names; i++)
        if (!find(names[i]))
            return 2;
    mica_status status = mica_device_open(device, &asked->device);
    if (status != MICA_OK)
        return mica_cli_fail(status);
    const mica_device_info *info = mica_device_get_info(asked->device);
    mica_cli_device_note(info->note);
    if (!asked->json)
        mica_cli_out("%s (%s)\n", info->id, info->name);
    int code = asked->matmul ? bench_products(asked)
               : asked->conv ? mica_cli_bench_conv(asked->device, asked->json)
               : asked->peak ? mica_cli_bench_peak(asked->device, asked->json)
                             : bench_workloads(asked, names, n_names);
    mica_device_destroy(&asked->device);
    return code;
}

int mica_cli_bench(int argc, char **argv) {
    static const struct option options[] = {{"device", required_argument, NULL, 'd'},
        {"steps", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},
        {"matmul", no_argument, NULL, 'm'}, {"conv", no_argument, NULL, 'c'},
        {"peak", no_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    request asked = {0};
    const char *device = NULL;
    for (int letter; (letter = mica_cli_option(argc, argv, "h", options)) != -1;) {
        if (letter == 'd')
            device = optarg;
        else if (letter == 'n') {
            if (!mica_cli_integer("bench: --steps", optarg, 1, STEPS_MAX, &asked.steps))
                return 2;
        } else if (letter == 'j')
            asked.json = true;
        else if (letter == 'm')
            asked.matmul = true;
        else if (letter == 'c')
            asked.conv = true;
        else if (letter == 'p')
            asked.peak = true;
        else
            return letter == 'h' ? help() : 2;
    }
    return bench_all(&asked, device, argv + optind, argc - optind);
}
