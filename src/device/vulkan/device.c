/* Vulkan devices: finding and describing them, opening and closing one; the backend's table. Knows
 * nothing of what is done with a device. */
#include "base/error.h"
#include "base/mem.h"
#include "device/vulkan/vulkan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mica_status list_physical(VkPhysicalDevice **list, uint32_t *count) {
    uint32_t n = 0;
    MICA_TRY(MICA_VK(EnumeratePhysicalDevices, mica_vk.instance, &n, NULL));
    VkPhysicalDevice *found = mica_alloc(n, sizeof *found);
    if (!found)
        return MICA_E_MEMORY;
    mica_status status =
        n ? MICA_VK(EnumeratePhysicalDevices, mica_vk.instance, &n, found) : MICA_OK;
    if (status != MICA_OK) {
        free(found);
        return status;
    }
    *list = found;
    *count = n;
    return MICA_OK;
}

static mica_status has_extension(VkPhysicalDevice physical, const char *name, bool *found) {
    uint32_t n = 0;
    *found = false;
    MICA_TRY(MICA_VK(EnumerateDeviceExtensionProperties, physical, NULL, &n, NULL));
    VkExtensionProperties *list = mica_alloc(n, sizeof *list);
    mica_status status = list
                             ? MICA_VK(EnumerateDeviceExtensionProperties, physical, NULL, &n, list)
                             : MICA_E_MEMORY;
    for (uint32_t i = 0; status == MICA_OK && i < n; i++)
        *found |= !strcmp(list[i].extensionName, name);
    free(list);
    return status;
}

/* A family that only computes leaves the desktop's queue alone, so it is taken if there is one. */
static mica_status find_queue(vulkan_device *device) {
    uint32_t n = 0;
    mica_vk.GetPhysicalDeviceQueueFamilyProperties(device->physical, &n, NULL);
    VkQueueFamilyProperties *list = mica_alloc(n, sizeof *list);
    if (!list)
        return MICA_E_MEMORY;
    mica_vk.GetPhysicalDeviceQueueFamilyProperties(device->physical, &n, list);
    int best = 0;
    for (uint32_t i = 0; i < n; i++) {
        VkQueueFlags flags = list[i].queueFlags;
        int score = !(flags & VK_QUEUE_COMPUTE_BIT) ? 0 : (flags & VK_QUEUE_GRAPHICS_BIT) ? 1 : 2;
        if (score > best) {
            best = score;
            device->family = i;
            device->timestamp_bits = list[i].timestampValidBits;
        }
    }
    free(list);
    return best ? MICA_OK : mica_fail(MICA_E_UNSUPPORTED, "it has no queue for compute work");
}

static mica_device_kind kind_of(VkPhysicalDeviceType type) {
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return MICA_CPU;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return MICA_GPU;
    default:
        return MICA_ACCELERATOR;
    }
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* What a CPU's driver does not tell, but the system does. */
static void describe_cpu(mica_traits *traits) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    traits->compute_units = cores > 0 ? (uint32_t)cores : 1;
#ifdef _SC_LEVEL2_CACHE_SIZE
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    traits->cache_bytes = cache > 0 ? (uint64_t)cache : 0;
#endif
}

/* Does the driver claim half precision in arithmetic and in buffers? */
static mica_status claims_half(VkPhysicalDevice physical, bool *half) {
    MICA_TRY(has_extension(physical, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME, half));
    if (!*half)
        return MICA_OK;
    VkPhysicalDeviceShaderFloat16Int8Features arithmetic = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    VkPhysicalDevice16BitStorageFeatures storage = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, .pNext = &arithmetic};
    VkPhysicalDeviceFeatures2 all = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &storage};
    mica_vk.GetPhysicalDeviceFeatures2(physical, &all);
    *half = arithmetic.shaderFloat16 && storage.storageBuffer16BitAccess;
    return MICA_OK;
}

/* Mesa's llvmpipe ends all loops of an invocation behind 65,535 turns and computes on (gallivm's
 * LP_MAX_TGSI_LOOP_ITERATIONS). No query tells the limit. Others have none, but lose nothing
 * either: work that long is better spread over more groups, which keeps launches short for
 * watchdogs. */
#define LOOP_STEPS_MOST 65535

