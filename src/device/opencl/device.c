/* Platforms and devices: the flat list that gives the indices, traits, probes, open and close. */
#include "base/error.h"
#include "base/mem.h"
#include "config.h"
#include "device/opencl/opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *code_name(cl_int code) {
    static const struct {
        cl_int code;
        const char *name;
    } names[] = {
        {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
        {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
        {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
        {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
        {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
        {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
        {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
        {CL_MISALIGNED_SUB_BUFFER_OFFSET, "CL_MISALIGNED_SUB_BUFFER_OFFSET"},
        {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST,
            "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
        {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
        {CL_INVALID_PLATFORM, "CL_INVALID_PLATFORM"},
        {CL_INVALID_DEVICE, "CL_INVALID_DEVICE"},
        {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE"},
        {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT"},
        {CL_INVALID_BINARY, "CL_INVALID_BINARY"},
        {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS"},
        {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME"},
        {CL_INVALID_ARG_INDEX, "CL_INVALID_ARG_INDEX"},
        {CL_INVALID_ARG_VALUE, "CL_INVALID_ARG_VALUE"},
        {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE"},
        {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
        {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
        {CL_INVALID_WORK_ITEM_SIZE, "CL_INVALID_WORK_ITEM_SIZE"},
        {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code)
            return names[i].name;
    return "error";
}

static mica_status status_of(cl_int code) {
    switch (code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_RESOURCES:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_INVALID_BUFFER_SIZE:
        return MICA_E_MEMORY;
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_COMMAND_QUEUE: /* a queue that was valid: its device has gone */
        return MICA_E_LOST;
    default:
        return MICA_E_DEVICE;
    }
}

mica_status mica_opencl_fail(cl_int code, const char *what) {
    return mica_fail(status_of(code), "%s: %s (%d)", what, code_name(code), (int)code);
}

/* Copies a driver's text without line ends, other control characters and outer spaces. */
static void tidy(char *to, size_t size, const char *from) {
    size_t n = 0;
    from += strspn(from, " \t\r\n");
    for (; *from && n + 1 < size; from++)
        to[n++] = (unsigned char)*from < 32 ? ' ' : *from;
    while (n && to[n - 1] == ' ')
        n--;
    to[n] = 0;
}

static void device_text(cl_device_id id, cl_device_info what, char *to, size_t size) {
    char text[512] = "";
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS)
        text[0] = 0;
    tidy(to, size, text);
}

static void platform_text(cl_platform_id id, cl_platform_info what, char *to, size_t size) {
    char text[512] = "";
    if (clGetPlatformInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS)
        text[0] = 0;
    tidy(to, size, text);
}

static cl_uint device_uint(cl_device_id id, cl_device_info what) {
    cl_uint value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static cl_ulong device_ulong(cl_device_id id, cl_device_info what) {
    cl_ulong value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static size_t device_size(cl_device_id id, cl_device_info what) {
    size_t value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static uint32_t at_most(uint64_t value, uint32_t limit) {
    return value < limit ? (uint32_t)value : limit;
}

static bool has_extension(cl_device_id id, const char *name) {
    char text[8192] = "";
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof text - 1, text, NULL) != CL_SUCCESS)
        return false;
    size_t length = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += length)
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
            return true;
    return false;
}

static void read_traits(cl_device_id id, mica_traits *traits) {
    cl_device_type type = device_ulong(id, CL_DEVICE_TYPE);
    traits->kind = type & CL_DEVICE_TYPE_GPU   ? MICA_GPU
                   : type & CL_DEVICE_TYPE_CPU ? MICA_CPU
                                               : MICA_ACCELERATOR;
    bool cpu = traits->kind == MICA_CPU;
    cl_uint units = device_uint(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    cl_uint lanes = device_uint(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    traits->compute_units = units ? units : 1;
    traits->vector_width = !cpu ? 1 : lanes >= 16 ? 16 : lanes >= 8 ? 8 : 4;
    traits->max_group_size = at_most(device_size(id, CL_DEVICE_MAX_WORK_GROUP_SIZE), UINT32_MAX);
    size_t dims[16] = {0};
    clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof dims, dims, NULL);
    for (int i = 0; i < 3; i++)
        traits->max_group_dim[i] = at_most(dims[i], UINT32_MAX);
    /* OpenCL names no limit; some drivers have CUDA's, which also are Vulkan's least. */
    traits->max_groups[0] = INT32_MAX;
    traits->max_groups[1] = traits->max_groups[2] = 65535;
    traits->max_loop_steps = UINT32_MAX;
    traits->local_bytes = at_most(device_ulong(id, CL_DEVICE_LOCAL_MEM_SIZE), UINT32_MAX);
    uint32_t align = device_uint(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
    traits->offset_align = align > 64 ? align : 64;
    size_t arguments = device_size(id, CL_DEVICE_MAX_PARAMETER_SIZE);
    traits->max_bindings =
        arguments > MICA_MAX_PARAMS ? at_most((arguments - MICA_MAX_PARAMS) / 8, 1024) : 0;
    traits->memory_bytes = device_ulong(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    traits->max_buffer_bytes = device_ulong(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    traits->max_binding_bytes = traits->max_buffer_bytes;
    long cache = cpu ? sysconf(_SC_LEVEL2_CACHE_SIZE) : 0; /* OpenCL tells of the last level */
    traits->cache_bytes = cache > 0 ? (uint64_t)cache : 0;
    traits->unified = device_uint(id, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
    traits->fp16 = has_extension(id, "cl_khr_fp16");
#ifdef MICA_CLBLAST
    traits->clblast = true;
#endif
}

static void find_problem(cl_device_id id, mica_device_info *info) {
    char version[64];
    int major = 0, minor = 0;
    device_text(id, CL_DEVICE_VERSION, version, sizeof version);
    const char *problem = NULL;
    if (!device_uint(id, CL_DEVICE_AVAILABLE))
        problem = "the driver says that it is not available";
    else if (!device_uint(id, CL_DEVICE_COMPILER_AVAILABLE))
        problem = "the driver has no compiler";
    else if (!device_uint(id, CL_DEVICE_ENDIAN_LITTLE))
        problem = "it is big-endian";
    else if (!info->traits.max_group_size || !info->traits.max_buffer_bytes)
        problem = "the driver does not tell its limits";
    if (problem)
        snprintf(info->problem, sizeof info->problem, "%s", problem);
    else if (sscanf(version, "OpenCL %d.%d", &major, &minor) != 2 || major * 10 + minor < 12)
        snprintf(info->problem, sizeof info->problem, "\"%s\": OpenCL 1.2 is needed", version);
}

typedef struct entry {
    cl_platform_id platform;
    cl_device_id id; /* NULL for a platform that failed */
    cl_int code;
} entry;

typedef struct entries {
    entry *items;
    size_t count, capacity;
} entries;

static mica_status add_entry(entries *list, entry added) {
    entry *grown = mica_grow(list->items, list->count, &list->capacity, sizeof *list->items);
    if (!grown)
        return MICA_E_MEMORY;
    list->items = grown;
    list->items[list->count++] = added;
    return MICA_OK;
}

static mica_status add_platform(entries *list, cl_platform_id platform) {
    cl_uint count = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && !count))
        return MICA_OK;
    if (code != CL_SUCCESS)
        return add_entry(list, (entry){platform, NULL, code});
    cl_device_id *ids = mica_alloc(count, sizeof *ids);
    if (!ids)
        return MICA_E_MEMORY;
    mica_status status = MICA_OK;
    code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids, NULL);
    if (code != CL_SUCCESS)
        status = add_entry(list, (entry){platform, NULL, code});
    for (cl_uint i = 0; code == CL_SUCCESS && status == MICA_OK && i < count; i++)
        status = add_entry(list, (entry){platform, ids[i], CL_SUCCESS});
    free(ids);
    return status;
}

/* All devices of all platforms; an entry's place is its index. */
static mica_status list_entries(entries *list) {
    cl_platform_id platforms[32];
    cl_uint count = 0;
    *list = (entries){0};
    if (clGetPlatformIDs(32, platforms, &count) != CL_SUCCESS)
        return MICA_OK; /* no driver is installed */
    for (cl_uint i = 0; i < count && i < 32; i++) {
        mica_status status = add_platform(list, platforms[i]);
        if (status != MICA_OK) {
            free(list->items);
            return status;
        }
    }
    return MICA_OK;
}

static void describe(const entry *found, size_t index, mica_device_info *info) {
    *info = (mica_device_info){.backend = "opencl"};
    snprintf(info->id, sizeof info->id, "opencl:%zu", index);
    char platform[64], vendor[32], version[24];
    platform_text(found->platform, CL_PLATFORM_NAME, platform, sizeof platform);
    if (!found->id) {
        snprintf(info->name, sizeof info->name, "%s", platform);
        snprintf(info->problem, sizeof info->problem, "the platform fails: clGetDeviceIDs: %s (%d)",
            code_name(found->code), (int)found->code);
        return;
    }
    device_text(found->id, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_text(found->id, CL_DRIVER_VERSION, version, sizeof version);
    platform_text(found->platform, CL_PLATFORM_VENDOR, vendor, sizeof vendor);
    snprintf(info->driver, sizeof info->driver, "%s %s (%s)", platform, version, vendor);
    read_traits(found->id, &info->traits);
    find_problem(found->id, info);
}

static mica_status opencl_enumerate(struct mica_infos *infos) {
    entries list;
    MICA_TRY(list_entries(&list));
    mica_status status = MICA_OK;
    for (size_t i = 0; status == MICA_OK && i < list.count; i++) {
        mica_device_info info;
        describe(&list.items[i], i, &info);
        status = mica_infos_add(infos, &info);
    }
    free(list.items);
    return status;
}

static void opencl_close(mica_device *base) {
    opencl_device *device = (opencl_device *)base;
    if (device->timing_queue)
        clReleaseCommandQueue(device->timing_queue);
    if (device->queue)
        clReleaseCommandQueue(device->queue);
    if (device->context)
        clReleaseContext(device->context);
    free(device);
}

static mica_status start(opencl_device *device) {
    const cl_context_properties properties[] = {
        CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform, 0};
    cl_int code;
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    if (!device->context)
        return mica_opencl_fail(code, "clCreateContext");
    device->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
    return device->queue ? MICA_OK : mica_opencl_fail(code, "clCreateCommandQueue");
}

static mica_status opencl_open(uint32_t index, mica_device **out) {
    entries list;
    MICA_TRY(list_entries(&list));
    opencl_device *device = mica_alloc(1, sizeof *device);
    mica_status status = device ? MICA_OK : MICA_E_MEMORY;
    if (device && index < list.count) {
        device->platform = list.items[index].platform;
        device->id = list.items[index].id;
        describe(&list.items[index], index, &device->base.info);
    }
    free(list.items);
    if (device && !device->id)
        status = mica_fail(MICA_E_NOT_FOUND, "the device is no longer there");
    if (status == MICA_OK)
        status = start(device);
    if (status != MICA_OK) {
        if (device)
            opencl_close(&device->base);
        return status;
    }
    mica_traits *traits = &device->base.info.traits;
    if (traits->kind == MICA_GPU)
        traits->subgroup_size = mica_opencl_group_multiple(device);
    *out = &device->base;
    return MICA_OK;
}

const mica_backend mica_backend_opencl = {
    .name = "opencl",
    .enumerate = opencl_enumerate,
    .open = opencl_open,
    .close = opencl_close,
    .buffer_create = mica_opencl_buffer_create,
    .buffer_destroy = mica_opencl_buffer_destroy,
    .buffer_write = mica_opencl_buffer_write,
    .buffer_read = mica_opencl_buffer_read,
    .buffer_fill = mica_opencl_buffer_fill,
    .kernel_create = mica_opencl_kernel_create,
    .kernel_destroy = mica_opencl_kernel_destroy,
    .commands_create = mica_opencl_commands_create,
    .commands_destroy = mica_opencl_commands_destroy,
    .commands_submit = mica_opencl_commands_submit,
    .commands_times = mica_opencl_commands_times,
    .wait = mica_opencl_wait,
};
