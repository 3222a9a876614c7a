/* Kernels: each a program of its own, built from the embedded source and kept on disk as a binary.
 *
 * No fast-math option is given: they break NaN and infinity, on which the training loop relies.
 * -cl-mad-enable is not given either, since it allows less accurate products; kernels call
 * FMA() (cl/fma.h) where they want one. */
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "device/cache.h"
#include "device/opencl/clblast.h"
#include "device/opencl/opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *options_text(const mica_kernel_desc *desc) {
    mica_text text = {0};
    mica_text_add(&text,
        "-cl-std=CL1.2 -DLOCAL_X=%u -DLOCAL_Y=%u -DLOCAL_Z=%u "
        "-DMICA_KERNEL_%s",
        desc->local[0], desc->local[1], desc->local[2], desc->entry);
    for (uint32_t i = 0; i < desc->n_constants; i++)
        mica_text_add(&text, " -D%s=%d", desc->constants[i].name, (int)desc->constants[i].value);
    return text.data;
}

/* Fails with the first lines of the compiler's log. */
static mica_status build_failed(opencl_device *device, cl_program program, cl_int code) {
    size_t size = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) ==
        CL_SUCCESS)
        log = mica_alloc(size + 1, 1);
    if (log)
        clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    mica_status status = mica_opencl_fail(code, "clBuildProgram");
    if (log && *log) {
        int lines = 0;
        for (char *at = log; *at; at++)
            if (*at == '\n' && ++lines == 4)
                at[1] = 0;
            else if (*at == '\n')
                at[0] = ' ';
        size_t length = strlen(log);
        while (length && (log[length - 1] == '\n' || log[length - 1] == ' '))
            log[--length] = 0;
        status = mica_fail(status, "the driver's compiler refused it: %.700s", log);
    }
    free(log);
    return status;
}

static mica_status build(opencl_device *device, cl_program program, const char *options) {
    cl_int code = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
    return code == CL_SUCCESS ? MICA_OK : build_failed(device, program, code);
}

static mica_status build_source(
    opencl_device *device, const char *text, const char *options, cl_program *out) {
    cl_int code;
    cl_program program = clCreateProgramWithSource(device->context, 1, &text, NULL, &code);
    if (!program)
        return mica_opencl_fail(code, "clCreateProgramWithSource");
    mica_status status = build(device, program, options);
    if (status != MICA_OK)
        clReleaseProgram(program);
    else
        *out = program;
    return status;
}

/* PoCL keeps what it compiles, and compiles a kernel once more to make a binary of it. It is asked
 * for one when a kernel is wanted for the second time; until then the cache has this in its place.
 */
static const char wanted_once[] = "wanted once";

static bool binary_costs(const opencl_device *device) {
    return strstr(device->base.info.driver, "Portable Computing Language") != NULL;
}

/* Sets *known where the cache has an entry of any kind. */
static bool build_cached(
    opencl_device *device, const char *key, const char *options, bool *known, cl_program *out) {
    void *data;
    size_t size;
    *known = mica_cache_load(key, &data, &size) == MICA_OK;
    if (!*known)
        return false;
    if (size == sizeof wanted_once && !memcmp(data, wanted_once, size)) {
        free(data);
        return false;
    }
    const unsigned char *binary = data;
    cl_int state = CL_INVALID_BINARY, code = CL_SUCCESS;
    cl_program program =
        clCreateProgramWithBinary(device->context, 1, &device->id, &size, &binary, &state, &code);
    free(data);
    bool good = program && code == CL_SUCCESS && state == CL_SUCCESS &&
                build(device, program, options) == MICA_OK;
    if (good) {
        *out = program;
    } else {
        if (program)
            clReleaseProgram(program);
        mica_cache_drop(key);
    }
    return good;
}

static void store_binary(const char *key, cl_program program) {
    size_t size = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS)
        return;
    unsigned char *binary = mica_alloc(size, 1);
    if (binary &&
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        mica_cache_store(key, binary, size);
    free(binary);
}

