/* The parts of `mica bench` that measure single kernels. Each prints its results and returns the
 * exit code. */
#ifndef MICA_CLI_BENCH_H
#define MICA_CLI_BENCH_H

#include <mica/device.h>
#include <stdbool.h>

/* Float32 operations a second of multiply-adds in registers: the best of runs over half a second.
 */
mica_status mica_cli_peak_rate(mica_device *device, double *rate);
int mica_cli_bench_peak(mica_device *device, bool json);

/* The convolutions of cifar_cnn, each in its three passes. */
int mica_cli_bench_conv(mica_device *device, bool json);

#endif
