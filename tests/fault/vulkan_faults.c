/* A libvulkan.so.1 before the real one, which counts calls that give a VkResult, and makes one of
 * them fail, or that one and all later ones, as faults.c does: FAULT_AT, FAULT_ALL, FAULT_LOG.
 * FAULT_ERROR is the code (-4: the device is lost). Its folder goes into LD_LIBRARY_PATH;
 * FAULT_VULKAN is the path of the real one. */
#include "fault_log.h"

#include <string.h>

#define PARAMETERS long a, long b, long c, long d, long e, long f
#define ARGUMENTS  a, b, c, d, e, f
#define NAMES(X)                                                                                   \
    X(CreateInstance)                                                                              \
    X(EnumeratePhysicalDevices)                                                                    \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(CreateDevice)                                                                                \
    X(QueueSubmit)                                                                                 \
    X(QueueWaitIdle)                                                                               \
    X(CreateBuffer)                                                                                \
    X(AllocateMemory)                                                                              \
    X(BindBufferMemory)                                                                            \
    X(MapMemory)                                                                                   \
    X(CreateShaderModule)                                                                          \
    X(CreateDescriptorSetLayout)                                                                   \
    X(CreatePipelineLayout)                                                                        \
    X(CreatePipelineCache)                                                                         \
    X(GetPipelineCacheData)                                                                        \
    X(CreateComputePipelines)                                                                      \
    X(CreateDescriptorPool)                                                                        \
    X(AllocateDescriptorSets)                                                                      \
    X(CreateQueryPool)                                                                             \
    X(GetQueryPoolResults)                                                                         \
    X(CreateCommandPool)                                                                           \
    X(AllocateCommandBuffers)                                                                      \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)

static long code;

/* A lost device computes no more: what was submitted is waited for even so. */
#define DEFINE(name)                                                                               \
    static long (*real_##name)(PARAMETERS);                                                        \
    static long my_##name(PARAMETERS) {                                                            \
        if (!fault_log_call("vk" #name))                                                           \
            return real_##name(ARGUMENTS);                                                         \
        if (!strcmp(#name, "QueueWaitIdle"))                                                       \
            real_##name(ARGUMENTS);                                                                \
        return code;                                                                               \
    }
NAMES(DEFINE)

void *vkGetInstanceProcAddr(void *instance, const char *name);

static void *(*real_get)(void *, const char *);

void *vkGetInstanceProcAddr(void *instance, const char *name) {
    void *found = real_get ? real_get(instance, name) : NULL;
#define REPLACE(n)                                                                                 \
    if (found && !strcmp(name, "vk" #n)) {                                                         \
        *(void **)&real_##n = found;                                                               \
        return (void *)my_##n;                                                                     \
    }
    NAMES(REPLACE)
    return found;
}

__attribute__((constructor)) static void begin(void) {
    const char *error = getenv("FAULT_ERROR"), *path = getenv("FAULT_VULKAN");
    code = error ? atol(error) : -4;
    fault_log_open();
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library)
        *(void **)&real_get = dlsym(library, "vkGetInstanceProcAddr");
}

__attribute__((destructor)) static void end(void) {
    fault_log_end();
}
