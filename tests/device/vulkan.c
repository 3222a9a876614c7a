/* The Vulkan backend on every Vulkan device of the machine: transfers with and without mapped
 * memory, order of launches, lists submitted again while they run, timing, the pipeline cache, and
 * what becomes of a call that the driver refuses (its entry in the function table is replaced). */
#include "device/vulkan/vulkan.h"
#include "device/device.h"

#include <check.h>
#include <ftw.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGN_MAX 1024 /* elements; a multiple of any offset alignment that the tests meet */

typedef struct axpb_params {
    uint32_t count;
    float b;
} axpb_params;

static char cache[] = "/tmp/mica-vulkan-XXXXXX";
static char ids[16][32];
static int n_devices;
static mica_device *device;

static void ok(mica_status status) {
    ck_assert_msg(status == MICA_OK, "%s: %s", mica_status_name(status), mica_last_error());
}

static void setup(void) {
    device = NULL;
}

static void teardown(void) {
    mica_device_destroy(&device);
    ck_assert_ptr_null(device);
}

static mica_buffer *buffer_new(uint64_t count, mica_memory memory) {
    mica_buffer *buffer = NULL;
    ok(mica_buffer_create(device, count * 4, memory, &buffer));
    return buffer;
}

static mica_status kernel_get(int32_t scale, uint32_t local, mica_kernel **kernel) {
    const mica_kernel_desc desc = {
        .source = "probe",
        .entry = "probe_axpb",
        .n_bindings = 2,
        .params_size = sizeof(axpb_params),
        .local = {local, 1, 1},
        .n_constants = 1,
        .constants = {{"SCALE", scale}},
    };
    return mica_kernel_get(device, &desc, kernel);
}

static mica_launch axpb(int32_t scale, uint32_t local, mica_buffer *x, uint64_t x_offset,
    mica_buffer *y, uint64_t y_offset, uint32_t count, float b) {
    mica_launch launch = {
        .bindings = {{x, x_offset, count}, {y, y_offset, count}},
        .groups = {(count + local - 1) / local, 1, 1},
    };
    ok(kernel_get(scale, local, &launch.kernel));
    const axpb_params params = {count, b};
    memcpy(launch.params, &params, sizeof params);
    return launch;
}

static mica_commands *commands_new(const mica_launch *launches, size_t count, bool timed) {
    mica_commands *commands = NULL;
    ok(mica_commands_create(device, launches, count, timed, &commands));
    return commands;
}

START_TEST(transfers) {
    ok(mica_device_open(ids[_i], &device));
    const size_t count = (20u << 20) / 4 + 1; /* more than two pieces of the staging buffer */
    uint32_t *in = malloc(count * 4), *out = malloc(count * 4);
    for (int mode = 0; mode < 3; mode++) {
        mica_buffer *buffer = buffer_new(count, mode ? MICA_MEMORY_DEVICE : MICA_MEMORY_HOST);
        if (mode == 2)
            ((vulkan_buffer *)buffer)->map = NULL; /* as on a card with memory of its own */
        memset(in, 0, count * 4);
        memset(out, 0xff, count * 4);
        ok(mica_buffer_read(buffer, 0, out, count * 4));
        ck_assert_mem_eq(in, out, count * 4);
        for (size_t i = 0; i < count; i++)
            in[i] = (uint32_t)i * 2654435761u;
        ok(mica_buffer_write(buffer, 0, in, count * 4));
        ok(mica_buffer_write(buffer, 40, in, 8));
        ok(mica_buffer_fill(buffer, (count - 3) * 4, 0xdeadbeef, 8));
        memmove(&in[10], in, 8);
        in[count - 3] = in[count - 2] = 0xdeadbeef;
        ok(mica_buffer_read(buffer, 0, out, count * 4));
        ck_assert_mem_eq(in, out, count * 4);
        ok(mica_buffer_read(buffer, (count - 1) * 4, out, 4));
        ck_assert_uint_eq(out[0], in[count - 1]);
        mica_buffer_destroy(&buffer);
    }
    free(in);
    free(out);
}
END_TEST

