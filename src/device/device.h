/* The internal face of a device: buffers, kernels, recorded command lists. Knows no operators.
 * All checks of arguments happen in device.c; backends rely on them. */
#ifndef MICA_DEVICE_DEVICE_H
#define MICA_DEVICE_DEVICE_H

#include <mica/device.h>

#define MICA_MAX_BINDINGS  12
#define MICA_MAX_CONSTANTS 24
#define MICA_MAX_PARAMS    128 /* bytes: the push constants that every Vulkan device has */

typedef struct mica_buffer mica_buffer;
typedef struct mica_kernel mica_kernel;
typedef struct mica_commands mica_commands;

/* Where a buffer lives best. HOST: written by the host before a step and read by it afterwards,
 * small or read once (host-visible memory); DEVICE: everything else. Both can be written, read and
 * bound. */
typedef enum mica_memory { MICA_MEMORY_DEVICE, MICA_MEMORY_HOST } mica_memory;

/* A kernel by its source file (`cl/<source>.cl`, `shaders/<source>.comp`), its entry name and its
 * compile-time constants. Constant i is -D<name>=<value> in OpenCL C and constant_id i in GLSL, so
 * their order is part of the kernel's contract. The local size is also given: as -DLOCAL_X,
 * -DLOCAL_Y, -DLOCAL_Z, and as local_size_x_id = 100, y 101, z 102. */
typedef struct mica_kernel_desc {
    const char *source; /* static strings, all three */
    const char *entry;
    uint32_t n_bindings;
    uint32_t params_size; /* bytes, a multiple of 4 */
    uint32_t local[3];
    uint32_t n_constants;
    struct {
        const char *name;
        int32_t value;
    } constants[MICA_MAX_CONSTANTS];
} mica_kernel_desc;

/* A range of a buffer, in 4-byte elements; offset * 4 is a multiple of traits.offset_align. */
typedef struct mica_range {
    mica_buffer *buffer;
    uint64_t offset, count;
} mica_range;

/* One launch: `groups` work-groups of the kernel's local size in each dimension. */
typedef struct mica_launch {
    mica_kernel *kernel;
    mica_range bindings[MICA_MAX_BINDINGS];
    uint32_t groups[3];
    uint32_t params[MICA_MAX_PARAMS / 4];
} mica_launch;

/* Zero-filled. bytes > 0 and at most traits.max_buffer_bytes, else MICA_E_MEMORY. */
mica_status mica_buffer_create(
    mica_device *device, uint64_t bytes, mica_memory memory, mica_buffer **buffer);
void mica_buffer_destroy(mica_buffer **buffer); /* accepts NULL inside */
uint64_t mica_buffer_bytes(const mica_buffer *buffer);

/* Blocking; they run after all work submitted before. Offsets and sizes in bytes, multiples of 4.
 */
mica_status mica_buffer_write(mica_buffer *, uint64_t offset, const void *data, uint64_t size);
mica_status mica_buffer_read(mica_buffer *, uint64_t offset, void *data, uint64_t size);
mica_status mica_buffer_fill(mica_buffer *, uint64_t offset, uint32_t word, uint64_t size);

/* Compiled on first use and kept by the device until it is destroyed; the same description gives
 * the same kernel. Binaries are cached on disk (see cache.h). */
mica_status mica_kernel_get(
    mica_device *device, const mica_kernel_desc *desc, mica_kernel **kernel);
const mica_kernel_desc *mica_kernel_describe(const mica_kernel *kernel);

/* Records launches that run one after the other, each seeing what those before it wrote. With
 * `timed`, each launch is timed at every submit (slower). The launches are copied. */
mica_status mica_commands_create(mica_device *device, const mica_launch *launches, size_t count,
    bool timed, mica_commands **commands);
void mica_commands_destroy(mica_commands **commands); /* accepts NULL inside */

/* Queues one run; does not wait. No allocation, compilation or blocking read. A list may be
 * submitted again before it finished; runs are in order. */
mica_status mica_commands_submit(mica_commands *commands);

/* Nanoseconds of each launch in the last finished run; only for lists created with `timed`, after
 * mica_device_wait. */
mica_status mica_commands_times(mica_commands *commands, uint64_t *nanoseconds);

const mica_traits *mica_device_traits(const mica_device *device);

#endif
