/* The Vulkan loader, opened at run time, and the one instance of the process. Knows no devices. */
#include "base/error.h"
#include "device/vulkan/vulkan.h"

#include <dlfcn.h>
#include <pthread.h>

struct mica_vk_api mica_vk;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t users;

/* The library stays loaded: drivers have thread exit handlers that must not be unmapped. */
static PFN_vkGetInstanceProcAddr loader(void) {
    static void *library;
    if (!library)
        library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return NULL;
    PFN_vkGetInstanceProcAddr get;
    *(void **)&get = dlsym(library, "vkGetInstanceProcAddr");
    return get;
}

static mica_status load(void) {
    PFN_vkGetInstanceProcAddr get = loader();
    PFN_vkCreateInstance create = NULL;
    if (get)
        create = (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    if (!create)
        return mica_fail(MICA_E_NOT_FOUND, "no Vulkan loader (libvulkan.so.1)");
    const VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo =
            &(VkApplicationInfo){
                .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                .pApplicationName = "mica",
                .pEngineName = "mica",
                .apiVersion = VK_API_VERSION_1_1,
            },
    };
    struct mica_vk_api api = {0};
    VkResult result = create(&info, NULL, &api.instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return mica_fail(MICA_E_NOT_FOUND, "no Vulkan driver that offers Vulkan 1.1");
    MICA_TRY(mica_vulkan_check("vkCreateInstance", result));

    const char *missing = NULL;
#define X(name)                                                                                    \
    api.name = (PFN_vk##name)get(api.instance, "vk" #name);                                        \
    if (!api.name)                                                                                 \
        missing = "vk" #name;
    MICA_VK_FUNCTIONS(X)
#undef X
    if (missing) {
        if (api.DestroyInstance)
            api.DestroyInstance(api.instance, NULL);
        return mica_fail(MICA_E_DEVICE, "the Vulkan loader lacks %s", missing);
    }
    mica_vk = api;
    return MICA_OK;
}

mica_status mica_vulkan_acquire(void) {
    pthread_mutex_lock(&lock);
    mica_status status = users ? MICA_OK : load();
    if (status == MICA_OK)
        users++;
    pthread_mutex_unlock(&lock);
    return status;
}

void mica_vulkan_release(void) {
    pthread_mutex_lock(&lock);
    if (--users == 0)
        mica_vk.DestroyInstance(mica_vk.instance, NULL);
    pthread_mutex_unlock(&lock);
}

static const char *result_name(VkResult result) {
    switch (result) {
#define X(name)                                                                                    \
    case name:                                                                                     \
        return #name;
        X(VK_ERROR_OUT_OF_HOST_MEMORY)
        X(VK_ERROR_OUT_OF_DEVICE_MEMORY)
        X(VK_ERROR_INITIALIZATION_FAILED)
        X(VK_ERROR_DEVICE_LOST)
        X(VK_ERROR_MEMORY_MAP_FAILED)
        X(VK_ERROR_LAYER_NOT_PRESENT)
        X(VK_ERROR_EXTENSION_NOT_PRESENT)
        X(VK_ERROR_FEATURE_NOT_PRESENT)
        X(VK_ERROR_INCOMPATIBLE_DRIVER)
        X(VK_ERROR_TOO_MANY_OBJECTS)
        X(VK_ERROR_FRAGMENTED_POOL)
        X(VK_ERROR_UNKNOWN)
        X(VK_ERROR_OUT_OF_POOL_MEMORY)
        X(VK_ERROR_INVALID_SHADER_NV)
#undef X
    default:
        return "an error without a name";
    }
}

mica_status mica_vulkan_check(const char *call, VkResult result) {
    if (result >= 0)
        return MICA_OK;
    const char *name = result_name(result);
    switch (result) {
    case VK_ERROR_DEVICE_LOST:
        return mica_fail(
            MICA_E_LOST, "%s: %s: the device hung, was reset or was removed", call, name);
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_TOO_MANY_OBJECTS:
    case VK_ERROR_MEMORY_MAP_FAILED:
        return mica_fail(MICA_E_MEMORY, "%s: %s", call, name);
    default:
        return mica_fail(MICA_E_DEVICE, "%s: %s (%d)", call, name, (int)result);
    }
}
