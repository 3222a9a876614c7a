/* How a matrix product is spread over a device: kernel, constants, parameters and grid for a shape.
 * Knows traits and shapes, no values. */
#ifndef MICA_OP_MATMUL_PLAN_H
#define MICA_OP_MATMUL_PLAN_H

#include "device/clblast.h"
#include "graph/graph_impl.h"

/* C = ACT(op(A) op(B) + bias) with op(A) m x k and op(B) k x n; `batch` times, sa, sb, sc elements
 * apart (0: the same matrix for all). Rows lie one behind the other. */
typedef struct mica_matmul_shape {
    uint32_t m, n, k, batch;
    uint32_t sa, sb, sc;
    bool ta, tb, bias;
    int act; /* row of the elementwise table, -1: none */
    float act_k;
} mica_matmul_shape;

typedef enum mica_matmul_binding {
    MICA_MATMUL_A,
    MICA_MATMUL_B,
    MICA_MATMUL_BIAS,
    MICA_MATMUL_C,
    MICA_MATMUL_PARTS
} mica_matmul_binding;
#define MICA_MATMUL_BINDINGS 5

/* As in cl/matmul.cl and shaders/matmul.comp. */
typedef struct mica_matmul_params {
    uint32_t m, n, k;
    uint32_t lda, ldb, ldc;
    uint32_t sa, sb, sc;
    uint32_t rows, cols, kc;
    uint32_t splits, kper;
    float act_k;
} mica_matmul_params;

typedef struct mica_matmul_launch {
    mica_kernel_desc kernel;
    mica_matmul_binding bindings[4];
    uint32_t groups[3];
    uint64_t steps; /* loop iterations of a work-item, at most; 0: few */
    union {
        mica_matmul_params own;
        mica_clblast_sgemm_params clblast;
    } params;
} mica_matmul_launch;

#define MICA_MATMUL_LAUNCHES 2

typedef struct mica_matmul_variant {
    const char *name; /* in the tuning file */
    mica_matmul_launch launches[MICA_MATMUL_LAUNCHES];
    int n_launches;
    uint64_t parts; /* scratch elements: partial products of a split over k */
} mica_matmul_variant;

#define MICA_MATMUL_VARIANTS 4

/* The variants that can serve a shape, the one expected best first. Returns how many. */
int mica_matmul_variants(const mica_traits *traits, const mica_matmul_shape *shape,
    mica_matmul_variant variants[MICA_MATMUL_VARIANTS]);

/* The commands of a variant on whole buffers; those that it does not bind may be NULL. */
mica_status mica_matmul_record(mica_device *device, const mica_matmul_variant *variant,
    mica_buffer *const buffers[MICA_MATMUL_BINDINGS], bool timed, mica_commands **commands);

/* The one that was measured fastest for shapes of this class on the device (matmul_tune.c); NULL
 * where none gives right numbers (last error set). */
const mica_matmul_variant *mica_matmul_choose(mica_device *device, mica_graph *graph,
    const mica_matmul_shape *shape, const mica_matmul_variant *variants, int n_variants);

#endif
