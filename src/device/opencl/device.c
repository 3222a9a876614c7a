/* Platforms and devices: the flat list that gives the indices, traits, probes, open and close. */
#include "base/error.h"
#include "base/mem.h"
#include "config.h"
#include "device/opencl/opencl.h"

#include <CL/cl_ext.h>

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

/* What is read of a device; a query that fails becomes the reason why it cannot be used. */
typedef struct query {
    cl_device_id id;
    mica_device_info *info;
} query;

static void query_failed(const query *q, const char *call, const char *name, cl_int code) {
    if (!*q->info->problem)
        snprintf(q->info->problem, sizeof q->info->problem, "%s of %s: %s (%d)", call, name,
            code_name(code), (int)code);
}

/* A number of the device, into *value, which is 0 before. Where the query is of a later version or
 * of none of OpenCL's (`optional`), a driver may say that it does not know it. */
static void ask(const query *q, cl_device_info what, const char *name, bool optional, void *value,
    size_t size) {
    cl_int code = clGetDeviceInfo(q->id, what, size, value, NULL);
    if (code != CL_SUCCESS && !(optional && code == CL_INVALID_VALUE))
        query_failed(q, "clGetDeviceInfo", name, code);
}
#define ASK(q, what, value)          ask(q, what, #what, false, value, sizeof *(value))
#define ASK_OPTIONAL(q, what, value) ask(q, what, #what, true, value, sizeof *(value))

/* The whole text of a device, to be freed with free(); NULL where it could not be read. */
static char *device_text(const query *q, cl_device_info what, const char *name) {
    size_t size = 0;
    cl_int code = clGetDeviceInfo(q->id, what, 0, NULL, &size);
    char *text = code == CL_SUCCESS ? mica_alloc(size + 1, 1) : NULL;
    if (text)
        code = clGetDeviceInfo(q->id, what, size, text, NULL);
    else if (code == CL_SUCCESS)
        code = CL_OUT_OF_HOST_MEMORY;
    if (code == CL_SUCCESS)
        return text;
    query_failed(q, "clGetDeviceInfo", name, code);
    free(text);
    return NULL;
}

static void device_line(
    const query *q, cl_device_info what, const char *name, char *to, size_t size) {
    char *text = device_text(q, what, name);
    tidy(to, size, text ? text : "");
    free(text);
}

static void platform_line(const query *q, cl_platform_id id, cl_platform_info what,
    const char *name, char *to, size_t size) {
    char text[512] = "";
    cl_int code = clGetPlatformInfo(id, what, sizeof text - 1, text, NULL);
    if (code != CL_SUCCESS) {
        query_failed(q, "clGetPlatformInfo", name, code);
        text[0] = 0;
    }
    tidy(to, size, text);
}

static uint32_t at_most(uint64_t value, uint32_t limit) {
    return value < limit ? (uint32_t)value : limit;
}

static bool has_extension(const query *q, const char *name) {
    char *text = device_text(q, CL_DEVICE_EXTENSIONS, "CL_DEVICE_EXTENSIONS");
    size_t length = strlen(name);
    bool found = false;
    for (const char *at = text; at && (at = strstr(at, name)); at += length)
        found |= (at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0);
    free(text);
    return found;
}

static void read_traits(const query *q, mica_traits *traits) {
    cl_device_type type = 0;
    cl_uint units = 0, lanes = 0, align = 0;
    cl_bool unified = CL_FALSE;
    cl_ulong local = 0, memory = 0, most = 0;
    size_t group = 0, arguments = 0, dims[16] = {0};
    ASK(q, CL_DEVICE_TYPE, &type);
    ASK(q, CL_DEVICE_MAX_COMPUTE_UNITS, &units);
    ASK_OPTIONAL(q, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, &lanes);
    ASK(q, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group);
    ASK(q, CL_DEVICE_MAX_WORK_ITEM_SIZES, &dims);
    ASK(q, CL_DEVICE_LOCAL_MEM_SIZE, &local);
    ASK(q, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &align);
    ASK(q, CL_DEVICE_MAX_PARAMETER_SIZE, &arguments);
    ASK(q, CL_DEVICE_GLOBAL_MEM_SIZE, &memory);
    ASK(q, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &most);
    ASK_OPTIONAL(q, CL_DEVICE_HOST_UNIFIED_MEMORY, &unified); /* left out of OpenCL 2.0 */
    traits->kind = type & CL_DEVICE_TYPE_GPU   ? MICA_GPU
                   : type & CL_DEVICE_TYPE_CPU ? MICA_CPU
                                               : MICA_ACCELERATOR;
    bool cpu = traits->kind == MICA_CPU;
    traits->compute_units = units ? units : 1;
    traits->vector_width = !cpu ? 1 : lanes >= 16 ? 16 : lanes >= 8 ? 8 : 4;
    traits->max_group_size = at_most(group, UINT32_MAX);
    for (int i = 0; i < 3; i++)
        traits->max_group_dim[i] = at_most(dims[i], UINT32_MAX);
    /* OpenCL names no limit; some drivers have CUDA's, which also are Vulkan's least. */
    traits->max_groups[0] = INT32_MAX;
    traits->max_groups[1] = traits->max_groups[2] = 65535;
    traits->max_loop_steps = UINT32_MAX;
    traits->local_bytes = at_most(local, UINT32_MAX);
    align /= 8;
    traits->offset_align = align > 64 ? align : 64;
    traits->max_bindings =
        arguments > MICA_MAX_PARAMS ? at_most((arguments - MICA_MAX_PARAMS) / 8, 1024) : 0;
    traits->memory_bytes = memory;
    traits->max_buffer_bytes = most;
    traits->max_binding_bytes = traits->max_buffer_bytes;
    long cache = cpu ? sysconf(_SC_LEVEL2_CACHE_SIZE) : 0; /* OpenCL tells of the last level */
    traits->cache_bytes = cache > 0 ? (uint64_t)cache : 0;
    traits->unified = unified != CL_FALSE;
    traits->fp16 = has_extension(q, "cl_khr_fp16");
#ifdef MICA_CLBLAST
    traits->clblast = true;
#endif
}

