/* What measuring programs takes: random data, a clock, sorted times. */
#include "cli/measure.h"

#include "base/mem.h"
#include "base/philox.h"

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
