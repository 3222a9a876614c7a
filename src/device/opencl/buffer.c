/* Buffers and their blocking transfers through the in-order queue. */
#include "base/error.h"
#include "base/mem.h"
#include "device/opencl/opencl.h"

#include <stdlib.h>

static cl_command_queue queue_of(const mica_buffer *buffer) {
    return ((opencl_device *)buffer->device)->queue;
}

static cl_mem memory_of(const mica_buffer *buffer) {
    return ((const opencl_buffer *)buffer)->memory;
}

mica_status mica_opencl_buffer_create(
    mica_device *base, uint64_t bytes, mica_memory memory, mica_buffer **out) {
    opencl_device *device = (opencl_device *)base;
    opencl_buffer *buffer = mica_alloc(1, sizeof *buffer);
    if (!buffer)
        return MICA_E_MEMORY;
    cl_mem_flags flags = CL_MEM_READ_WRITE;
    if (memory == MICA_MEMORY_HOST)
        flags |= CL_MEM_ALLOC_HOST_PTR;
    cl_int code;
    buffer->memory = clCreateBuffer(device->context, flags, (size_t)bytes, NULL, &code);
    if (!buffer->memory) {
        free(buffer);
        return mica_opencl_fail(code, "clCreateBuffer");
    }
    *out = &buffer->base;
    return MICA_OK;
}

void mica_opencl_buffer_destroy(mica_buffer *buffer) {
    clReleaseMemObject(memory_of(buffer));
    free(buffer);
}

mica_status mica_opencl_buffer_write(
    mica_buffer *buffer, uint64_t offset, const void *data, uint64_t size) {
    cl_int code = clEnqueueWriteBuffer(queue_of(buffer), memory_of(buffer), CL_TRUE, (size_t)offset,
        (size_t)size, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? MICA_OK : mica_opencl_fail(code, "clEnqueueWriteBuffer");
}

mica_status mica_opencl_buffer_read(
    mica_buffer *buffer, uint64_t offset, void *data, uint64_t size) {
    cl_int code = clEnqueueReadBuffer(queue_of(buffer), memory_of(buffer), CL_TRUE, (size_t)offset,
        (size_t)size, data, 0, NULL, NULL);
    return code == CL_SUCCESS ? MICA_OK : mica_opencl_fail(code, "clEnqueueReadBuffer");
}

mica_status mica_opencl_buffer_fill(
    mica_buffer *buffer, uint64_t offset, uint32_t word, uint64_t size) {
    cl_int code = clEnqueueFillBuffer(queue_of(buffer), memory_of(buffer), &word, sizeof word,
        (size_t)offset, (size_t)size, 0, NULL, NULL);
    if (code != CL_SUCCESS)
        return mica_opencl_fail(code, "clEnqueueFillBuffer");
    return mica_opencl_wait(buffer->device);
}