static void find_problem(const query *q) {
    mica_device_info *info = q->info;
    char version[64];
    int major = 0, minor = 0;
    cl_bool available = CL_FALSE, compiler = CL_FALSE, little = CL_FALSE;
    device_line(q, CL_DEVICE_VERSION, "CL_DEVICE_VERSION", version, sizeof version);
    ASK(q, CL_DEVICE_AVAILABLE, &available);
    ASK(q, CL_DEVICE_COMPILER_AVAILABLE, &compiler);
    ASK(q, CL_DEVICE_ENDIAN_LITTLE, &little);
    if (*info->problem)
        return; /* a query failed */
    const char *problem = NULL;
    if (!available)
        problem = "the driver says that it is not available";
    else if (!compiler)
        problem = "the driver has no compiler";
    else if (!little)
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

/* PoCL's platform has a device wherever it works. */
static bool is_pocl(cl_platform_id platform) {
    char name[64] = "";
    return clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL) ==
               CL_SUCCESS &&
           !strcmp(name, "Portable Computing Language");
}

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

/* The devices of a platform, or those platforms that have none but failed (`failed`). A platform
 * without a device is no failure: its hardware is not there. */
static mica_status add_platform(entries *list, cl_platform_id platform, bool failed) {
    cl_uint count = 0;
    cl_device_id *ids = NULL;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (code == CL_SUCCESS && count) {
        if (!(ids = mica_alloc(count, sizeof *ids)))
            return MICA_E_MEMORY;
        code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids, NULL);
    }
    mica_status status = MICA_OK;
    if (code != CL_SUCCESS && failed && (code != CL_DEVICE_NOT_FOUND || is_pocl(platform)))
        status = add_entry(list, (entry){platform, NULL, code});
    for (cl_uint i = 0; code == CL_SUCCESS && !failed && status == MICA_OK && i < count; i++)
        status = add_entry(list, (entry){platform, ids[i], CL_SUCCESS});
    free(ids);
    return status;
}

/* All devices of all platforms, then the platforms that failed; an entry's place is its index. */
static mica_status list_entries(entries *list) {
    cl_uint count = 0;
    *list = (entries){0};
    cl_int code = clGetPlatformIDs(0, NULL, &count);
    if (code == CL_PLATFORM_NOT_FOUND_KHR || (code == CL_SUCCESS && !count))
        return MICA_OK; /* no driver is installed */
    if (code != CL_SUCCESS)
        return mica_opencl_fail(code, "clGetPlatformIDs");
    cl_platform_id *platforms = mica_alloc(count, sizeof *platforms);
    if (!platforms)
        return MICA_E_MEMORY;
    code = clGetPlatformIDs(count, platforms, NULL);
    mica_status status = code == CL_SUCCESS ? MICA_OK : mica_opencl_fail(code, "clGetPlatformIDs");
    for (cl_uint i = 0; status == MICA_OK && i < 2 * count; i++)
        status = add_platform(list, platforms[i % count], i >= count);
    free(platforms);
    if (status != MICA_OK)
        free(list->items);
    return status;
}

static void describe(const entry *found, size_t index, mica_device_info *info) {
    *info = (mica_device_info){.backend = "opencl"};
    snprintf(info->id, sizeof info->id, "opencl:%zu", index);
    const query q = {found->id, info};
    char platform[64], vendor[32], version[24];
    platform_line(
        &q, found->platform, CL_PLATFORM_NAME, "CL_PLATFORM_NAME", platform, sizeof platform);
    if (!found->id) {
        snprintf(info->name, sizeof info->name, "%s", platform);
        snprintf(info->problem, sizeof info->problem,
            "the platform fails: clGetDeviceIDs: %s (%d)%s", code_name(found->code),
            (int)found->code,
            found->code == CL_DEVICE_NOT_FOUND
                ? ": is there a cache folder that it can write? POCL_CACHE_DIR names one"
                : "");
        return;
    }
    device_line(&q, CL_DEVICE_NAME, "CL_DEVICE_NAME", info->name, sizeof info->name);
    device_line(&q, CL_DRIVER_VERSION, "CL_DRIVER_VERSION", version, sizeof version);
    platform_line(
        &q, found->platform, CL_PLATFORM_VENDOR, "CL_PLATFORM_VENDOR", vendor, sizeof vendor);
    snprintf(info->driver, sizeof info->driver, "%s %s (%s)", platform, version, vendor);
    read_traits(&q, &info->traits);
    find_problem(&q);
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
    if (device->queue) {
        /* After an error launches may still be queued, and PoCL still compiling them: the process
         * must not end before (seen: a crash of its threads while exit() runs). */
        clFinish(device->queue);
        clReleaseCommandQueue(device->queue);
    }
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
    if (device && *device->base.info.problem)
        status = mica_fail(MICA_E_DEVICE, "%s", device->base.info.problem);
    else if (device && !device->id)
        status = mica_fail(MICA_E_NOT_FOUND, "the device is no longer there");
    if (status == MICA_OK)
        status = start(device);
    if (status == MICA_OK && device->base.info.traits.kind == MICA_GPU)
        status = mica_opencl_group_multiple(device, &device->base.info.traits.subgroup_size);
    if (status != MICA_OK) {
        if (device)
            opencl_close(&device->base);
        return status;
    }
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