static void fill_traits(vulkan_device *device, const VkPhysicalDeviceSubgroupProperties *subgroup,
    uint64_t max_allocation) {
    const VkPhysicalDeviceLimits *limits = &device->properties.limits;
    VkPhysicalDeviceType type = device->properties.deviceType;
    uint64_t memory = 0;
    for (uint32_t i = 0; i < device->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *heap = &device->memory.memoryHeaps[i];
        if (heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && heap->size > memory)
            memory = heap->size;
    }
    uint64_t max_buffer = (memory < max_allocation ? memory : max_allocation) & ~(uint64_t)3;
    uint64_t max_range = limits->maxStorageBufferRange & ~3u;
    uint64_t align = limits->minStorageBufferOffsetAlignment;
    bool counted = subgroup->supportedStages & VK_SHADER_STAGE_COMPUTE_BIT;
    mica_traits *traits = &device->base.info.traits;
    *traits = (mica_traits){
        .kind = kind_of(type),
        .compute_units = 1,
        .vector_width = 1,
        .subgroup_size = counted ? subgroup->subgroupSize : 0,
        .max_group_size = limits->maxComputeWorkGroupInvocations,
        .max_loop_steps = LOOP_STEPS_MOST,
        .local_bytes = limits->maxComputeSharedMemorySize,
        .offset_align = align > 64 ? (uint32_t)align : 64,
        .max_bindings = least(limits->maxPerStageDescriptorStorageBuffers,
            least(limits->maxDescriptorSetStorageBuffers, limits->maxPerStageResources)),
        .memory_bytes = memory,
        .max_buffer_bytes = max_buffer,
        .max_binding_bytes = max_range < max_buffer ? max_range : max_buffer,
        .unified =
            type == VK_PHYSICAL_DEVICE_TYPE_CPU || type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU,
    };
    memcpy(traits->max_group_dim, limits->maxComputeWorkGroupSize, sizeof traits->max_group_dim);
    memcpy(traits->max_groups, limits->maxComputeWorkGroupCount, sizeof traits->max_groups);
    if (traits->kind == MICA_CPU)
        describe_cpu(traits);
}

static mica_status look_closer(vulkan_device *device) {
    VkPhysicalDevice physical = device->physical;
    mica_device_info *info = &device->base.info;
    uint32_t api = device->properties.apiVersion;
    if (api < VK_API_VERSION_1_1)
        return mica_fail(MICA_E_UNSUPPORTED, "it offers Vulkan %u.%u; 1.1 is needed",
            VK_API_VERSION_MAJOR(api), VK_API_VERSION_MINOR(api));
    VkPhysicalDeviceDriverProperties names = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    bool named, half;
    MICA_TRY(has_extension(physical, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME, &named));
    VkPhysicalDeviceMaintenance3Properties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES,
        .pNext = named ? &names : NULL,
    };
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, .pNext = &sizes};
    VkPhysicalDeviceProperties2 all = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &subgroup};
    mica_vk.GetPhysicalDeviceProperties2(physical, &all);
    if (named)
        snprintf(
            info->driver, sizeof info->driver, "%.50s %.70s", names.driverName, names.driverInfo);
    fill_traits(device, &subgroup, sizes.maxMemoryAllocationSize);
    MICA_TRY(claims_half(physical, &half));
    info->traits.fp16 = half;
    return find_queue(device);
}

/* Fills in all that is known of a device before it is opened; base.info.problem says why it cannot
 * be. */
static void describe(vulkan_device *device, uint32_t index, VkPhysicalDevice physical) {
    *device = (vulkan_device){.physical = physical};
    mica_device_info *info = &device->base.info;
    VkPhysicalDeviceProperties *properties = &device->properties;
    mica_vk.GetPhysicalDeviceProperties(physical, properties);
    mica_vk.GetPhysicalDeviceMemoryProperties(physical, &device->memory);
    uint32_t api = properties->apiVersion, driver = properties->driverVersion;
    snprintf(info->id, sizeof info->id, "vulkan:%u", index);
    snprintf(info->backend, sizeof info->backend, "vulkan");
    snprintf(info->name, sizeof info->name, "%.127s", properties->deviceName);
    snprintf(info->driver, sizeof info->driver, "Vulkan %u.%u, driver %#x",
        VK_API_VERSION_MAJOR(api), VK_API_VERSION_MINOR(api), driver);
    if (look_closer(device) != MICA_OK)
        snprintf(info->problem, sizeof info->problem, "%.255s", mica_last_error());
}

