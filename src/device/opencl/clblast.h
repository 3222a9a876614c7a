/* CLBlast behind the kernel ABI: entries that begin with "clblast_" are calls of the library. */
#ifndef MICA_DEVICE_OPENCL_CLBLAST_H
#define MICA_DEVICE_OPENCL_CLBLAST_H

#include "device/clblast.h"
#include "device/device.h"

#include <CL/cl.h>

bool mica_clblast_serves(const char *entry);

/* Is there such a call, with these bindings and parameters? */
mica_status mica_clblast_check(const mica_kernel_desc *desc);

/* Do the launch's matrices fit into its ranges? */
mica_status mica_clblast_check_launch(const mica_launch *launch);

/* Queues a checked launch. The library compiles and allocates at its first calls. */
mica_status mica_clblast_run(const mica_launch *launch, cl_command_queue queue);

#endif
