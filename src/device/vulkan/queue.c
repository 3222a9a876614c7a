/* The queue of a Vulkan device: launches recorded once into a command buffer, submission, timing,
 * and the one-time command buffer of transfers. Knows nothing of memory types or shaders.
 *
 * Order: every command buffer opens with a barrier behind all earlier work and closes with one
 * towards the host, so that a run sees whatever was submitted or written before it, the host reads
 * what a finished run wrote, and a list may be submitted again before its last run ended. */
#include "base/error.h"
#include "base/mem.h"
#include "device/vulkan/vulkan.h"

#include <stdlib.h>

static void barrier(VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags written,
    VkPipelineStageFlags to, VkAccessFlags used) {
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = written,
        .dstAccessMask = used,
    };
    mica_vk.CmdPipelineBarrier(commands, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

static void barrier_first(VkCommandBuffer commands) {
    const VkPipelineStageFlags device =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkAccessFlags written = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    barrier(commands, device | VK_PIPELINE_STAGE_HOST_BIT, written | VK_ACCESS_HOST_WRITE_BIT,
        device, written | VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT);
}

static void barrier_last(VkCommandBuffer commands) {
    barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
        VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
        VK_ACCESS_HOST_READ_BIT);
}

static mica_status begin(VkCommandBuffer commands, VkCommandBufferUsageFlags usage) {
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = usage,
    };
    MICA_TRY(MICA_VK(BeginCommandBuffer, commands, &info));
    barrier_first(commands);
    return MICA_OK;
}

static mica_status end(VkCommandBuffer commands) {
    barrier_last(commands);
    return MICA_VK(EndCommandBuffer, commands);
}

static mica_status submit(vulkan_device *device, VkCommandBuffer commands) {
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands,
    };
    MICA_TRY(MICA_VK(QueueSubmit, device->queue, 1, &info, VK_NULL_HANDLE));
    device->busy = true;
    return MICA_OK;
}

mica_status mica_vulkan_wait(mica_device *base) {
    vulkan_device *device = (vulkan_device *)base;
    if (!device->busy)
        return MICA_OK;
    MICA_TRY(MICA_VK(QueueWaitIdle, device->queue));
    device->busy = false;
    return MICA_OK;
}

mica_status mica_vulkan_once_begin(vulkan_device *device) {
    return begin(device->once, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT);
}

mica_status mica_vulkan_once_finish(vulkan_device *device) {
    MICA_TRY(end(device->once));
    MICA_TRY(submit(device, device->once));
    return mica_vulkan_wait(&device->base);
}

/* One descriptor set a launch, from a pool that holds exactly these. Their bindings are storage
 * buffers with consecutive numbers, so that one write fills a set. */
static mica_status make_sets(vulkan_device *device, vulkan_commands *commands,
    const mica_launch *launches, VkDescriptorSet *sets) {
    size_t count = commands->base.count;
    VkDescriptorSetLayout *layouts = mica_alloc(count, sizeof *layouts);
    VkWriteDescriptorSet *writes = mica_alloc(count, sizeof *writes);
    VkDescriptorBufferInfo *ranges = mica_alloc(count, MICA_MAX_BINDINGS * sizeof *ranges);
    mica_status status = layouts && writes && ranges ? MICA_OK : MICA_E_MEMORY;
    uint32_t n_ranges = 0;
    for (size_t i = 0; status == MICA_OK && i < count; i++) {
        const mica_launch *launch = &launches[i];
        layouts[i] = ((vulkan_kernel *)launch->kernel)->set_layout;
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .descriptorCount = launch->kernel->desc.n_bindings,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &ranges[n_ranges],
        };
        for (uint32_t j = 0; j < launch->kernel->desc.n_bindings; j++)
            ranges[n_ranges++] = (VkDescriptorBufferInfo){
                .buffer = ((vulkan_buffer *)launch->bindings[j].buffer)->handle,
                .offset = launch->bindings[j].offset * 4,
                .range = launch->bindings[j].count * 4,
            };
    }
    if (status == MICA_OK) {
        const VkDescriptorPoolCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = (uint32_t)count,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, n_ranges},
        };
        status = MICA_VK(CreateDescriptorPool, device->handle, &info, NULL, &commands->pool);
    }
    if (status == MICA_OK) {
        const VkDescriptorSetAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = commands->pool,
            .descriptorSetCount = (uint32_t)count,
            .pSetLayouts = layouts,
        };
        status = MICA_VK(AllocateDescriptorSets, device->handle, &info, sets);
    }
    if (status == MICA_OK) {
        for (size_t i = 0; i < count; i++)
            writes[i].dstSet = sets[i];
        mica_vk.UpdateDescriptorSets(device->handle, (uint32_t)count, writes, 0, NULL);
    }
    free(ranges);
    free(writes);
    free(layouts);
    return status;
}