START_TEST(constants_and_local_sizes) {
    ok(mica_device_open(ids[_i], &device));
    enum { COUNT = 1000 };
    float in[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++)
        in[i] = (float)i;
    mica_buffer *x = buffer_new(COUNT, MICA_MEMORY_DEVICE),
                *y = buffer_new(COUNT, MICA_MEMORY_HOST);
    ok(mica_buffer_write(x, 0, in, sizeof in));
    const int32_t scales[] = {-3, 0, 1, 70000};
    const uint32_t locals[] = {1, 7, 32, 128};
    for (int s = 0; s < 4; s++)
        for (int l = 0; l < 4; l++) {
            mica_launch launch = axpb(scales[s], locals[l], x, 0, y, 0, COUNT - 1, 0.5f);
            mica_commands *commands = commands_new(&launch, 1, false);
            ok(mica_buffer_fill(y, 0, 0x7fc00000, sizeof out));
            ok(mica_commands_submit(commands));
            ok(mica_buffer_read(y, 0, out, sizeof out));
            for (int i = 0; i < COUNT - 1; i++)
                ck_assert_float_eq(out[i], (float)scales[s] * in[i] + 0.5f);
            ck_assert_msg(out[COUNT - 1] != out[COUNT - 1], "written beyond the range");
            mica_commands_destroy(&commands);
        }
    mica_buffer_destroy(&x);
    mica_buffer_destroy(&y);
}
END_TEST

/* A thousand dependent launches over slots of one buffer, in place or from slot to slot, whose
 * result depends on their order; submitted several times without waiting. */
START_TEST(order) {
    ok(mica_device_open(ids[_i], &device));
    enum { LAUNCHES = 1000, RUNS = 5, SLOTS = 4, SLOT = ALIGN_MAX };
    static float model[SLOTS * SLOT], out[SLOTS * SLOT];
    static mica_launch launches[LAUNCHES];
    static uint32_t from[LAUNCHES], to[LAUNCHES];
    mica_buffer *buffer = buffer_new(SLOTS * SLOT, MICA_MEMORY_DEVICE);
    for (int i = 0; i < SLOTS * SLOT; i++)
        model[i] = (float)(i % 1009);
    ok(mica_buffer_write(buffer, 0, model, sizeof model));
    uint32_t random = 1;
    for (uint32_t i = 0; i < LAUNCHES; i++) {
        random = random * 1664525 + 1013904223;
        from[i] = random >> 30;
        to[i] = random >> 28 & 3;
        launches[i] = axpb(
            -1, 64, buffer, from[i] * SLOT, buffer, to[i] * SLOT, SLOT, (float)(random >> 16 & 15));
    }
    mica_commands *commands = commands_new(launches, LAUNCHES, false);
    for (int run = 0; run < RUNS; run++) {
        ok(mica_commands_submit(commands));
        for (uint32_t i = 0; i < LAUNCHES; i++) {
            axpb_params params;
            memcpy(&params, launches[i].params, sizeof params);
            for (int j = 0; j < SLOT; j++)
                model[to[i] * SLOT + (uint32_t)j] = params.b - model[from[i] * SLOT + (uint32_t)j];
        }
    }
    ok(mica_buffer_read(buffer, 0, out, sizeof out));
    for (int i = 0; i < SLOTS * SLOT; i++)
        ck_assert_float_eq(out[i], model[i]);
    mica_commands_destroy(&commands);
    mica_buffer_destroy(&buffer);
}
END_TEST

/* The ranges of x and y overlap, the elements that are touched do not. */
START_TEST(overlapping_ranges) {
    ok(mica_device_open(ids[_i], &device));
    enum { COUNT = ALIGN_MAX };
    float out[2 * COUNT];
    mica_buffer *buffer = buffer_new(2 * COUNT, MICA_MEMORY_HOST);
    mica_launch launch = axpb(1, 32, buffer, 0, buffer, COUNT, COUNT, 1);
    launch.bindings[0].count = 2 * COUNT;
    mica_commands *commands = commands_new(&launch, 1, false);
    ok(mica_commands_submit(commands));
    ok(mica_buffer_read(buffer, 0, out, sizeof out));
    for (int i = 0; i < COUNT; i++) {
        ck_assert_float_eq(out[i], 0);
        ck_assert_float_eq(out[COUNT + i], 1);
    }
    mica_commands_destroy(&commands);
    mica_buffer_destroy(&buffer);
}
END_TEST

