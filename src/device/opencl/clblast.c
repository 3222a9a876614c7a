#include "device/opencl/clblast.h"

#include "base/error.h"
#include "config.h"
#include "device/opencl/opencl.h"

#include <string.h>

bool mica_clblast_serves(const char *entry) {
    return !strncmp(entry, "clblast_", 8);
}

#ifdef MICA_CLBLAST
#include <clblast_c.h>

mica_status mica_clblast_check(const mica_kernel_desc *desc) {
    if (strcmp(desc->entry, "clblast_sgemm"))
        return mica_fail(MICA_E_UNSUPPORTED, "only clblast_sgemm is offered");
    if (desc->n_bindings != 3 || desc->params_size != sizeof(mica_clblast_sgemm_params))
        return mica_fail(MICA_E_INVALID, "it takes 3 bindings and %zu bytes of parameters",
            sizeof(mica_clblast_sgemm_params));
    return MICA_OK;
}

static const mica_clblast_sgemm_params *params_of(const mica_launch *launch) {
    return (const mica_clblast_sgemm_params *)launch->params;
}

static bool fits(
    const mica_range *range, uint64_t rows, uint64_t columns, uint64_t stride, uint64_t batch) {
    return rows * columns <= range->count &&
           (batch == 1 || !stride || (range->count - rows * columns) / stride >= batch - 1);
}

mica_status mica_clblast_check_launch(const mica_launch *launch) {
    const mica_clblast_sgemm_params *p = params_of(launch);
    const mica_range *range = launch->bindings;
    if (!p->m || !p->n || !p->k || !p->batch || (p->batch > 1 && !p->c_stride))
        return mica_fail(
            MICA_E_INVALID, "clblast_sgemm: m, n, k, batch and the stride of c must not be 0");
    if (!fits(&range[0], p->m, p->k, p->a_stride, p->batch) ||
        !fits(&range[1], p->k, p->n, p->b_stride, p->batch) ||
        !fits(&range[2], p->m, p->n, p->c_stride, p->batch))
        return mica_fail(MICA_E_INVALID,
            "clblast_sgemm: %u products of %u x %u x %u exceed the ranges bound", p->batch, p->m,
            p->n, p->k);
    return MICA_OK;
}

mica_status mica_clblast_run(const mica_launch *launch, cl_command_queue queue) {
    const mica_clblast_sgemm_params *p = params_of(launch);
    cl_mem memory[3];
    size_t offset[3];
    for (int i = 0; i < 3; i++) {
        memory[i] = ((opencl_buffer *)launch->bindings[i].buffer)->memory;
        offset[i] = (size_t)launch->bindings[i].offset;
    }
    CLBlastTranspose ta = p->ta ? CLBlastTransposeYes : CLBlastTransposeNo;
    CLBlastTranspose tb = p->tb ? CLBlastTransposeYes : CLBlastTransposeNo;
    size_t lda = p->ta ? p->m : p->k, ldb = p->tb ? p->k : p->n;
    CLBlastStatusCode code =
        p->batch == 1
            ? CLBlastSgemm(CLBlastLayoutRowMajor, ta, tb, p->m, p->n, p->k, 1, memory[0], offset[0],
                  lda, memory[1], offset[1], ldb, 0, memory[2], offset[2], p->n, &queue, NULL)
            : CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, p->m, p->n, p->k, 1,
                  memory[0], offset[0], lda, p->a_stride, memory[1], offset[1], ldb, p->b_stride, 0,
                  memory[2], offset[2], p->n, p->c_stride, p->batch, &queue, NULL);
    if (code == CLBlastSuccess)
        return MICA_OK;
    return code > -1024 ? mica_opencl_fail((cl_int)code, "CLBlastSgemm")
                        : mica_fail(MICA_E_DEVICE, "CLBlastSgemm: error %d", (int)code);
}

#else

mica_status mica_clblast_check(const mica_kernel_desc *desc) {
    (void)desc;
    return mica_fail(MICA_E_UNSUPPORTED, "this build has no CLBlast");
}

mica_status mica_clblast_check_launch(const mica_launch *launch) {
    (void)launch;
    return MICA_OK;
}

mica_status mica_clblast_run(const mica_launch *launch, cl_command_queue queue) {
    (void)launch, (void)queue;
    return MICA_OK;
}

#endif
