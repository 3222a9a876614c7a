/* The Vulkan loader, opened at run time, and the one instance of the process. Knows no devices. */
#include "base/error.h"
#include "device/vulkan/vulkan.h"

#include <dlfcn.h>
#include <string.h>

struct mica_vk_api mica_vk;

static size_t users;

/* The library stays loaded: drivers have thread exit handlers that must not be unmapped. One that
 * is not installed is MICA_E_NOT_FOUND, one that cannot be loaded is not. */
static mica_status loader(PFN_vkGetInstanceProcAddr *get) {
    static void *library;
    if (!library)
        library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        const bool absent = !why || strstr(why, "No such file or directory");
        return mica_fail(absent ? MICA_E_NOT_FOUND : MICA_E_DEVICE, "the Vulkan loader: %.200s",
            why ? why : "libvulkan.so.1 is not there");
    }
    *(void **)get = dlsym(library, "vkGetInstanceProcAddr");
    return *get ? MICA_OK
                : mica_fail(MICA_E_DEVICE, "the Vulkan loader lacks vkGetInstanceProcAddr");
}

static mica_status load(void) {
    PFN_vkGetInstanceProcAddr get;
    MICA_TRY(loader(&get));
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    if (!create)
        return mica_fail(MICA_E_DEVICE, "the Vulkan loader lacks vkCreateInstance");
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
    mica_status status = users ? MICA_OK : load();
    if (status == MICA_OK)
        users++;
    return status;
}

void mica_vulkan_release(void) {
    if (--users == 0)
        mica_vk.DestroyInstance(mica_vk.instance, NULL);
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