/* The host's reads, writes and fills take their place between submits; lists and buffers may go
 * while they are queued. */
START_TEST(queue_and_host) {
    ok(mica_device_open(ids[_i], &device));
    enum { COUNT = 256 };
    float in[COUNT], out[COUNT];
    for (int mapped = 0; mapped < 2; mapped++) {
        mica_buffer *x = buffer_new(COUNT, MICA_MEMORY_HOST);
        mica_buffer *y = buffer_new(COUNT, MICA_MEMORY_DEVICE);
        if (!mapped)
            ((vulkan_buffer *)x)->map = ((vulkan_buffer *)y)->map = NULL;
        mica_launch launches[] = {
            axpb(1, 32, x, 0, y, 0, COUNT, 1), axpb(2, 32, y, 0, y, 0, COUNT, 0)};
        mica_commands *commands = commands_new(launches, 2, false);
        for (int step = 0; step < 20; step++) {
            for (int i = 0; i < COUNT; i++)
                in[i] = (float)(step + i);
            ok(mica_buffer_write(x, 0, in, sizeof in));
            ok(mica_commands_submit(commands));
            ok(mica_buffer_fill(x, 0, 0, sizeof in));
            ok(mica_buffer_read(y, 0, out, sizeof out));
            for (int i = 0; i < COUNT; i++)
                ck_assert_float_eq(out[i], 2 * (in[i] + 1));
        }
        for (int i = 0; i < 100; i++)
            ok(mica_commands_submit(commands));
        mica_commands_destroy(&commands);
        mica_buffer_destroy(&x);
        mica_buffer_destroy(&y);
    }
    mica_commands *empty = commands_new(NULL, 0, false);
    ok(mica_commands_submit(empty));
    ok(mica_device_wait(device));
    mica_commands_destroy(&empty);
}
END_TEST

START_TEST(times) {
    ok(mica_device_open(ids[_i], &device));
    enum { COUNT = 1 << 20 };
    mica_buffer *x = buffer_new(COUNT, MICA_MEMORY_DEVICE);
    mica_launch launches[] = {axpb(1, 64, x, 0, x, 0, COUNT, 1), axpb(1, 64, x, 0, x, 0, 64, 1),
        axpb(1, 64, x, 0, x, 0, COUNT, 1)};
    if (!((vulkan_device *)device)->timestamp_bits) {
        mica_commands *refused;
        ck_assert_int_eq(
            mica_commands_create(device, launches, 3, true, &refused), MICA_E_UNSUPPORTED);
        mica_buffer_destroy(&x);
        return;
    }
    mica_commands *commands = commands_new(launches, 3, true);
    uint64_t ns[3] = {0};
    ck_assert_int_eq(mica_commands_times(commands, ns), MICA_E_INVALID);
    for (int run = 0; run < 10; run++)
        ok(mica_commands_submit(commands));
    ok(mica_device_wait(device));
    ok(mica_commands_times(commands, ns));
    ck_assert_uint_gt(ns[0], 0);
    ck_assert_uint_gt(ns[2], 0);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(ns[i] < 10u * 1000 * 1000 * 1000, "%llu ns", (unsigned long long)ns[i]);
    float first;
    ok(mica_buffer_read(x, 0, &first, 4));
    ck_assert_float_eq(first, 30);
    mica_commands_destroy(&commands);
    mica_buffer_destroy(&x);
}
END_TEST

START_TEST(unknown_kernel) {
    ok(mica_device_open(ids[_i], &device));
    const mica_kernel_desc desc = {
        .source = "probe", .entry = "probe_nothing", .n_bindings = 1, .local = {1, 1, 1}};
    mica_kernel *kernel = NULL;
    ck_assert_int_eq(mica_kernel_get(device, &desc, &kernel), MICA_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "probe_nothing"));
    ck_assert_ptr_null(kernel);
}
END_TEST