static mica_status make_program(
    opencl_device *device, const mica_kernel_desc *desc, cl_program *out) {
    const char *text = mica_source_opencl(desc->source);
    if (!text)
        return mica_fail(MICA_E_UNSUPPORTED, "this build has no source cl/%s.cl", desc->source);
    const mica_device_info *info = &device->base.info;
    char *options = options_text(desc);
    char *key = options
                    ? mica_format("opencl\n%s\n%s\n%s\n%s", info->name, info->driver, options, text)
                    : NULL;
    mica_status status = key ? MICA_OK : MICA_E_MEMORY;
    bool known;
    if (key && !build_cached(device, key, options, &known, out)) {
        status = build_source(device, text, options, out);
        if (status == MICA_OK && (known || !binary_costs(device)))
            store_binary(key, *out);
        else if (status == MICA_OK)
            mica_cache_store(key, wanted_once, sizeof wanted_once);
    }
    free(key);
    free(options);
    return status;
}

mica_status mica_opencl_kernel_instance(
    const mica_kernel *kernel, const char *entry, cl_kernel *out) {
    cl_int code;
    *out = clCreateKernel(((const opencl_kernel *)kernel)->program, entry, &code);
    return *out ? MICA_OK : mica_opencl_fail(code, "clCreateKernel");
}

/* The source and the description must agree, and the driver must be able to run the local size. */
static mica_status check_instance(
    opencl_device *device, opencl_kernel *kernel, const mica_kernel_desc *desc) {
    cl_kernel instance;
    MICA_TRY(mica_opencl_kernel_instance(&kernel->base, desc->entry, &instance));
    cl_uint n_args = 0;
    size_t most = 0, wanted = (size_t)desc->local[0] * desc->local[1] * desc->local[2];
    cl_int code = clGetKernelInfo(instance, CL_KERNEL_NUM_ARGS, sizeof n_args, &n_args, NULL);
    mica_status status = code == CL_SUCCESS ? MICA_OK : mica_opencl_fail(code, "clGetKernelInfo");
    code = clGetKernelWorkGroupInfo(
        instance, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most, NULL);
    if (status == MICA_OK && code != CL_SUCCESS)
        status = mica_opencl_fail(code, "clGetKernelWorkGroupInfo");
    clReleaseKernel(instance);
    MICA_TRY(status);
    cl_uint args = desc->n_bindings + (desc->params_size > 0);
    if (n_args != args)
        return mica_fail(
            MICA_E_INVALID, "its source takes %u arguments, its description %u", n_args, args);
    if (most < wanted)
        return mica_fail(MICA_E_UNSUPPORTED,
            "the driver runs it with %zu work-items a group at most; %zu wanted", most, wanted);
    return MICA_OK;
}

mica_status mica_opencl_kernel_create(
    mica_device *base, const mica_kernel_desc *desc, mica_kernel **out) {
    opencl_device *device = (opencl_device *)base;
    opencl_kernel *kernel = mica_alloc(1, sizeof *kernel);
    if (!kernel)
        return MICA_E_MEMORY;
    mica_status status;
    if (mica_clblast_serves(desc->entry)) {
        status = mica_clblast_check(desc);
    } else {
        status = make_program(device, desc, &kernel->program);
        if (status == MICA_OK)
            status = check_instance(device, kernel, desc);
    }
    if (status != MICA_OK) {
        mica_opencl_kernel_destroy(&kernel->base);
        return status;
    }
    *out = &kernel->base;
    return MICA_OK;
}

void mica_opencl_kernel_destroy(mica_kernel *base) {
    opencl_kernel *kernel = (opencl_kernel *)base;
    if (kernel->program)
        clReleaseProgram(kernel->program);
    free(kernel);
}

mica_status mica_opencl_group_multiple(opencl_device *device, uint32_t *multiple) {
    const mica_kernel_desc desc = {.source = "probe",
        .entry = "probe_axpb",
        .n_bindings = 2,
        .params_size = 8,
        .local = {1, 1, 1},
        .n_constants = 1,
        .constants = {{"SCALE", 1}}};
    mica_kernel *kernel;
    cl_kernel instance;
    size_t size = 0;
    MICA_TRY(mica_opencl_kernel_create(&device->base, &desc, &kernel));
    mica_status status = mica_opencl_kernel_instance(kernel, desc.entry, &instance);
    if (status == MICA_OK) {
        cl_int code = clGetKernelWorkGroupInfo(instance, device->id,
            CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof size, &size, NULL);
        if (code != CL_SUCCESS)
            status = mica_opencl_fail(code, "clGetKernelWorkGroupInfo");
        clReleaseKernel(instance);
    }
    mica_opencl_kernel_destroy(kernel);
    *multiple = size > 1 ? (uint32_t)size : 0;
    return status;
}
