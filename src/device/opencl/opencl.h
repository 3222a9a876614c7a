/* What the files of the OpenCL backend share. OpenCL 1.2 only. */
#ifndef MICA_DEVICE_OPENCL_OPENCL_H
#define MICA_DEVICE_OPENCL_OPENCL_H

#include "device/device_impl.h"

#include <CL/cl.h>

typedef struct opencl_device {
    mica_device base;
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;        /* in order, without profiling */
    cl_command_queue timing_queue; /* in order, with profiling; NULL until a timed list is made */
} opencl_device;

typedef struct opencl_buffer {
    mica_buffer base;
    cl_mem memory;
} opencl_buffer;

/* A kernel of a library (entry "clblast_...") has no program. */
typedef struct opencl_kernel {
    mica_kernel base;
    cl_program program;
} opencl_kernel;

/* "what: CL_NAME (code)" with the status that the code means. */
mica_status mica_opencl_fail(cl_int code, const char *what);

mica_status mica_opencl_buffer_create(
    mica_device *device, uint64_t bytes, mica_memory memory, mica_buffer **buffer);
void mica_opencl_buffer_destroy(mica_buffer *buffer);
mica_status mica_opencl_buffer_write(
    mica_buffer *buffer, uint64_t offset, const void *data, uint64_t size);
mica_status mica_opencl_buffer_read(
    mica_buffer *buffer, uint64_t offset, void *data, uint64_t size);
mica_status mica_opencl_buffer_fill(
    mica_buffer *buffer, uint64_t offset, uint32_t word, uint64_t size);

mica_status mica_opencl_kernel_create(
    mica_device *device, const mica_kernel_desc *desc, mica_kernel **kernel);
void mica_opencl_kernel_destroy(mica_kernel *kernel);

/* A fresh cl_kernel of the kernel's program, with room for its own arguments. */
mica_status mica_opencl_kernel_instance(
    const mica_kernel *kernel, const char *entry, cl_kernel *out);

/* The preferred multiple of a small kernel's local size; 0 if there is none. OpenCL 1.2 has no word
 * for the subgroup; GPUs give its size here. */
mica_status mica_opencl_group_multiple(opencl_device *device, uint32_t *multiple);

mica_status mica_opencl_commands_create(mica_device *device, const mica_launch *launches,
    size_t count, bool timed, mica_commands **commands);
void mica_opencl_commands_destroy(mica_commands *commands);
mica_status mica_opencl_commands_submit(mica_commands *commands);
mica_status mica_opencl_commands_times(mica_commands *commands, uint64_t *nanoseconds);
mica_status mica_opencl_wait(mica_device *device);

#endif