static mica_status make_queries(vulkan_device *device, vulkan_commands *commands) {
    if (!device->timestamp_bits)
        return mica_fail(MICA_E_UNSUPPORTED,
            "timing launches on %s: its compute queue has no timestamps", device->base.info.name);
    const VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = (uint32_t)commands->base.count + 1,
    };
    return MICA_VK(CreateQueryPool, device->handle, &info, NULL, &commands->queries);
}

static void record_launch(
    VkCommandBuffer to, const mica_launch *launch, VkDescriptorSet set, bool same_kernel) {
    const vulkan_kernel *kernel = (vulkan_kernel *)launch->kernel;
    if (!same_kernel)
        mica_vk.CmdBindPipeline(to, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->pipeline);
    mica_vk.CmdBindDescriptorSets(
        to, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->layout, 0, 1, &set, 0, NULL);
    if (kernel->base.desc.params_size)
        mica_vk.CmdPushConstants(to, kernel->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
            kernel->base.desc.params_size, launch->params);
    mica_vk.CmdDispatch(to, launch->groups[0], launch->groups[1], launch->groups[2]);
}

/* The launches do not say what they write, so each waits for the one before it. */
static mica_status record(
    const vulkan_commands *commands, const mica_launch *launches, const VkDescriptorSet *sets) {
    VkCommandBuffer to = commands->handle;
    uint32_t count = (uint32_t)commands->base.count;
    MICA_TRY(begin(to, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT));
    if (commands->queries) {
        mica_vk.CmdResetQueryPool(to, commands->queries, 0, count + 1);
        mica_vk.CmdWriteTimestamp(to, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, commands->queries, 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            barrier(to, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        record_launch(to, &launches[i], sets[i], i && launches[i].kernel == launches[i - 1].kernel);
        if (commands->queries)
            mica_vk.CmdWriteTimestamp(
                to, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, commands->queries, i + 1);
    }
    return end(to);
}

static mica_status make_list(
    vulkan_device *device, vulkan_commands *commands, const mica_launch *launches) {
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = device->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    VkDescriptorSet *sets = mica_alloc(commands->base.count, sizeof *sets);
    mica_status status = sets ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK && commands->base.count)
        status = make_sets(device, commands, launches, sets);
    if (status == MICA_OK && commands->base.timed)
        status = make_queries(device, commands);
    if (status == MICA_OK)
        status = MICA_VK(AllocateCommandBuffers, device->handle, &info, &commands->handle);
    if (status == MICA_OK)
        status = record(commands, launches, sets);
    free(sets);
    return status;
}

mica_status mica_vulkan_commands_create(mica_device *device, const mica_launch *launches,
    size_t count, bool timed, mica_commands **out) {
    if (count >= UINT32_MAX / MICA_MAX_BINDINGS)
        return mica_fail(MICA_E_INVALID, "a list of %zu launches is too long", count);
    vulkan_commands *commands = mica_alloc(1, sizeof *commands);
    if (!commands)
        return MICA_E_MEMORY;
    commands->base = (mica_commands){.device = device, .count = count, .timed = timed};
    mica_status status = make_list((vulkan_device *)device, commands, launches);
    if (status != MICA_OK) {
        mica_vulkan_commands_destroy(&commands->base);
        return status;
    }
    *out = &commands->base;
    return MICA_OK;
}

void mica_vulkan_commands_destroy(mica_commands *base) {
    vulkan_commands *commands = (vulkan_commands *)base;
    vulkan_device *device = (vulkan_device *)base->device;
    mica_vulkan_wait(base->device);
    if (commands->handle)
        mica_vk.FreeCommandBuffers(device->handle, device->pool, 1, &commands->handle);
    mica_vk.DestroyQueryPool(device->handle, commands->queries, NULL);
    mica_vk.DestroyDescriptorPool(device->handle, commands->pool, NULL);
    free(commands);
}

mica_status mica_vulkan_commands_submit(mica_commands *base) {
    vulkan_commands *commands = (vulkan_commands *)base;
    return submit((vulkan_device *)base->device, commands->handle);
}

mica_status mica_vulkan_commands_times(mica_commands *base, uint64_t *nanoseconds) {
    vulkan_commands *commands = (vulkan_commands *)base;
    vulkan_device *device = (vulkan_device *)base->device;
    MICA_TRY(mica_vulkan_wait(base->device));
    uint64_t *stamps = mica_alloc(base->count + 1, sizeof *stamps);
    if (!stamps)
        return MICA_E_MEMORY;
    mica_status status = MICA_VK(GetQueryPoolResults, device->handle, commands->queries, 0,
        (uint32_t)base->count + 1, (base->count + 1) * sizeof *stamps, stamps, sizeof *stamps,
        VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    uint64_t mask = UINT64_MAX >> (64 - device->timestamp_bits);
    for (size_t i = 0; status == MICA_OK && i < base->count; i++)
        nanoseconds[i] = (uint64_t)((double)((stamps[i + 1] - stamps[i]) & mask) *
                                    (double)device->properties.limits.timestampPeriod);
    free(stamps);
    return status;
}
