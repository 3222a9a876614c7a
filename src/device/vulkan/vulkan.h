/* What the files of the Vulkan backend share: the functions of the loader, the structures behind
 * the handles, the one-time command buffer. Knows no operators; the checks of arguments were made
 * by device.c.
 *
 * Vulkan 1.1, one compute queue a device, no linking: the loader is opened at run time. */
#ifndef MICA_DEVICE_VULKAN_VULKAN_H
#define MICA_DEVICE_VULKAN_VULKAN_H

#define VK_NO_PROTOTYPES
#include "device/device_impl.h"

#include <vulkan/vulkan_core.h>

#define MICA_VK_FUNCTIONS(X)                                                                       \
    X(DestroyInstance)                                                                             \
    X(EnumeratePhysicalDevices)                                                                    \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(GetPhysicalDeviceProperties)                                                                 \
    X(GetPhysicalDeviceFeatures2)                                                                  \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                      \
    X(GetPhysicalDeviceMemoryProperties)                                                           \
    X(CreateDevice)                                                                                \
    X(DestroyDevice)                                                                               \
    X(GetDeviceQueue)                                                                              \
    X(QueueSubmit)                                                                                 \
    X(QueueWaitIdle)                                                                               \
    X(CreateBuffer)                                                                                \
    X(DestroyBuffer)                                                                               \
    X(GetBufferMemoryRequirements)                                                                 \
    X(AllocateMemory)                                                                              \
    X(FreeMemory)                                                                                  \
    X(BindBufferMemory)                                                                            \
    X(MapMemory)                                                                                   \
    X(CreateShaderModule)                                                                          \
    X(DestroyShaderModule)                                                                         \
    X(CreateDescriptorSetLayout)                                                                   \
    X(DestroyDescriptorSetLayout)                                                                  \
    X(CreatePipelineLayout)                                                                        \
    X(DestroyPipelineLayout)                                                                       \
    X(CreatePipelineCache)                                                                         \
    X(DestroyPipelineCache)                                                                        \
    X(GetPipelineCacheData)                                                                        \
    X(CreateComputePipelines)                                                                      \
    X(DestroyPipeline)                                                                             \
    X(CreateDescriptorPool)                                                                        \
    X(DestroyDescriptorPool)                                                                       \
    X(AllocateDescriptorSets)                                                                      \
    X(UpdateDescriptorSets)                                                                        \
    X(CreateQueryPool)                                                                             \
    X(DestroyQueryPool)                                                                            \
    X(GetQueryPoolResults)                                                                         \
    X(CreateCommandPool)                                                                           \
    X(DestroyCommandPool)                                                                          \
    X(AllocateCommandBuffers)                                                                      \
    X(FreeCommandBuffers)                                                                          \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)                                                                            \
    X(CmdPipelineBarrier)                                                                          \
    X(CmdCopyBuffer)                                                                               \
    X(CmdFillBuffer)                                                                               \
    X(CmdBindPipeline)                                                                             \
    X(CmdBindDescriptorSets)                                                                       \
    X(CmdPushConstants)                                                                            \
    X(CmdDispatch)                                                                                 \
    X(CmdResetQueryPool)                                                                           \
    X(CmdWriteTimestamp)

/* Valid between mica_vulkan_acquire and the matching mica_vulkan_release. */
struct mica_vk_api {
    VkInstance instance;
#define X(name) PFN_vk##name name;
    MICA_VK_FUNCTIONS(X)
#undef X
};
extern struct mica_vk_api mica_vk;

typedef struct vulkan_buffer {
    mica_buffer base;
    VkBuffer handle;
    VkDeviceMemory memory;
    void *map;   /* NULL where the host cannot see the memory */
    bool cached; /* reading through map is fast */
} vulkan_buffer;

typedef struct vulkan_device {
    mica_device base;
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t family;         /* of the queue */
    uint32_t timestamp_bits; /* 0: the queue has no timestamps */
    VkDevice handle;
    VkQueue queue;
    bool busy; /* work was submitted since the last wait */
    VkCommandPool pool;
    VkCommandBuffer once;   /* for transfers, recorded anew each time */
    vulkan_buffer *staging; /* made by the first transfer that needs it */
    uint32_t allocations;
    VkPipelineCache cache;
    size_t cache_size; /* bytes that the file held */
} vulkan_device;

typedef struct vulkan_kernel {
    mica_kernel base;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipeline pipeline;
} vulkan_kernel;

typedef struct vulkan_commands {
    mica_commands base;
    VkDescriptorPool pool;
    VkQueryPool queries; /* one timestamp before the first launch, then one after each */
    VkCommandBuffer handle;
} vulkan_commands;

/* loader.c */

/* Opens the loader and makes the process' instance, or counts one more user of it; both under
 * device_impl.h's lock.
 * MICA_E_NOT_FOUND where there is no loader or no driver. */
mica_status mica_vulkan_acquire(void);
void mica_vulkan_release(void);

/* MICA_OK for a result that is no error; else fails with the names of the call and the result. */
mica_status mica_vulkan_check(const char *call, VkResult result);
#define MICA_VK(name, ...) mica_vulkan_check("vk" #name, mica_vk.name(__VA_ARGS__))

/* buffer.c */
mica_status mica_vulkan_buffer_create(
    mica_device *device, uint64_t bytes, mica_memory memory, mica_buffer **buffer);
void mica_vulkan_buffer_destroy(mica_buffer *buffer);
mica_status mica_vulkan_buffer_write(
    mica_buffer *buffer, uint64_t offset, const void *data, uint64_t size);
mica_status mica_vulkan_buffer_read(
    mica_buffer *buffer, uint64_t offset, void *data, uint64_t size);
mica_status mica_vulkan_buffer_fill(
    mica_buffer *buffer, uint64_t offset, uint32_t word, uint64_t size);

/* kernel.c */

mica_status mica_vulkan_kernel_create(
    mica_device *device, const mica_kernel_desc *desc, mica_kernel **kernel);
void mica_vulkan_kernel_destroy(mica_kernel *kernel);

/* The device's pipeline cache, kept on disk: loaded here, stored if it grew there. */
mica_status mica_vulkan_cache_open(vulkan_device *device);
void mica_vulkan_cache_close(vulkan_device *device);

/* queue.c */

/* Records into device->once what shall run after all earlier work; finish submits it and waits. */
mica_status mica_vulkan_once_begin(vulkan_device *device);
mica_status mica_vulkan_once_finish(vulkan_device *device);

mica_status mica_vulkan_commands_create(mica_device *device, const mica_launch *launches,
    size_t count, bool timed, mica_commands **commands);
void mica_vulkan_commands_destroy(mica_commands *commands);
mica_status mica_vulkan_commands_submit(mica_commands *commands);
mica_status mica_vulkan_commands_times(mica_commands *commands, uint64_t *nanoseconds);
mica_status mica_vulkan_wait(mica_device *device);

#endif
