/* What PoCL, the OpenCL driver for CPUs, takes from the environment. */
#ifndef MICA_CLI_POCL_H
#define MICA_CLI_POCL_H

/* Before any driver is opened: asks for threads that keep their cores and, where the user has no
 * cache folder that can be written, gives PoCL a private one, without which it has no device. What
 * the user has set stands. */
void mica_cli_pocl_begin(void);

/* Removes that folder. */
void mica_cli_pocl_end(void);

#endif
