#include "device/null/null.h"

#include "base/error.h"
#include "base/mem.h"
#include "device/device_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct null_device {
    mica_device base;
    mica_launch *launches;
    size_t count, capacity;
} null_device;

typedef struct null_buffer {
    mica_buffer base;
    char *data;
} null_buffer;

typedef struct null_commands {
    mica_commands base;
    mica_launch *launches;
} null_commands;

const mica_launch *mica_null_launches(const mica_device *device, size_t *count) {
    const null_device *null = (const null_device *)device;
    *count = null->count;
    return null->launches;
}

void mica_null_clear(mica_device *device) {
    ((null_device *)device)->count = 0;
}

static mica_status null_enumerate(struct mica_infos *infos) {
    (void)infos; /* it is opened by its name alone */
    return MICA_OK;
}

/* The traits of an ordinary CPU, so that plans for it are those of a CPU. */
static mica_status null_open(uint32_t index, mica_device **out) {
    (void)index;
    null_device *device = mica_alloc(1, sizeof *device);
    if (!device)
        return MICA_E_MEMORY;
    mica_device_info *info = &device->base.info;
    snprintf(info->id, sizeof info->id, "null");
    snprintf(info->backend, sizeof info->backend, "null");
    snprintf(info->name, sizeof info->name, "null");
    snprintf(info->driver, sizeof info->driver, "records launches, runs nothing");
    info->traits = (mica_traits){
        .kind = MICA_CPU,
        .compute_units = 4,
        .vector_width = 8,
        .max_group_size = 1024,
        .max_group_dim = {1024, 1024, 1024},
        .max_groups = {INT32_MAX, 65535, 65535},
        .max_loop_steps = UINT32_MAX,
        .local_bytes = 32768,
        .offset_align = 64,
        .max_bindings = MICA_MAX_BINDINGS,
        .memory_bytes = (uint64_t)4 << 30,
        .max_buffer_bytes = (uint64_t)1 << 30,
        .max_binding_bytes = (uint64_t)1 << 30,
        .cache_bytes = 1 << 20,
        .unified = true,
    };
    *out = &device->base;
    return MICA_OK;
}

static void null_close(mica_device *device) {
    free(((null_device *)device)->launches);
    free(device);
}

static mica_status null_buffer_create(
    mica_device *device, uint64_t bytes, mica_memory memory, mica_buffer **out) {
    (void)device, (void)memory;
    null_buffer *buffer = mica_alloc(1, sizeof *buffer);
    if (!buffer)
        return MICA_E_MEMORY;
    buffer->data = mica_alloc(1, (size_t)bytes);
    if (!buffer->data) {
        free(buffer);
        return MICA_E_MEMORY;
    }
    *out = &buffer->base;
    return MICA_OK;
}

static void null_buffer_destroy(mica_buffer *buffer) {
    free(((null_buffer *)buffer)->data);
    free(buffer);
}

static mica_status null_buffer_write(
    mica_buffer *buffer, uint64_t offset, const void *data, uint64_t size) {
    memcpy(((null_buffer *)buffer)->data + offset, data, size);
    return MICA_OK;
}

static mica_status null_buffer_read(
    mica_buffer *buffer, uint64_t offset, void *data, uint64_t size) {
    memcpy(data, ((null_buffer *)buffer)->data + offset, size);
    return MICA_OK;
}

static mica_status null_buffer_fill(
    mica_buffer *buffer, uint64_t offset, uint32_t word, uint64_t size) {
    for (uint64_t i = 0; i < size; i += sizeof word)
        memcpy(((null_buffer *)buffer)->data + offset + i, &word, sizeof word);
    return MICA_OK;
}

static mica_status null_kernel_create(
    mica_device *device, const mica_kernel_desc *desc, mica_kernel **out) {
    (void)device, (void)desc;
    *out = mica_alloc(1, sizeof **out);
    return *out ? MICA_OK : MICA_E_MEMORY;
}

static void null_kernel_destroy(mica_kernel *kernel) {
    free(kernel);
}

static mica_status null_commands_create(mica_device *device, const mica_launch *launches,
    size_t count, bool timed, mica_commands **out) {
    (void)device, (void)timed;
    null_commands *commands = mica_alloc(1, sizeof *commands);
    if (!commands)
        return MICA_E_MEMORY;
    commands->launches = mica_copy(launches, count * sizeof *launches);
    if (!commands->launches) {
        free(commands);
        return MICA_E_MEMORY;
    }
    *out = &commands->base;
    return MICA_OK;
}

static void null_commands_destroy(mica_commands *commands) {
    free(((null_commands *)commands)->launches);
    free(commands);
}

static mica_status null_commands_submit(mica_commands *base) {
    null_commands *commands = (null_commands *)base;
    null_device *device = (null_device *)base->device;
    for (size_t i = 0; i < base->count; i++) {
        mica_launch *grown =
            mica_grow(device->launches, device->count, &device->capacity, sizeof *device->launches);
        if (!grown)
            return MICA_E_MEMORY;
        device->launches = grown;
        device->launches[device->count++] = commands->launches[i];
    }
    return MICA_OK;
}

static mica_status null_commands_times(mica_commands *commands, uint64_t *nanoseconds) {
    memset(nanoseconds, 0, commands->count * sizeof *nanoseconds);
    return MICA_OK;
}

static mica_status null_wait(mica_device *device) {
    (void)device;
    return MICA_OK;
}

const mica_backend mica_backend_null = {
    .name = "null",
    .enumerate = null_enumerate,
    .open = null_open,
    .close = null_close,
    .buffer_create = null_buffer_create,
    .buffer_destroy = null_buffer_destroy,
    .buffer_write = null_buffer_write,
    .buffer_read = null_buffer_read,
    .buffer_fill = null_buffer_fill,
    .kernel_create = null_kernel_create,
    .kernel_destroy = null_kernel_destroy,
    .commands_create = null_commands_create,
    .commands_destroy = null_commands_destroy,
    .commands_submit = null_commands_submit,
    .commands_times = null_commands_times,
    .wait = null_wait,
};