/* Every file of the cache, cut or with one byte changed, is passed over. */
START_TEST(damaged_cache) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "%s/mica/kernels/*", cache);
    for (int damage = 0; damage < 4; damage++) {
        ok(mica_device_open(ids[_i], &device));
        mica_kernel *kernel;
        ok(kernel_get(damage, 32, &kernel));
        mica_device_destroy(&device);
        glob_t files;
        if (glob(pattern, 0, NULL, &files))
            continue; /* a driver may have nothing to keep */
        for (size_t i = 0; i < files.gl_pathc; i++) {
            FILE *file = fopen(files.gl_pathv[i], "r+b");
            ck_assert_ptr_nonnull(file);
            fseek(file, damage == 0 ? 0 : damage == 1 ? 20 : -1, damage < 2 ? SEEK_SET : SEEK_END);
            if (damage == 3)
                ck_assert_int_eq(ftruncate(fileno(file), ftell(file)), 0);
            else
                fputc(0x5a, file);
            fclose(file);
        }
        globfree(&files);
    }
    ok(mica_device_open(ids[_i], &device));
}
END_TEST

static void *open_and_close(void *id) {
    for (int i = 0; i < 5; i++) {
        mica_device *mine;
        if (mica_device_open(id, &mine) != MICA_OK)
            return id;
        mica_device_destroy(&mine);
    }
    return NULL;
}

START_TEST(several_threads) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close, ids[_i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

static VkResult VKAPI_CALL no_memory(VkDevice handle, const VkMemoryAllocateInfo *info,
    const VkAllocationCallbacks *callbacks, VkDeviceMemory *memory) {
    (void)handle, (void)info, (void)callbacks, (void)memory;
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static VkResult VKAPI_CALL no_pipeline(VkDevice handle, VkPipelineCache pipelines, uint32_t count,
    const VkComputePipelineCreateInfo *info, const VkAllocationCallbacks *callbacks,
    VkPipeline *pipeline) {
    (void)handle, (void)pipelines, (void)count, (void)info, (void)callbacks, (void)pipeline;
    return VK_ERROR_INITIALIZATION_FAILED;
}

static VkResult VKAPI_CALL no_sets(
    VkDevice handle, const VkDescriptorSetAllocateInfo *info, VkDescriptorSet *sets) {
    (void)handle, (void)info, (void)sets;
    return VK_ERROR_FRAGMENTED_POOL;
}

static VkResult VKAPI_CALL no_devices(
    VkInstance instance, uint32_t *count, VkPhysicalDevice *list) {
    (void)instance, (void)count, (void)list;
    return VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VkResult VKAPI_CALL no_pool(VkDevice handle, const VkCommandPoolCreateInfo *info,
    const VkAllocationCallbacks *callbacks, VkCommandPool *pool) {
    (void)handle, (void)info, (void)callbacks, (void)pool;
    return VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VkResult VKAPI_CALL lost(
    VkQueue queue, uint32_t count, const VkSubmitInfo *info, VkFence fence) {
    (void)queue, (void)count, (void)info, (void)fence;
    return VK_ERROR_DEVICE_LOST;
}

/* The first device keeps the function table, so that opening another one meets the replacement. */
START_TEST(refused_open) {
    ok(mica_device_open(ids[_i], &device));
    const struct mica_vk_api real = mica_vk;
    mica_device *second = NULL;

    mica_vk.CreateCommandPool = no_pool;
    ck_assert_int_eq(mica_device_open(ids[_i], &second), MICA_E_MEMORY);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "vkCreateCommandPool"));
    ck_assert_ptr_null(second);
    mica_vk = real;

    mica_vk.CreateComputePipelines = no_pipeline; /* the probe of half precision cannot run */
    ok(mica_device_open(ids[_i], &second));
    ck_assert(!mica_device_get_info(second)->traits.fp16);
    mica_device_destroy(&second);
    mica_vk = real;
}
END_TEST

START_TEST(refusals) {
    ok(mica_device_open(ids[_i], &device));
    const struct mica_vk_api real = mica_vk;
    mica_buffer *x = buffer_new(64, MICA_MEMORY_DEVICE), *none = NULL;
    mica_launch launch = axpb(1, 32, x, 0, x, 0, 64, 1);
    mica_commands *commands = commands_new(&launch, 1, false), *no_commands = NULL;

    mica_vk.AllocateMemory = no_memory;
    ck_assert_int_eq(mica_buffer_create(device, 64, MICA_MEMORY_HOST, &none), MICA_E_MEMORY);
    ck_assert_ptr_nonnull(
        strstr(mica_last_error(), "vkAllocateMemory: VK_ERROR_OUT_OF_DEVICE_MEMORY"));
    ck_assert_ptr_null(none);
    mica_vk = real;

    vulkan_device *vulkan = (vulkan_device *)device;
    uint32_t allocations = vulkan->allocations;
    vulkan->allocations = vulkan->properties.limits.maxMemoryAllocationCount;
    ck_assert_int_eq(mica_buffer_create(device, 64, MICA_MEMORY_HOST, &none), MICA_E_MEMORY);
    vulkan->allocations = allocations;

    mica_vk.CreateComputePipelines = no_pipeline;
    mica_kernel *kernel = NULL;
    ck_assert_int_eq(kernel_get(9, 32, &kernel), MICA_E_DEVICE);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "probe_axpb"));
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "VK_ERROR_INITIALIZATION_FAILED"));
    mica_vk = real;

    mica_vk.AllocateDescriptorSets = no_sets;
    ck_assert_int_eq(mica_commands_create(device, &launch, 1, false, &no_commands), MICA_E_MEMORY);
    ck_assert_ptr_null(no_commands);
    mica_vk = real;

    mica_vk.EnumeratePhysicalDevices = no_devices;
    mica_device_info *infos = NULL;
    size_t count = 0, problems = 0;
    ok(mica_devices(&infos, &count));
    for (size_t i = 0; i < count; i++)
        if (!strcmp(infos[i].backend, "vulkan"))
            problems += *infos[i].problem != 0;
    ck_assert_uint_eq(problems, 1);
    free(infos);
    mica_vk = real;

    mica_vk.QueueSubmit = lost;
    ck_assert_int_eq(mica_commands_submit(commands), MICA_E_LOST);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "VK_ERROR_DEVICE_LOST"));
    mica_vk = real;
    ck_assert_int_eq(mica_commands_submit(commands), MICA_E_LOST);
    ck_assert_int_eq(mica_device_wait(device), MICA_E_LOST);
    mica_commands_destroy(&commands);
    mica_buffer_destroy(&x);
}
END_TEST

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

