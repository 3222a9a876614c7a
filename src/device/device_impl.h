/* The contract between device.c and a backend. A backend knows buffers and kernels, never
 * operators, and may rely on the checks that device.c made. */
#ifndef MICA_DEVICE_IMPL_H
#define MICA_DEVICE_IMPL_H

#include "device/device.h"

typedef struct mica_backend mica_backend;
struct mica_infos;

/* Each backend embeds these heads as the first member of its own structures, allocates the whole
 * with mica_alloc and frees it in its close or destroy. Backends fill in `info` at open; all else
 * in the heads is filled in and counted by device.c after the backend's call returned. */
struct mica_device {
    const mica_backend *backend;
    mica_device_info info;
    mica_status lost; /* sticky: MICA_OK or MICA_E_LOST */
    size_t live;      /* buffers and command lists that are alive, for device_destroy's check */
    mica_kernel **kernels;
    size_t n_kernels, kernels_capacity;
    void
        *tuning; /* what tune/ keeps with the device, and what frees it before the backend closes */
    void (*tuning_destroy)(void *tuning);
};
struct mica_buffer {
    mica_device *device;
    uint64_t bytes;
    mica_memory memory;
};
struct mica_kernel {
    mica_device *device;
    mica_kernel_desc desc;
};
struct mica_commands {
    mica_device *device;
    size_t count;
    bool timed;
    bool submitted;
};

/* What device.c sees to: handles are not NULL and of the same device; sizes and offsets are
 * multiples of 4, in range and not 0; a launch's ranges, groups and bindings are within the traits;
 * nothing is called after a call returned MICA_E_LOST but destroy and close; kernels are destroyed
 * before the device is closed. Buffers and lists may be destroyed while work that uses them is
 * queued: the backend waits where its driver does not. */
struct mica_backend {
    const char *name;
    /* Appends this backend's devices to a list with mica_infos_add; `index` in the id counts from
     * 0 within the backend. A missing loader or driver adds nothing and is no error. */
    mica_status (*enumerate)(struct mica_infos *infos);
    /* Opens the device with this index and fills in info (fp16 as the driver claims it). */
    mica_status (*open)(uint32_t index, mica_device **device);
    void (*close)(mica_device *device);
    /* The content is undefined; device.c fills it with zeros. */
    mica_status (*buffer_create)(mica_device *, uint64_t bytes, mica_memory, mica_buffer **);
    void (*buffer_destroy)(mica_buffer *);
    mica_status (*buffer_write)(mica_buffer *, uint64_t offset, const void *data, uint64_t size);
    mica_status (*buffer_read)(mica_buffer *, uint64_t offset, void *data, uint64_t size);
    mica_status (*buffer_fill)(mica_buffer *, uint64_t offset, uint32_t word, uint64_t size);
    mica_status (*kernel_create)(mica_device *, const mica_kernel_desc *, mica_kernel **);
    void (*kernel_destroy)(mica_kernel *);
    mica_status (*commands_create)(
        mica_device *, const mica_launch *, size_t count, bool timed, mica_commands **);
    void (*commands_destroy)(mica_commands *);
    mica_status (*commands_submit)(mica_commands *);
    mica_status (*commands_times)(mica_commands *, uint64_t *nanoseconds);
    mica_status (*wait)(mica_device *);
};

extern const mica_backend mica_backend_opencl, mica_backend_vulkan, mica_backend_null;

/* Drivers are found, opened and closed by one thread at a time: neither OpenCL's nor Vulkan's
 * loaders and drivers are safe there. Enumerate, open and close are called with this lock held. */
void mica_drivers_lock(void);
void mica_drivers_unlock(void);

struct mica_infos {
    mica_device_info *items;
    size_t count, capacity;
};
mica_status mica_infos_add(struct mica_infos *infos, const mica_device_info *info);

/* Takes back what the driver claims and a kernel does not confirm. Device.c calls it after open. */
mica_status mica_device_probe(mica_device *device);

/* The entry that a name means, by the rules of mica_device_open. */
mica_status mica_device_choose(
    const struct mica_infos *infos, const char *name, const mica_device_info **found);

/* What is to be said of that choice; "" for nothing. */
#define MICA_NOTE_SIZE sizeof((mica_device_info *)0)->note
void mica_device_note(const struct mica_infos *infos, const char *name,
    const mica_device_info *found, char note[MICA_NOTE_SIZE]);

/* Both among the devices that there are. */
mica_status mica_device_select(
    const char *name, const mica_backend **backend, uint32_t *index, char note[MICA_NOTE_SIZE]);

/* The embedded text of cl/<name>.cl, with its includes resolved, or NULL. */
const char *mica_source_opencl(const char *name);

/* The embedded SPIR-V of one kernel, or NULL. *size in bytes. */
const uint32_t *mica_source_vulkan(const char *entry, size_t *size);

#endif
