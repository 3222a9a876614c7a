/* What measuring programs takes: random data, a clock, sorted times, a matrix product. */
#ifndef MICA_CLI_MEASURE_H
#define MICA_CLI_MEASURE_H

#include <mica/graph.h>

/* Writes normal numbers into a float32 input, or class numbers below `classes` into an int32 one.
 * The same on every machine. */
mica_status mica_cli_random_floats(mica_program *program, const mica_value *input);
mica_status mica_cli_random_labels(mica_program *program, const mica_value *input, int32_t classes);

/* Floating-point operations a second of a product of two square matrices, the median of runs over
 * about 0.3 seconds. */
mica_status mica_cli_product_rate(mica_device *device, int64_t size, double *rate);

/* Sorts numbers, the smallest first. */
void mica_cli_sort(double *numbers, size_t count);

/* Seconds since some fixed time. */
double mica_cli_seconds(void);

#endif
