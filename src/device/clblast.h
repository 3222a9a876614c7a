/* The calls of CLBlast that devices with the trait `clblast` serve like kernels. */
#ifndef MICA_DEVICE_CLBLAST_H
#define MICA_DEVICE_CLBLAST_H

#include <stdint.h>

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

#endif
