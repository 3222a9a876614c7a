/* Owns the checks of arguments, the kernels of a device, the count of what lives on it and the
 * sticky loss of a device; passes all work on to a backend. Knows no driver and no operator. */
#include "base/error.h"
#include "base/mem.h"
#include "device/device_impl.h"

#include <stdlib.h>
#include <string.h>

#define ID(device) ((device)->info.id)

static mica_status alive(const mica_device *device) {
    if (device->lost != MICA_OK)
        return mica_fail(
            MICA_E_LOST, "%s: the device was lost; end the program and start it again", ID(device));
    return MICA_OK;
}

static mica_status keep_loss(mica_device *device, mica_status status) {
    if (status == MICA_E_LOST)
        device->lost = status;
    return status;
}

/* *device is set where it was opened, also if it could not be probed then. */
static mica_status open_locked(const char *name, mica_device **device) {
    const mica_backend *backend;
    uint32_t index;
    char note[MICA_NOTE_SIZE];
    MICA_TRY(mica_device_select(name, &backend, &index, note));
    mica_device *opened;
    mica_status status = backend->open(index, &opened);
    if (status != MICA_OK)
        return mica_fail_in(status, "opening %s:%u", backend->name, index);
    opened->backend = backend;
    memcpy(opened->info.note, note, sizeof note);
    *device = opened;
    return mica_device_probe(opened);
}

mica_status mica_device_open(const char *name, mica_device **device) {
    if (!device)
        return mica_fail(MICA_E_INVALID, "device: no place given for the result");
    mica_device *opened = NULL;
    mica_drivers_lock();
    mica_status status = open_locked(name, &opened);
    mica_drivers_unlock();
    if (status == MICA_OK)
        *device = opened;
    else
        mica_device_destroy(&opened); /* takes the lock itself */
    return status;
}

void mica_device_destroy(mica_device **owner) {
    if (!owner || !*owner)
        return;
    mica_device *device = *owner;
    if (device->live) {
        mica_fail(MICA_E_INVALID,
            "%s: not destroyed, since %zu buffers or command lists of it are alive; destroy them "
            "first",
            ID(device), device->live);
        return;
    }
    *owner = NULL;
    if (device->tuning)
        device->tuning_destroy(device->tuning);
    for (size_t i = 0; i < device->n_kernels; i++)
        device->backend->kernel_destroy(device->kernels[i]);
    free(device->kernels);
    mica_drivers_lock();
    device->backend->close(device);
    mica_drivers_unlock();
}

const mica_device_info *mica_device_get_info(const mica_device *device) {
    return device ? &device->info : NULL;
}

const mica_traits *mica_device_traits(const mica_device *device) {
    return &device->info.traits;
}

mica_status mica_device_wait(mica_device *device) {
    if (!device)
        return mica_fail(MICA_E_INVALID, "device: NULL");
    MICA_TRY(alive(device));
    return keep_loss(device, device->backend->wait(device));
}

static mica_status buffer_failed(const mica_device *device, uint64_t bytes, mica_status status) {
    return mica_fail_in(
        status, "%s: a buffer of %llu bytes", ID(device), (unsigned long long)bytes);
}

mica_status mica_buffer_create(
    mica_device *device, uint64_t bytes, mica_memory memory, mica_buffer **buffer) {
    if (!device || !buffer)
        return mica_fail(MICA_E_INVALID, "buffer: NULL for the device or the result");
    MICA_TRY(alive(device));
    if (bytes == 0 || bytes % 4)
        return mica_fail(MICA_E_INVALID,
            "buffer: %llu bytes wanted; it must be a multiple of 4 above 0",
            (unsigned long long)bytes);
    const mica_traits *traits = &device->info.traits;
    if (bytes > traits->max_buffer_bytes)
        return mica_fail(MICA_E_MEMORY, "%s: a buffer of %llu bytes wanted; its largest is %llu",
            ID(device), (unsigned long long)bytes, (unsigned long long)traits->max_buffer_bytes);
    mica_buffer *created;
    mica_status status =
        keep_loss(device, device->backend->buffer_create(device, bytes, memory, &created));
    if (status != MICA_OK)
        return buffer_failed(device, bytes, status);
    created->device = device;
    created->bytes = bytes;
    created->memory = memory;
    status = keep_loss(device, device->backend->buffer_fill(created, 0, 0, bytes));
    if (status != MICA_OK) {
        device->backend->buffer_destroy(created);
        return buffer_failed(device, bytes, status);
    }
    device->live++;
    *buffer = created;
    return MICA_OK;
}

void mica_buffer_destroy(mica_buffer **owner) {
    if (!owner || !*owner)
        return;
    mica_device *device = (*owner)->device;
    device->backend->buffer_destroy(*owner);
    *owner = NULL;
    device->live--;
}

uint64_t mica_buffer_bytes(const mica_buffer *buffer) {
    return buffer->bytes;
}

