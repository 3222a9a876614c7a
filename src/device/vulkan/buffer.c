/* Buffers of the Vulkan backend: one VkDeviceMemory each (a graph has few, large arenas), choice
 * of the memory type, transfers. Knows nothing of kernels. */
#include "base/error.h"
#include "base/mem.h"
#include "device/vulkan/vulkan.h"

#include <stdlib.h>
#include <string.h>

/* Transfers to memory that the host cannot see go through a buffer of this size, in pieces. */
#define STAGING_BYTES (8u << 20)

/* The best of the `allowed` types, or UINT32_MAX. DEVICE memory is local to the device, and seen by
 * the host only where both share it anyway: a card's window for the host is small. HOST memory is
 * coherent and, if there is such a type, cached. Flags beyond the known ones ask for features that
 * are not enabled. Of equal types the first is the fastest: so the standard orders them. */
static uint32_t memory_type(const vulkan_device *device, uint32_t allowed, mica_memory memory) {
    const VkMemoryPropertyFlags mapped =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags known =
        mapped | VK_MEMORY_PROPERTY_HOST_CACHED_BIT | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    bool unified = device->base.info.traits.unified;
    uint32_t best = UINT32_MAX;
    int best_score = 0;
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = device->memory.memoryTypes[i].propertyFlags;
        bool local = flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
        bool visible = (flags & mapped) == mapped;
        bool cached = flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
        if (!(allowed >> i & 1) || flags & ~known ||
            !(memory == MICA_MEMORY_HOST ? visible : local))
            continue;
        int score = memory == MICA_MEMORY_HOST ? 1 + 2 * cached + (local == unified)
                                               : 1 + (visible == unified);
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

/* Memory for a buffer whose handle exists: allocated, bound, and mapped if the host sees it. */
static mica_status attach_memory(vulkan_device *device, vulkan_buffer *buffer) {
    VkMemoryRequirements needs;
    mica_vk.GetBufferMemoryRequirements(device->handle, buffer->handle, &needs);
    uint32_t type = memory_type(device, needs.memoryTypeBits, buffer->base.memory);
    if (type == UINT32_MAX)
        return mica_fail(MICA_E_UNSUPPORTED, "no memory type of the driver suits storage buffers");
    uint32_t limit = device->properties.limits.maxMemoryAllocationCount;
    if (device->allocations >= limit)
        return mica_fail(MICA_E_MEMORY, "the driver allows %u buffers at a time", limit);
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .allocationSize = needs.size,
        .memoryTypeIndex = type,
    };
    MICA_TRY(MICA_VK(AllocateMemory, device->handle, &info, NULL, &buffer->memory));
    device->allocations++;
    MICA_TRY(MICA_VK(BindBufferMemory, device->handle, buffer->handle, buffer->memory, 0));
    VkMemoryPropertyFlags flags = device->memory.memoryTypes[type].propertyFlags;
    if (!(flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT))
        return MICA_OK;
    buffer->cached = flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    return MICA_VK(MapMemory, device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->map);
}

void mica_vulkan_buffer_destroy(mica_buffer *base) {
    vulkan_buffer *buffer = (vulkan_buffer *)base;
    vulkan_device *device = (vulkan_device *)base->device;
    mica_vulkan_wait(base->device);
    mica_vk.DestroyBuffer(device->handle, buffer->handle, NULL);
    if (buffer->memory) {
        mica_vk.FreeMemory(device->handle, buffer->memory, NULL);
        device->allocations--;
    }
    free(buffer);
}

mica_status mica_vulkan_buffer_create(
    mica_device *base, uint64_t bytes, mica_memory memory, mica_buffer **out) {
    vulkan_device *device = (vulkan_device *)base;
    vulkan_buffer *buffer = mica_alloc(1, sizeof *buffer);
    if (!buffer)
        return MICA_E_MEMORY;
    buffer->base = (mica_buffer){.device = base, .bytes = bytes, .memory = memory};
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    mica_status status = MICA_VK(CreateBuffer, device->handle, &info, NULL, &buffer->handle);
    if (status == MICA_OK)
        status = attach_memory(device, buffer);
    if (status != MICA_OK) {
        mica_vulkan_buffer_destroy(&buffer->base);
        return mica_fail_in(
            status, "%s: a buffer of %llu bytes", base->info.id, (unsigned long long)bytes);
    }
    *out = &buffer->base;
    return MICA_OK;
}

mica_status mica_vulkan_buffer_fill(
    mica_buffer *base, uint64_t offset, uint32_t word, uint64_t size) {
    vulkan_device *device = (vulkan_device *)base->device;
    MICA_TRY(mica_vulkan_once_begin(device));
    mica_vk.CmdFillBuffer(device->once, ((vulkan_buffer *)base)->handle, offset, size, word);
    return mica_vulkan_once_finish(device);
}

static mica_status copy(vulkan_device *device, VkBuffer from, uint64_t from_offset, VkBuffer to,
    uint64_t to_offset, uint64_t size) {
    MICA_TRY(mica_vulkan_once_begin(device));
    const VkBufferCopy region = {.srcOffset = from_offset, .dstOffset = to_offset, .size = size};
    mica_vk.CmdCopyBuffer(device->once, from, to, 1, &region);
    return mica_vulkan_once_finish(device);
}

static mica_status prepare_staging(vulkan_device *device) {
    if (device->staging)
        return MICA_OK;
    mica_buffer *staging;
    MICA_TRY(mica_vulkan_buffer_create(&device->base, STAGING_BYTES, MICA_MEMORY_HOST, &staging));
    device->staging = (vulkan_buffer *)staging;
    return MICA_OK;
}

mica_status mica_vulkan_buffer_write(
    mica_buffer *base, uint64_t offset, const void *data, uint64_t size) {
    vulkan_device *device = (vulkan_device *)base->device;
    vulkan_buffer *buffer = (vulkan_buffer *)base;
    if (buffer->map) {
        MICA_TRY(mica_vulkan_wait(base->device));
        memcpy((char *)buffer->map + offset, data, size);
        return MICA_OK;
    }
    MICA_TRY(prepare_staging(device));
    for (uint64_t done = 0, n; done < size; done += n) {
        n = size - done < STAGING_BYTES ? size - done : STAGING_BYTES;
        memcpy(device->staging->map, (const char *)data + done, n);
        MICA_TRY(copy(device, device->staging->handle, 0, buffer->handle, offset + done, n));
    }
    return MICA_OK;
}

mica_status mica_vulkan_buffer_read(mica_buffer *base, uint64_t offset, void *data, uint64_t size) {
    vulkan_device *device = (vulkan_device *)base->device;
    vulkan_buffer *buffer = (vulkan_buffer *)base;
    if (buffer->map && buffer->cached) {
        MICA_TRY(mica_vulkan_wait(base->device));
        memcpy(data, (const char *)buffer->map + offset, size);
        return MICA_OK;
    }
    MICA_TRY(prepare_staging(device));
    for (uint64_t done = 0, n; done < size; done += n) {
        n = size - done < STAGING_BYTES ? size - done : STAGING_BYTES;
        MICA_TRY(copy(device, buffer->handle, offset + done, device->staging->handle, 0, n));
        memcpy((char *)data + done, device->staging->map, n);
    }
    return MICA_OK;
}
