/* Command lists: one cl_kernel a launch with its arguments bound once, replayed on an in-order
 * queue. A range that is not a whole buffer is a sub-buffer, one for each distinct range. */
#include "base/error.h"
#include "base/mem.h"
#include "device/opencl/clblast.h"
#include "device/opencl/opencl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct step {
    cl_kernel kernel;
    const mica_launch *library; /* the launch, where CLBlast serves it; then kernel is NULL */
    size_t global[3], local[3];
} step;

typedef struct view {
    mica_range range;
    cl_mem memory;
} view;

typedef struct opencl_commands {
    mica_commands base;
    step *steps;
    size_t n_steps;
    view *views;
    size_t n_views, views_capacity;
    mica_launch *library; /* copies of the launches that CLBlast serves */
    cl_event *events;     /* of a timed list; NULL outside a run */
    uint64_t *times;      /* nanoseconds of the last run */
} opencl_commands;

static mica_status find_view(opencl_commands *commands, const mica_range *range, cl_mem *out) {
    opencl_buffer *buffer = (opencl_buffer *)range->buffer;
    if (range->offset == 0 && range->count == buffer->base.bytes / 4) {
        *out = buffer->memory;
        return MICA_OK;
    }
    for (size_t i = commands->n_views; i-- > 0;) {
        const mica_range *known = &commands->views[i].range;
        if (known->buffer == range->buffer && known->offset == range->offset &&
            known->count == range->count) {
            *out = commands->views[i].memory;
            return MICA_OK;
        }
    }
    view *grown = mica_grow(
        commands->views, commands->n_views, &commands->views_capacity, sizeof *commands->views);
    if (!grown)
        return MICA_E_MEMORY;
    commands->views = grown;
    cl_buffer_region region = {(size_t)range->offset * 4, (size_t)range->count * 4};
    cl_int code;
    cl_mem memory = clCreateSubBuffer(
        buffer->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (!memory)
        return mica_opencl_fail(code, "clCreateSubBuffer");
    commands->views[commands->n_views++] = (view){*range, memory};
    *out = memory;
    return MICA_OK;
}

static mica_status bind(opencl_commands *commands, const mica_launch *launch, step *bound) {
    const mica_kernel_desc *desc = &launch->kernel->desc;
    MICA_TRY(mica_opencl_kernel_instance(launch->kernel, desc->entry, &bound->kernel));
    for (int i = 0; i < 3; i++) {
        bound->local[i] = desc->local[i];
        bound->global[i] = (size_t)desc->local[i] * launch->groups[i];
    }
    for (uint32_t i = 0; i < desc->n_bindings; i++) {
        cl_mem memory;
        MICA_TRY(find_view(commands, &launch->bindings[i], &memory));
        cl_int code = clSetKernelArg(bound->kernel, i, sizeof memory, &memory);
        if (code != CL_SUCCESS)
            return mica_fail_in(
                mica_opencl_fail(code, "clSetKernelArg"), "%s: binding %u", desc->entry, i);
    }
    if (!desc->params_size)
        return MICA_OK;
    cl_int code =
        clSetKernelArg(bound->kernel, desc->n_bindings, desc->params_size, launch->params);
    if (code != CL_SUCCESS)
        return mica_fail_in(mica_opencl_fail(code, "clSetKernelArg"), "%s: %u bytes of parameters",
            desc->entry, desc->params_size);
    return MICA_OK;
}

static mica_status record(opencl_commands *commands, const mica_launch *launches, size_t count) {
    size_t n_library = 0;
    for (size_t i = 0; i < count; i++)
        n_library += mica_clblast_serves(launches[i].kernel->desc.entry);
    commands->steps = mica_alloc(count, sizeof *commands->steps);
    commands->library = mica_alloc(n_library, sizeof *commands->library);
    if (!commands->steps || !commands->library)
        return MICA_E_MEMORY;
    n_library = 0;
    for (size_t i = 0; i < count; i++) {
        step *bound = &commands->steps[commands->n_steps++];
        if (mica_clblast_serves(launches[i].kernel->desc.entry)) {
            MICA_TRY(mica_clblast_check_launch(&launches[i]));
            commands->library[n_library] = launches[i];
            bound->library = &commands->library[n_library++];
        } else {
            MICA_TRY(bind(commands, &launches[i], bound));
        }
    }
    return MICA_OK;
}

static mica_status make_timing(opencl_device *device, opencl_commands *commands, size_t count) {
    commands->events = mica_alloc(count, sizeof *commands->events);
    commands->times = mica_alloc(count, sizeof *commands->times);
    if (!commands->events || !commands->times)
        return MICA_E_MEMORY;
    if (device->timing_queue)
        return MICA_OK;
    cl_int code;
    device->timing_queue =
        clCreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    return device->timing_queue ? MICA_OK : mica_opencl_fail(code, "clCreateCommandQueue");
}

mica_status mica_opencl_commands_create(
    mica_device *base, const mica_launch *launches, size_t count, bool timed, mica_commands **out) {
    opencl_commands *commands = mica_alloc(1, sizeof *commands);
    if (!commands)
        return MICA_E_MEMORY;
    mica_status status = record(commands, launches, count);
    if (status == MICA_OK && timed)
        status = make_timing((opencl_device *)base, commands, count);
    if (status != MICA_OK) {
        mica_opencl_commands_destroy(&commands->base);
        return status;
    }
    *out = &commands->base;
    return MICA_OK;
}

static void drop_events(opencl_commands *commands) {
    for (size_t i = 0; commands->events && i < commands->n_steps; i++)
        if (commands->events[i]) {
            clReleaseEvent(commands->events[i]);
            commands->events[i] = NULL;
        }
}

void mica_opencl_commands_destroy(mica_commands *base) {
    opencl_commands *commands = (opencl_commands *)base;
    drop_events(commands);
    for (size_t i = commands->n_steps; i-- > 0;) /* PoCL finds the newest at once */
        if (commands->steps[i].kernel)
            clReleaseKernel(commands->steps[i].kernel);
    for (size_t i = 0; i < commands->n_views; i++)
        clReleaseMemObject(commands->views[i].memory);
    free(commands->steps);
    free(commands->views);
    free(commands->library);
    free(commands->events);
    free(commands->times);
    free(commands);
}

static mica_status enqueue(const step *bound, cl_command_queue queue, cl_event *event) {
    cl_int code = clEnqueueNDRangeKernel(
        queue, bound->kernel, 3, NULL, bound->global, bound->local, 0, NULL, event);
    if (code == CL_SUCCESS)
        return MICA_OK;
    char entry[64] = "";
    clGetKernelInfo(bound->kernel, CL_KERNEL_FUNCTION_NAME, sizeof entry, entry, NULL);
    return mica_fail_in(mica_opencl_fail(code, "clEnqueueNDRangeKernel"), "%s", entry);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static mica_status finish(cl_command_queue queue) {
    cl_int code = clFinish(queue);
    return code == CL_SUCCESS ? MICA_OK : mica_opencl_fail(code, "clFinish");
}

static mica_status read_time(cl_event event, uint64_t *nanoseconds) {
    cl_ulong start, end;
    cl_int code =
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
    if (code == CL_SUCCESS)
        code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    if (code != CL_SUCCESS)
        return mica_opencl_fail(code, "clGetEventProfilingInfo");
    *nanoseconds = end > start ? end - start : 0;
    return MICA_OK;
}

/* Runs at once, apart from the main queue, which stays free of profiling. What the library queues
 * has no single event, so the host's clock times it. */
static mica_status run_timed(opencl_device *device, opencl_commands *commands) {
    cl_command_queue queue = device->timing_queue;
    MICA_TRY(finish(device->queue));
    for (size_t i = 0; i < commands->n_steps; i++) {
        const step *bound = &commands->steps[i];
        if (bound->library) {
            MICA_TRY(finish(queue));
            uint64_t start = now();
            MICA_TRY(mica_clblast_run(bound->library, queue));
            MICA_TRY(finish(queue));
            commands->times[i] = now() - start;
        } else {
            MICA_TRY(enqueue(bound, queue, &commands->events[i]));
        }
    }
    MICA_TRY(finish(queue));
    for (size_t i = 0; i < commands->n_steps; i++)
        if (commands->events[i])
            MICA_TRY(read_time(commands->events[i], &commands->times[i]));
    return MICA_OK;
}

mica_status mica_opencl_commands_submit(mica_commands *base) {
    opencl_commands *commands = (opencl_commands *)base;
    opencl_device *device = (opencl_device *)base->device;
    if (base->timed) {
        mica_status status = run_timed(device, commands);
        drop_events(commands);
        return status;
    }
    for (size_t i = 0; i < commands->n_steps; i++) {
        const step *bound = &commands->steps[i];
        if (bound->library)
            MICA_TRY(mica_clblast_run(bound->library, device->queue));
        else
            MICA_TRY(enqueue(bound, device->queue, NULL));
    }
    cl_int code = clFlush(device->queue);
    return code == CL_SUCCESS ? MICA_OK : mica_opencl_fail(code, "clFlush");
}

mica_status mica_opencl_commands_times(mica_commands *base, uint64_t *nanoseconds) {
    memcpy(nanoseconds, ((opencl_commands *)base)->times, base->count * sizeof *nanoseconds);
    return MICA_OK;
}

mica_status mica_opencl_wait(mica_device *base) {
    return finish(((opencl_device *)base)->queue);
}
