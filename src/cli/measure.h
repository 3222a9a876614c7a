/* What measuring programs takes: random data, a clock, sorted times. */
#ifndef MICA_CLI_MEASURE_H
#define MICA_CLI_MEASURE_H

#include <mica/graph.h>

/* Writes normal numbers into a float32 input, or class numbers below `classes` into an int32 one.
 * The same on every machine. */
mica_status mica_cli_random_floats(mica_program *program, const mica_value *input);
mica_status mica_cli_random_labels(mica_program *program, const mica_value *input, int32_t classes);

/* Sorts numbers, the smallest first. */
void mica_cli_sort(double *numbers, size_t count);

/* Seconds since some fixed time. */
double mica_cli_seconds(void);

#endif
