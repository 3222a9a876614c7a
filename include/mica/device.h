/* Devices: what there is, and opening one. A device and everything made on it is used by one thread
 * at a time; threads may find, open, use and destroy devices of their own at the same time, also as
 * the first that do so in the process.
 *
 * PoCL has no device where it cannot write its cache folder: $POCL_CACHE_DIR, or pocl/kcache under
 * $XDG_CACHE_HOME or ~/.cache. The library leaves the environment alone; a program for users
 * without a home sets POCL_CACHE_DIR to a folder of its own (0700) before the first call here, as
 * the program `mica` does. */
#ifndef MICA_DEVICE_H
#define MICA_DEVICE_H

#include <mica/status.h>
#include <mica/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mica_device_kind { MICA_CPU, MICA_GPU, MICA_ACCELERATOR } mica_device_kind;

/* What a device offers, as its driver says and, where a probe exists, as a probe confirmed. */
typedef struct mica_traits {
    mica_device_kind kind;
    uint32_t compute_units;    /* cores of a CPU, multiprocessors of a GPU; 1 if unknown */
    uint32_t vector_width;     /* float32 lanes that a kernel should write out as a vector: 4, 8, 16
                                  for OpenCL on CPUs; 1 where lanes are work-items (GPUs, Vulkan) */
    uint32_t subgroup_size;    /* 0 if the driver does not say */
    uint32_t max_group_size;   /* work-items in a work-group */
    uint32_t max_group_dim[3]; /* the same per dimension */
    uint32_t max_groups[3];    /* work-groups of a launch per dimension */
    uint32_t max_loop_steps;   /* iterations of all loops of a work-item together, behind which a
                                  driver may end them without a word; UINT32_MAX: none does */
    uint32_t local_bytes;      /* local (shared) memory of a work-group */
    uint32_t offset_align;     /* bytes that a binding's offset must be a multiple of, >= 64 */
    uint32_t max_bindings;     /* storage buffers a kernel may take */
    uint64_t memory_bytes;     /* of the whole device */
    uint64_t max_buffer_bytes; /* of one allocation */
    uint64_t max_binding_bytes; /* of one buffer range that a kernel sees */
    uint64_t cache_bytes;       /* of the last private cache level of a core; 0 if unknown */
    bool unified;               /* host and device share memory */
    bool fp16;                  /* probed: kernels may compute in half precision */
    bool matrix_units;          /* probed: cooperative matrices */
    bool clblast;               /* matrix products of CLBlast can be launched */
} mica_traits;

typedef struct mica_device_info {
    char id[32];        /* "opencl:0": what mica_device_open takes */
    char backend[16];   /* "opencl", "vulkan" */
    char name[128];     /* as the driver gives it */
    char driver[128];   /* platform and driver version */
    char problem[256];  /* why it cannot be used; "" if it can */
    char note[520];     /* of an open device whose name left the choice open: what its user may not
                           expect of it, such as computing on the CPU; else "" */
    mica_traits traits; /* the driver's claims; unprobed until the device is opened */
} mica_device_info;

/* All devices of all OpenCL platforms, then all of Vulkan. A platform that fails is reported as an
 * entry with `problem` set and hides no other. *infos is freed with free(). No device at all is
 * not an error: *count is 0 and mica_last_error() names the packages that bring a driver. */
MICA_API mica_status mica_devices(mica_device_info **infos, size_t *count);

typedef struct mica_device mica_device;

/* Opens a device by `name`: "opencl:0" or "vulkan:1" (index), "opencl:pocl" or "llvmpipe" (a unique
 * part of the name or driver, any case), "opencl" or "vulkan" (the best of that backend), "gpu",
 * "cpu", "auto" or NULL (the best GPU, else the OpenCL CPU, else the Vulkan CPU), "null" (records
 * launches and runs nothing). An unknown or ambiguous name is MICA_E_NOT_FOUND and the text lists
 * what there is. Destroy everything made on the device before the device. */
MICA_API mica_status mica_device_open(const char *name, mica_device **device);
MICA_API void mica_device_destroy(mica_device **device);

/* Lives as long as the device. */
MICA_API const mica_device_info *mica_device_get_info(const mica_device *device);

/* Waits until all submitted work is done. */
MICA_API mica_status mica_device_wait(mica_device *device);

#ifdef __cplusplus
}
#endif
#endif