int main(void) {
    if (!mkdtemp(cache) || setenv("XDG_CACHE_HOME", cache, 1))
        return 1;
    mica_device_info *infos;
    size_t count;
    if (mica_devices(&infos, &count) != MICA_OK)
        return 1;
    for (size_t i = 0; i < count && n_devices < 16; i++)
        if (!strcmp(infos[i].backend, "vulkan") && !*infos[i].problem)
            snprintf(ids[n_devices++], sizeof *ids, "%s", infos[i].id);
    free(infos);
    if (!n_devices) {
        printf("no Vulkan device: skipped\n");
        rmdir(cache);
        return 77;
    }
    TCase *tests = tcase_create("vulkan");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, transfers, 0, n_devices);
    tcase_add_loop_test(tests, constants_and_local_sizes, 0, n_devices);
    tcase_add_loop_test(tests, order, 0, n_devices);
    tcase_add_loop_test(tests, overlapping_ranges, 0, n_devices);
    tcase_add_loop_test(tests, queue_and_host, 0, n_devices);
    tcase_add_loop_test(tests, times, 0, n_devices);
    tcase_add_loop_test(tests, unknown_kernel, 0, n_devices);
    tcase_add_loop_test(tests, damaged_cache, 0, n_devices);
    tcase_add_loop_test(tests, several_threads, 0, n_devices);
    tcase_add_loop_test(tests, refused_open, 0, n_devices);
    tcase_add_loop_test(tests, refusals, 0, n_devices);
    Suite *suite = suite_create("vulkan");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    nftw(cache, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return failed != 0;
}
