/* `mica bench --conv`: the convolutions of cifar_cnn, each in its three passes. */
#include "cli/bench.h"

#include "cli/cli.h"
#include "cli/measure.h"

#include <mica/ops.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* 3x3, stride 1, SAME, batch 128. */
static const struct layer {
    int64_t size, from, to; /* height and width; depth of the image and of the map */
} layers[] = {{32, 3, 32}, {32, 32, 32}, {16, 32, 64}, {16, 64, 64}, {8, 64, 128}};
static const int64_t batch = 128, reach = 3;

enum { LAYERS = sizeof layers / sizeof *layers, PASSES = 3 };
static const char *const passes[PASSES] = {"forward", "data", "filter"};
static const double seconds_wanted = 0.6; /* for the three passes of a layer */

/* The pass that a launch serves, by its node; -1: it is no convolution. */
static int pass_of(const mica_program_row *row) {
    if (strstr(row->node, "conv2d_data"))
        return 1;
    if (strstr(row->node, "conv2d_filter"))
        return 2;
    return strstr(row->node, "conv2d") ? 0 : -1;
}

/* Adds up the launches of the last run and keeps the least, in seconds. */
static mica_status keep_least(mica_program *program, double seconds[PASSES]) {
    mica_program_report report;
    double sums[PASSES] = {0};
    MICA_TRY(mica_program_get_report(program, &report));
    for (size_t i = 0; i < report.n_rows; i++) {
        int pass = pass_of(&report.rows[i]);
        if (pass >= 0)
            sums[pass] += report.rows[i].microseconds * 1e-6;
    }
    for (int i = 0; i < PASSES; i++)
        seconds[i] = fmin(seconds[i], sums[i]);
    return MICA_OK;
}

static mica_status run_program(mica_device *device, mica_program *program, double *seconds) {
    for (int i = 0; i < PASSES; i++)
        seconds[i] = INFINITY;
    double end = 0;
    for (int run = 0; run < 3 || mica_cli_seconds() < end; run++) {
        if (run == 1) /* the first run compiles */
            end = mica_cli_seconds() + seconds_wanted;
        MICA_TRY(mica_program_run(program));
        MICA_TRY(mica_device_wait(device));
        if (run > 0)
            MICA_TRY(keep_least(program, seconds));
    }
    return MICA_OK;
}

/* The sum of map * weights, whose gradient in the map are the weights. */
static mica_value *build(mica_graph *graph, const struct layer *l) {
    const mica_init normal = {.kind = MICA_INIT_NORMAL, .value = 1};
    const mica_conv2d_options same = {.padding = MICA_SAME};
    mica_value *image =
        mica_parameter(graph, "image", MICA_SHAPE(batch, l->size, l->size, l->from), normal);
    mica_value *filter =
        mica_parameter(graph, "filter", MICA_SHAPE(reach, reach, l->from, l->to), normal);
    mica_value *weights =
        mica_parameter(graph, "weights", MICA_SHAPE(batch, l->size, l->size, l->to), normal);
    mica_parameter_freeze(weights, true);
    mica_value *map = mica_conv2d(image, filter, &same);
    return mica_sum(mica_mul(map, weights), NULL, 0, false);
}

static mica_status measure(
    mica_device *device, mica_graph *graph, const struct layer *l, double seconds[PASSES]) {
    mica_model *model = NULL;
    mica_program *program = NULL;
    mica_program_options options = {
        .loss = build(graph, l), .training = true, .gradients = true, .timed = true};
    MICA_TRY(mica_model_create(graph, device, 1, &model));
    mica_status status = mica_program_create(model, &options, &program);
    if (status == MICA_OK)
        status = run_program(device, program, seconds);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    return status;
}

static int report(
    mica_device *device, bool json, const struct layer *l, const double seconds[], double peak) {
    double flops = 2.0 * (double)(batch * l->size * l->size * reach * reach * l->from * l->to);
    int code = 0;
    for (int i = 0; i < PASSES && !code; i++) {
        double rate = flops / seconds[i];
        if (json)
            code = mica_cli_json(json_pack("{s:I, s:I, s:I, s:s, s:f, s:f, s:f, s:s}", "size",
                (json_int_t)l->size, "in", (json_int_t)l->from, "out", (json_int_t)l->to, "pass",
                passes[i], "ms", seconds[i] * 1e3, "gflop_s", rate * 1e-9, "of_peak", rate / peak,
                "device", mica_device_get_info(device)->id));
        else
            mica_cli_out("%2lldx%-2lld %3lld -> %-3lld  %-8s %10.3f %10.1f %8.2f\n",
                (long long)l->size, (long long)l->size, (long long)l->from, (long long)l->to,
                passes[i], seconds[i] * 1e3, rate * 1e-9, rate / peak);
    }
    mica_cli_out_flush();
    return code;
}

int mica_cli_bench_conv(mica_device *device, bool json) {
    double peak, seconds[PASSES];
    int code = 0;
    mica_status status = mica_cli_peak_rate(device, &peak);
    if (status == MICA_OK && !json)
        mica_cli_out("peak of multiply-adds: %.1f GFLOP/s\n"
                     "3x3, batch %lld     pass             ms    GFLOP/s  of peak\n",
            peak * 1e-9, (long long)batch);
    for (int i = 0; i < LAYERS && status == MICA_OK && !code; i++) {
        mica_graph *graph = NULL;
        status = mica_graph_create(&graph);
        if (status == MICA_OK)
            status = measure(device, graph, &layers[i], seconds);
        mica_graph_destroy(&graph);
        if (status == MICA_OK)
            code = report(device, json, &layers[i], seconds, peak);
    }
    return status == MICA_OK ? code : mica_cli_fail(status);
}
