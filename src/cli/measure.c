/* What measuring programs takes: random data, a clock, sorted times, a matrix product. */
#include "cli/measure.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/philox.h"

#include <mica/ops.h>
#include <stdlib.h>
#include <time.h>

mica_status mica_cli_random_floats(mica_program *program, const mica_value *input) {
    size_t count = (size_t)mica_shape_count(mica_value_shape(input));
    float *data = mica_alloc(count, sizeof *data);
    if (!data)
        return MICA_E_MEMORY;
    mica_rng rng = {.seed = 1};
    for (size_t i = 0; i < count; i++)
        data[i] = mica_rng_normal(&rng);
    mica_status status = mica_program_write(program, input, data, count * sizeof *data);
    free(data);
    return status;
}

mica_status mica_cli_random_labels(
    mica_program *program, const mica_value *input, int32_t classes) {
    size_t count = (size_t)mica_shape_count(mica_value_shape(input));
    int32_t *data = mica_alloc(count, sizeof *data);
    if (!data)
        return MICA_E_MEMORY;
    mica_rng rng = {.seed = 2};
    for (size_t i = 0; i < count; i++)
        data[i] = (int32_t)mica_rng_below(&rng, (uint32_t)classes);
    mica_status status = mica_program_write(program, input, data, count * sizeof *data);
    free(data);
    return status;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void mica_cli_sort(double *numbers, size_t count) {
    qsort(numbers, count, sizeof *numbers, compare);
}

double mica_cli_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

enum { RUNS_MOST = 1000 };
static const double product_seconds = 0.3;

/* The median time of a run, in seconds. */
static mica_status time_runs(mica_device *device, mica_program *program, double *median) {
    double times[RUNS_MOST];
    size_t count = 0;
    MICA_TRY(mica_program_run(program)); /* the first one compiles */
    MICA_TRY(mica_device_wait(device));
    double end = mica_cli_seconds() + product_seconds;
    do {
        double start = mica_cli_seconds();
        MICA_TRY(mica_program_run(program));
        MICA_TRY(mica_device_wait(device));
        times[count++] = mica_cli_seconds() - start;
    } while (count < RUNS_MOST && mica_cli_seconds() < end);
    mica_cli_sort(times, count);
    *median = times[count / 2];
    return MICA_OK;
}

static mica_status time_product(
    mica_device *device, mica_graph *graph, int64_t size, double *median) {
    mica_model *model = NULL;
    mica_program *program = NULL;
    mica_value *a = mica_input(graph, "a", MICA_F32, MICA_SHAPE(size, size));
    mica_value *b = mica_input(graph, "b", MICA_F32, MICA_SHAPE(size, size));
    mica_value *c = mica_matmul(a, b, NULL);
    mica_program_options options = {.outputs = &c, .n_outputs = 1};
    MICA_TRY(mica_model_create(graph, device, 1, &model));
    mica_status status = mica_program_create(model, &options, &program);
    if (status == MICA_OK)
        status = mica_cli_random_floats(program, a);
    if (status == MICA_OK)
        status = mica_cli_random_floats(program, b);
    if (status == MICA_OK)
        status = time_runs(device, program, median);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    return status;
}

mica_status mica_cli_product_rate(mica_device *device, int64_t size, double *rate) {
    mica_graph *graph = NULL;
    double median = 0;
    MICA_TRY(mica_graph_create(&graph));
    mica_status status = time_product(device, graph, size, &median);
    mica_graph_destroy(&graph);
    if (status == MICA_OK)
        *rate = 2.0 * (double)size * (double)size * (double)size / median;
    return status;
}