static mica_status check_span(
    const mica_buffer *buffer, const void *data, uint64_t offset, uint64_t size) {
    if (!buffer || !data)
        return mica_fail(MICA_E_INVALID, "buffer: NULL for the buffer or the data");
    MICA_TRY(alive(buffer->device));
    if (offset % 4 || size % 4)
        return mica_fail(MICA_E_INVALID,
            "buffer: offset %llu and size %llu must be multiples of 4 bytes",
            (unsigned long long)offset, (unsigned long long)size);
    if (offset > buffer->bytes || size > buffer->bytes - offset)
        return mica_fail(MICA_E_INVALID,
            "buffer: %llu bytes from offset %llu wanted, but it has %llu bytes",
            (unsigned long long)size, (unsigned long long)offset,
            (unsigned long long)buffer->bytes);
    return MICA_OK;
}

mica_status mica_buffer_write(
    mica_buffer *buffer, uint64_t offset, const void *data, uint64_t size) {
    MICA_TRY(check_span(buffer, data, offset, size));
    if (!size)
        return MICA_OK;
    mica_device *device = buffer->device;
    return keep_loss(device, device->backend->buffer_write(buffer, offset, data, size));
}

mica_status mica_buffer_read(mica_buffer *buffer, uint64_t offset, void *data, uint64_t size) {
    MICA_TRY(check_span(buffer, data, offset, size));
    if (!size)
        return MICA_OK;
    mica_device *device = buffer->device;
    return keep_loss(device, device->backend->buffer_read(buffer, offset, data, size));
}

mica_status mica_buffer_fill(mica_buffer *buffer, uint64_t offset, uint32_t word, uint64_t size) {
    MICA_TRY(check_span(buffer, &word, offset, size));
    if (!size)
        return MICA_OK;
    mica_device *device = buffer->device;
    return keep_loss(device, device->backend->buffer_fill(buffer, offset, word, size));
}

static mica_status check_kernel(const mica_device *device, const mica_kernel_desc *desc) {
    const mica_traits *traits = &device->info.traits;
    if (!desc->source || !desc->entry)
        return mica_fail(MICA_E_INVALID, "kernel: no source or entry given");
    const char *entry = desc->entry;
    if (desc->n_bindings == 0 || desc->n_bindings > MICA_MAX_BINDINGS)
        return mica_fail(MICA_E_INVALID, "kernel %s: %u bindings; 1 to %d are possible", entry,
            desc->n_bindings, MICA_MAX_BINDINGS);
    if (desc->n_bindings > traits->max_bindings)
        return mica_fail(MICA_E_UNSUPPORTED, "kernel %s: needs %u bindings; %s offers %u", entry,
            desc->n_bindings, ID(device), traits->max_bindings);
    if (desc->params_size % 4 || desc->params_size > MICA_MAX_PARAMS)
        return mica_fail(MICA_E_INVALID,
            "kernel %s: %u bytes of parameters; a multiple of 4 up to %d is possible", entry,
            desc->params_size, MICA_MAX_PARAMS);
    if (desc->n_constants > MICA_MAX_CONSTANTS)
        return mica_fail(MICA_E_INVALID, "kernel %s: %u constants; %d are possible", entry,
            desc->n_constants, MICA_MAX_CONSTANTS);
    for (uint32_t i = 0; i < desc->n_constants; i++)
        if (!desc->constants[i].name)
            return mica_fail(MICA_E_INVALID, "kernel %s: constant %u has no name", entry, i);
    uint64_t items = 1;
    for (int i = 0; i < 3; i++) {
        if (desc->local[i] == 0)
            return mica_fail(MICA_E_INVALID, "kernel %s: local size %d is 0", entry, i);
        items = desc->local[i] > traits->max_group_dim[i] ? UINT64_MAX : items * desc->local[i];
        if (items > traits->max_group_size)
            return mica_fail(MICA_E_UNSUPPORTED,
                "kernel %s: local size %u x %u x %u; %s offers %u work-items, at most %u x %u x %u",
                entry, desc->local[0], desc->local[1], desc->local[2], ID(device),
                traits->max_group_size, traits->max_group_dim[0], traits->max_group_dim[1],
                traits->max_group_dim[2]);
    }
    return MICA_OK;
}

static bool same_kernel(const mica_kernel_desc *a, const mica_kernel_desc *b) {
    if (strcmp(a->entry, b->entry) || strcmp(a->source, b->source) ||
        a->n_bindings != b->n_bindings || a->params_size != b->params_size ||
        memcmp(a->local, b->local, sizeof a->local) || a->n_constants != b->n_constants)
        return false;
    for (uint32_t i = 0; i < a->n_constants; i++)
        if (a->constants[i].value != b->constants[i].value ||
            strcmp(a->constants[i].name, b->constants[i].name))
            return false;
    return true;
}

