/* CLBlast behind the kernel ABI: entries that begin with "clblast_" are calls of the library. */
#ifndef MICA_DEVICE_OPENCL_CLBLAST_H
#define MICA_DEVICE_OPENCL_CLBLAST_H

#include "device/device.h"

#include <CL/cl.h>

/* The parameters of "clblast_sgemm"; bindings 0 a, 1 b, 2 c. For each i < batch, row-major and
 * packed: C(m,n) = op(A) op(B), where op(A) is (m,k), stored (k,m) if ta; op(B) is (k,n), stored
 * (n,k) if tb. Matrix i begins i * stride elements after the first; strides are ignored if batch is
 * 1, a_stride and b_stride may be 0 (the same matrix for all). The launch's groups and the kernel's
 * source, local size and constants play no part. */
typedef struct mica_clblast_sgemm_params {
    uint32_t m, n, k;
    uint32_t ta, tb;
    uint32_t batch;
    uint32_t a_stride, b_stride, c_stride;
} mica_clblast_sgemm_params;

bool mica_clblast_serves(const char *entry);

/* Is there such a call, with these bindings and parameters? */
mica_status mica_clblast_check(const mica_kernel_desc *desc);

/* Do the launch's matrices fit into its ranges? */
mica_status mica_clblast_check_launch(const mica_launch *launch);

/* Queues a checked launch. The library compiles and allocates at its first calls. */
mica_status mica_clblast_run(const mica_launch *launch, cl_command_queue queue);

#endif
