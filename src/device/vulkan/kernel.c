/* Kernels of the Vulkan backend: a compute pipeline each, and the pipeline cache that is kept on
 * disk. Knows no buffers. */
#include "base/error.h"
#include "base/mem.h"
#include "device/cache.h"
#include "device/vulkan/vulkan.h"

#include <stdio.h>
#include <stdlib.h>

#define LOCAL_SIZE_ID 100 /* constant_id of local_size_x; y and z follow */

static mica_status make_layouts(vulkan_device *device, vulkan_kernel *kernel) {
    const mica_kernel_desc *desc = &kernel->base.desc;
    VkDescriptorSetLayoutBinding bindings[MICA_MAX_BINDINGS];
    for (uint32_t i = 0; i < desc->n_bindings; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    const VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = desc->n_bindings,
        .pBindings = bindings,
    };
    MICA_TRY(MICA_VK(CreateDescriptorSetLayout, device->handle, &set, NULL, &kernel->set_layout));
    const VkPipelineLayoutCreateInfo layout = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &kernel->set_layout,
        .pushConstantRangeCount = desc->params_size ? 1 : 0,
        .pPushConstantRanges =
            &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, desc->params_size},
    };
    return MICA_VK(CreatePipelineLayout, device->handle, &layout, NULL, &kernel->layout);
}

static mica_status make_pipeline(
    vulkan_device *device, vulkan_kernel *kernel, VkShaderModule module) {
    const mica_kernel_desc *desc = &kernel->base.desc;
    int32_t values[MICA_MAX_CONSTANTS + 3];
    VkSpecializationMapEntry entries[MICA_MAX_CONSTANTS + 3];
    uint32_t count = desc->n_constants + 3;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t dimension = i - desc->n_constants;
        bool local = i >= desc->n_constants;
        values[i] = local ? (int32_t)desc->local[dimension] : desc->constants[i].value;
        entries[i] = (VkSpecializationMapEntry){
            .constantID = local ? LOCAL_SIZE_ID + dimension : i,
            .offset = i * (uint32_t)sizeof *values,
            .size = sizeof *values,
        };
    }
    const VkSpecializationInfo constants = {
        .mapEntryCount = count,
        .pMapEntries = entries,
        .dataSize = count * sizeof *values,
        .pData = values,
    };
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
                .pSpecializationInfo = &constants,
            },
        .layout = kernel->layout,
    };
    return MICA_VK(
        CreateComputePipelines, device->handle, device->cache, 1, &info, NULL, &kernel->pipeline);
}

mica_status mica_vulkan_kernel_create(
    mica_device *base, const mica_kernel_desc *desc, mica_kernel **out) {
    size_t size;
    const uint32_t *code = mica_source_vulkan(desc->entry, &size);
    if (!code)
        return mica_fail(MICA_E_UNSUPPORTED, "%s has no Vulkan shader", desc->entry);
    vulkan_device *device = (vulkan_device *)base;
    vulkan_kernel *kernel = mica_alloc(1, sizeof *kernel);
    if (!kernel)
        return MICA_E_MEMORY;
    kernel->base = (mica_kernel){.device = base, .desc = *desc};
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = size,
        .pCode = code,
    };
    VkShaderModule module = VK_NULL_HANDLE;
    mica_status status = MICA_VK(CreateShaderModule, device->handle, &info, NULL, &module);
    if (status == MICA_OK)
        status = make_layouts(device, kernel);
    if (status == MICA_OK)
        status = make_pipeline(device, kernel, module);
    mica_vk.DestroyShaderModule(device->handle, module, NULL);
    if (status != MICA_OK) {
        mica_vulkan_kernel_destroy(&kernel->base);
        return status;
    }
    *out = &kernel->base;
    return MICA_OK;
}

void mica_vulkan_kernel_destroy(mica_kernel *base) {
    vulkan_kernel *kernel = (vulkan_kernel *)base;
    VkDevice device = ((vulkan_device *)base->device)->handle;
    mica_vulkan_wait(base->device);
    mica_vk.DestroyPipeline(device, kernel->pipeline, NULL);
    mica_vk.DestroyPipelineLayout(device, kernel->layout, NULL);
    mica_vk.DestroyDescriptorSetLayout(device, kernel->set_layout, NULL);
    free(kernel);
}

/* All that tells one driver build's cache from another's. Free with free(); NULL on failure. */
static char *cache_key(const vulkan_device *device) {
    const VkPhysicalDeviceProperties *p = &device->properties;
    char uuid[2 * VK_UUID_SIZE + 1];
    for (size_t i = 0; i < VK_UUID_SIZE; i++)
        snprintf(uuid + 2 * i, 3, "%02x", p->pipelineCacheUUID[i]);
    return mica_format("vulkan pipelines: vendor %x device %x driver %x cache %s", p->vendorID,
        p->deviceID, p->driverVersion, uuid);
}

mica_status mica_vulkan_cache_open(vulkan_device *device) {
    char *key = cache_key(device);
    if (!key)
        return MICA_E_MEMORY;
    void *data = NULL;
    if (mica_cache_load(key, &data, &device->cache_size) != MICA_OK)
        device->cache_size = 0;
    free(key);
    const VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = device->cache_size,
        .pInitialData = data,
    };
    mica_status status = MICA_VK(CreatePipelineCache, device->handle, &info, NULL, &device->cache);
    free(data);
    return status;
}

void mica_vulkan_cache_close(vulkan_device *device) {
    size_t size = 0;
    VkResult result = mica_vk.GetPipelineCacheData(device->handle, device->cache, &size, NULL);
    if (result == VK_SUCCESS && size > device->cache_size) {
        char *key = cache_key(device);
        void *data = mica_alloc(1, size);
        if (key && data)
            result = mica_vk.GetPipelineCacheData(device->handle, device->cache, &size, data);
        if (key && data && result == VK_SUCCESS)
            mica_cache_store(key, data, size);
        free(data);
        free(key);
    }
    mica_vk.DestroyPipelineCache(device->handle, device->cache, NULL);
}