mica_status mica_kernel_get(
    mica_device *device, const mica_kernel_desc *desc, mica_kernel **kernel) {
    if (!device || !desc || !kernel)
        return mica_fail(
            MICA_E_INVALID, "kernel: NULL for the device, the description or the result");
    MICA_TRY(alive(device));
    MICA_TRY(check_kernel(device, desc));
    for (size_t i = 0; i < device->n_kernels; i++)
        if (same_kernel(&device->kernels[i]->desc, desc)) {
            *kernel = device->kernels[i];
            return MICA_OK;
        }
    void *grown = mica_grow(
        device->kernels, device->n_kernels, &device->kernels_capacity, sizeof *device->kernels);
    if (!grown)
        return MICA_E_MEMORY;
    device->kernels = grown;
    mica_kernel *created;
    mica_status status = keep_loss(device, device->backend->kernel_create(device, desc, &created));
    if (status != MICA_OK)
        return mica_fail_in(status, "%s: kernel %s", ID(device), desc->entry);
    created->device = device;
    created->desc = *desc;
    device->kernels[device->n_kernels++] = created;
    *kernel = created;
    return MICA_OK;
}

const mica_kernel_desc *mica_kernel_describe(const mica_kernel *kernel) {
    return &kernel->desc;
}

static mica_status check_range(
    const mica_device *device, const char *entry, uint32_t index, const mica_range *range) {
    const mica_traits *traits = &device->info.traits;
    if (!range->buffer || range->buffer->device != device)
        return mica_fail(MICA_E_INVALID, "launch of %s: binding %u has no buffer of %s", entry,
            index, ID(device));
    uint64_t elements = range->buffer->bytes / 4;
    if (range->count == 0 || range->offset > elements || range->count > elements - range->offset)
        return mica_fail(MICA_E_INVALID,
            "launch of %s: binding %u wants %llu elements from %llu of a buffer that has %llu",
            entry, index, (unsigned long long)range->count, (unsigned long long)range->offset,
            (unsigned long long)elements);
    if (range->offset * 4 % traits->offset_align)
        return mica_fail(MICA_E_INVALID,
            "launch of %s: binding %u begins at byte %llu; %s wants a multiple of %u", entry, index,
            (unsigned long long)range->offset * 4, ID(device), traits->offset_align);
    if (range->count > traits->max_binding_bytes / 4)
        return mica_fail(MICA_E_UNSUPPORTED,
            "launch of %s: binding %u has %llu bytes; a kernel on %s sees %llu at most", entry,
            index, (unsigned long long)range->count * 4, ID(device),
            (unsigned long long)traits->max_binding_bytes);
    return MICA_OK;
}

static mica_status check_launch(const mica_device *device, const mica_launch *launch) {
    if (!launch->kernel || launch->kernel->device != device)
        return mica_fail(MICA_E_INVALID, "launch: no kernel of %s given", ID(device));
    const mica_kernel_desc *desc = &launch->kernel->desc;
    for (uint32_t i = 0; i < desc->n_bindings; i++)
        MICA_TRY(check_range(device, desc->entry, i, &launch->bindings[i]));
    const uint32_t *most = device->info.traits.max_groups;
    for (int i = 0; i < 3; i++)
        if (launch->groups[i] == 0 || launch->groups[i] > most[i])
            return mica_fail(launch->groups[i] ? MICA_E_UNSUPPORTED : MICA_E_INVALID,
                "launch of %s: %u x %u x %u work-groups; %s takes 1 to %u x %u x %u", desc->entry,
                launch->groups[0], launch->groups[1], launch->groups[2], ID(device), most[0],
                most[1], most[2]);
    return MICA_OK;
}

mica_status mica_commands_create(mica_device *device, const mica_launch *launches, size_t count,
    bool timed, mica_commands **commands) {
    if (!device || (!launches && count) || !commands)
        return mica_fail(
            MICA_E_INVALID, "commands: NULL for the device, the launches or the result");
    MICA_TRY(alive(device));
    for (size_t i = 0; i < count; i++)
        MICA_TRY(check_launch(device, &launches[i]));
    mica_commands *created;
    MICA_TRY(keep_loss(
        device, device->backend->commands_create(device, launches, count, timed, &created)));
    created->device = device;
    created->count = count;
    created->timed = timed;
    device->live++;
    *commands = created;
    return MICA_OK;
}

void mica_commands_destroy(mica_commands **owner) {
    if (!owner || !*owner)
        return;
    mica_device *device = (*owner)->device;
    device->backend->commands_destroy(*owner);
    *owner = NULL;
    device->live--;
}

mica_status mica_commands_submit(mica_commands *commands) {
    if (!commands)
        return mica_fail(MICA_E_INVALID, "commands: NULL");
    mica_device *device = commands->device;
    MICA_TRY(alive(device));
    MICA_TRY(keep_loss(device, device->backend->commands_submit(commands)));
    commands->submitted = true;
    return MICA_OK;
}

mica_status mica_commands_times(mica_commands *commands, uint64_t *nanoseconds) {
    if (!commands || !nanoseconds)
        return mica_fail(MICA_E_INVALID, "commands: NULL for the list or the result");
    MICA_TRY(alive(commands->device));
    if (!commands->timed || !commands->submitted)
        return mica_fail(MICA_E_INVALID, "commands: times wanted of a list that %s",
            commands->timed ? "was not submitted" : "was not created with `timed`");
    mica_device *device = commands->device;
    return keep_loss(device, device->backend->commands_times(commands, nanoseconds));
}