static mica_status vulkan_enumerate(struct mica_infos *infos) {
    mica_status status = mica_vulkan_acquire();
    if (status == MICA_E_NOT_FOUND)
        return MICA_OK;
    VkPhysicalDevice *list = NULL;
    uint32_t count = 0;
    bool acquired = status == MICA_OK;
    if (acquired)
        status = list_physical(&list, &count);
    if (status != MICA_OK) {
        mica_device_info broken = {.id = "vulkan:0", .backend = "vulkan", .name = "Vulkan"};
        snprintf(broken.problem, sizeof broken.problem, "%s", mica_last_error());
        status = mica_infos_add(infos, &broken);
    }
    for (uint32_t i = 0; status == MICA_OK && i < count; i++) {
        vulkan_device device;
        describe(&device, i, list[i]);
        status = mica_infos_add(infos, &device.base.info);
    }
    free(list);
    if (acquired)
        mica_vulkan_release();
    return status;
}

static mica_status make_device(vulkan_device *device) {
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = device->family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    VkPhysicalDeviceShaderFloat16Int8Features arithmetic = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
        .shaderFloat16 = VK_TRUE,
    };
    VkPhysicalDevice16BitStorageFeatures storage = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
        .pNext = &arithmetic,
        .storageBuffer16BitAccess = VK_TRUE,
    };
    const char *const half_extension = VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME;
    bool half = device->base.info.traits.fp16;
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = half ? &storage : NULL,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = half ? 1 : 0,
        .ppEnabledExtensionNames = &half_extension,
    };
    MICA_TRY(MICA_VK(CreateDevice, device->physical, &info, NULL, &device->handle));
    mica_vk.GetDeviceQueue(device->handle, device->family, 0, &device->queue);
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = device->family,
    };
    MICA_TRY(MICA_VK(CreateCommandPool, device->handle, &pool, NULL, &device->pool));
    const VkCommandBufferAllocateInfo once = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = device->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    MICA_TRY(MICA_VK(AllocateCommandBuffers, device->handle, &once, &device->once));
    return mica_vulkan_cache_open(device);
}

/* Also takes a device that make_device left unfinished. */
static void vulkan_close(mica_device *base) {
    vulkan_device *device = (vulkan_device *)base;
    if (device->handle) {
        mica_vulkan_wait(base);
        if (device->staging)
            mica_vulkan_buffer_destroy(&device->staging->base);
        if (device->cache)
            mica_vulkan_cache_close(device);
        mica_vk.DestroyCommandPool(device->handle, device->pool, NULL);
        mica_vk.DestroyDevice(device->handle, NULL);
    }
    free(device);
    mica_vulkan_release();
}

static mica_status vulkan_open(uint32_t index, mica_device **out) {
    MICA_TRY(mica_vulkan_acquire());
    VkPhysicalDevice *list = NULL;
    uint32_t count = 0;
    vulkan_device *device = mica_alloc(1, sizeof *device);
    mica_status status = device ? list_physical(&list, &count) : MICA_E_MEMORY;
    if (status == MICA_OK && index >= count)
        status = mica_fail(MICA_E_NOT_FOUND, "there are %u Vulkan devices", count);
    if (status == MICA_OK) {
        describe(device, index, list[index]);
        if (*device->base.info.problem)
            status = mica_fail(
                MICA_E_UNSUPPORTED, "%s: %s", device->base.info.name, device->base.info.problem);
    }
    free(list);
    if (status == MICA_OK)
        status = make_device(device);
    if (status != MICA_OK && device) {
        vulkan_close(&device->base);
        return status;
    }
    if (status != MICA_OK) {
        mica_vulkan_release();
        return status;
    }
    *out = &device->base;
    return MICA_OK;
}

const mica_backend mica_backend_vulkan = {
    .name = "vulkan",
    .enumerate = vulkan_enumerate,
    .open = vulkan_open,
    .close = vulkan_close,
    .buffer_create = mica_vulkan_buffer_create,
    .buffer_destroy = mica_vulkan_buffer_destroy,
    .buffer_write = mica_vulkan_buffer_write,
    .buffer_read = mica_vulkan_buffer_read,
    .buffer_fill = mica_vulkan_buffer_fill,
    .kernel_create = mica_vulkan_kernel_create,
    .kernel_destroy = mica_vulkan_kernel_destroy,
    .commands_create = mica_vulkan_commands_create,
    .commands_destroy = mica_vulkan_commands_destroy,
    .commands_submit = mica_vulkan_commands_submit,
    .commands_times = mica_vulkan_commands_times,
    .wait = mica_vulkan_wait,
};
