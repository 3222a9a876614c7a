/* What device.c refuses, on the device "null", which needs no driver; what "null" records; the
 * order of destroying; the stickiness of a lost device. */
#include "device/device_impl.h"
#include "device/null/null.h"
#include "tests/device/probe.h"

static mica_device *device;
static mica_buffer *buffer;

static void setup(void) {
    ok(mica_device_open("null", &device));
    ok(mica_buffer_create(device, 4096, MICA_MEMORY_DEVICE, &buffer));
}

static void teardown(void) {
    mica_buffer_destroy(&buffer);
    mica_device_destroy(&device);
    ck_assert_ptr_null(device);
}

START_TEST(open_and_destroy) {
    refused(mica_device_open("null", NULL), MICA_E_INVALID, "no place");
    refused(mica_devices(NULL, NULL), MICA_E_INVALID, "no place");
    ck_assert_str_eq(mica_device_get_info(device)->id, "null");
    ck_assert_ptr_null(mica_device_get_info(NULL));
    refused(mica_device_wait(NULL), MICA_E_INVALID, "NULL");
    mica_device *none = NULL;
    mica_buffer *no_buffer = NULL;
    mica_commands *no_commands = NULL;
    mica_device_destroy(NULL);
    mica_device_destroy(&none);
    mica_buffer_destroy(NULL);
    mica_buffer_destroy(&no_buffer);
    mica_commands_destroy(NULL);
    mica_commands_destroy(&no_commands);
}
END_TEST

START_TEST(device_with_live_objects_stays) {
    mica_device *kept = device;
    mica_device_destroy(&device);
    ck_assert_ptr_eq(device, kept);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "1 buffers or command lists"));
    ok(mica_buffer_fill(buffer, 0, 1, 4));
}
END_TEST

START_TEST(buffers) {
    mica_buffer *made = buffer;
    refused(mica_buffer_create(NULL, 4, MICA_MEMORY_DEVICE, &made), MICA_E_INVALID, "NULL");
    refused(mica_buffer_create(device, 4, MICA_MEMORY_DEVICE, NULL), MICA_E_INVALID, "NULL");
    refused(mica_buffer_create(device, 0, MICA_MEMORY_DEVICE, &made), MICA_E_INVALID, "0 bytes");
    refused(mica_buffer_create(device, 6, MICA_MEMORY_DEVICE, &made), MICA_E_INVALID, "6 bytes");
    uint64_t most = mica_device_traits(device)->max_buffer_bytes;
    refused(mica_buffer_create(device, most + 4, MICA_MEMORY_DEVICE, &made), MICA_E_MEMORY,
        "largest is");
    refused(mica_buffer_create(device, UINT64_MAX - 3, MICA_MEMORY_DEVICE, &made), MICA_E_MEMORY,
        "largest is");
    ck_assert_ptr_eq(made, buffer);
}
END_TEST

START_TEST(spans) {
    uint32_t data[4] = {7, 7, 7, 7};
    ck_assert_uint_eq(mica_buffer_bytes(buffer), 4096);
    refused(mica_buffer_write(NULL, 0, data, 4), MICA_E_INVALID, "NULL");
    refused(mica_buffer_read(buffer, 0, NULL, 4), MICA_E_INVALID, "NULL");
    refused(mica_buffer_write(buffer, 2, data, 4), MICA_E_INVALID, "multiples of 4");
    refused(mica_buffer_read(buffer, 0, data, 3), MICA_E_INVALID, "multiples of 4");
    refused(mica_buffer_fill(buffer, 0, 1, 4100), MICA_E_INVALID, "it has 4096");
    refused(mica_buffer_read(buffer, 4096, data, 4), MICA_E_INVALID, "it has 4096");
    refused(mica_buffer_read(buffer, UINT64_MAX - 3, data, 8), MICA_E_INVALID, "it has 4096");
    refused(mica_buffer_write(buffer, 8, data, UINT64_MAX - 3), MICA_E_INVALID, "it has 4096");
    ck_assert_uint_eq(data[0], 7);
    ok(mica_buffer_read(buffer, 4096, data, 0));
    ok(mica_buffer_read(buffer, 4080, data, 16));
    ck_assert_uint_eq(data[0] | data[1] | data[2] | data[3], 0);
}
END_TEST

static mica_kernel_desc desc_of(void) {
    return (mica_kernel_desc){.source = "probe",
        .entry = "probe_axpb",
        .n_bindings = 2,
        .params_size = 8,
        .local = {64, 1, 1},
        .n_constants = 1,
        .constants = {{"SCALE", 1}}};
}

#define refused_desc(change, status, words)                                                        \
    do {                                                                                           \
        mica_kernel_desc desc = desc_of();                                                         \
        desc.change;                                                                               \
        refused(mica_kernel_get(device, &desc, &kernel), status, words);                           \
    } while (0)

START_TEST(kernels) {
    mica_kernel *kernel = NULL;
    mica_kernel_desc good = desc_of();
    refused(mica_kernel_get(NULL, &good, &kernel), MICA_E_INVALID, "NULL");
    refused(mica_kernel_get(device, NULL, &kernel), MICA_E_INVALID, "NULL");
    refused(mica_kernel_get(device, &good, NULL), MICA_E_INVALID, "NULL");
    refused_desc(source = NULL, MICA_E_INVALID, "no source");
    refused_desc(entry = NULL, MICA_E_INVALID, "no source");
    refused_desc(n_bindings = 0, MICA_E_INVALID, "0 bindings");
    refused_desc(n_bindings = MICA_MAX_BINDINGS + 1, MICA_E_INVALID, "13 bindings");
    refused_desc(params_size = 6, MICA_E_INVALID, "6 bytes");
    refused_desc(params_size = MICA_MAX_PARAMS + 4, MICA_E_INVALID, "132 bytes");
    refused_desc(n_constants = MICA_MAX_CONSTANTS + 1, MICA_E_INVALID, "25 constants");
    refused_desc(n_constants = 2, MICA_E_INVALID, "no name");
    refused_desc(local[1] = 0, MICA_E_INVALID, "local size 1 is 0");
    refused_desc(local[0] = 1025, MICA_E_UNSUPPORTED, "1025 x 1 x 1");
    refused_desc(local[2] = 17, MICA_E_UNSUPPORTED, "64 x 1 x 17");
    refused_desc(local[2] = UINT32_MAX, MICA_E_UNSUPPORTED, "local size");
    ck_assert_ptr_null(kernel);
}
END_TEST

START_TEST(same_description_same_kernel) {
    mica_kernel *one, *two;
    mica_kernel_desc desc = desc_of();
    ok(mica_kernel_get(device, &desc, &one));
    desc.constants[5].value = 9; /* behind the constants that count */
    ok(mica_kernel_get(device, &desc, &two));
    ck_assert_ptr_eq(one, two);
    ck_assert_str_eq(mica_kernel_describe(one)->entry, "probe_axpb");
    desc.constants[0].value = 2;
    ok(mica_kernel_get(device, &desc, &two));
    ck_assert_ptr_ne(one, two);
    for (int32_t i = 0; i < 100; i++) { /* the device's list grows */
        desc.constants[0].value = i;
        ok(mica_kernel_get(device, &desc, &two));
    }
    desc = desc_of();
    ok(mica_kernel_get(device, &desc, &two));
    ck_assert_ptr_eq(one, two);
}
END_TEST

#define refused_launch(change, status, words)                                                      \
    do {                                                                                           \
        mica_launch launch = probe_launch(device, 1, 0, 64, buffer, 0, buffer, 64);                \
        launch.change;                                                                             \
        refused(mica_commands_create(device, &launch, 1, false, &commands), status, words);        \
    } while (0)

START_TEST(command_lists) {
    mica_commands *commands = NULL;
    mica_launch good = probe_launch(device, 1, 0, 64, buffer, 0, buffer, 64);
    refused(mica_commands_create(NULL, &good, 1, false, &commands), MICA_E_INVALID, "NULL");
    refused(mica_commands_create(device, NULL, 1, false, &commands), MICA_E_INVALID, "NULL");
    refused(mica_commands_create(device, &good, 1, false, NULL), MICA_E_INVALID, "NULL");
    refused_launch(kernel = NULL, MICA_E_INVALID, "no kernel");
    refused_launch(bindings[1].buffer = NULL, MICA_E_INVALID, "binding 1 has no buffer");
    refused_launch(bindings[0].count = 0, MICA_E_INVALID, "binding 0 wants 0");
    refused_launch(bindings[0].count = 1025, MICA_E_INVALID, "has 1024");
    refused_launch(bindings[1].offset = 1024, MICA_E_INVALID, "has 1024");
    refused_launch(bindings[1].offset = UINT64_MAX - 8, MICA_E_INVALID, "has 1024");
    refused_launch(bindings[1].count = UINT64_MAX - 8, MICA_E_INVALID, "has 1024");
    refused_launch(bindings[1].offset = 65, MICA_E_INVALID, "byte 260");
    refused_launch(groups[1] = 0, MICA_E_INVALID, "1 x 0 x 1");
    refused_launch(groups[2] = 65536, MICA_E_UNSUPPORTED, "1 x 1 x 65536");
    mica_device *other;
    mica_buffer *foreign;
    ok(mica_device_open("null", &other));
    ok(mica_buffer_create(other, 4096, MICA_MEMORY_DEVICE, &foreign));
    refused_launch(bindings[0].buffer = foreign, MICA_E_INVALID, "binding 0 has no buffer");
    refused(mica_commands_create(other, &good, 1, false, &commands), MICA_E_INVALID, "no kernel");
    mica_buffer_destroy(&foreign);
    mica_device_destroy(&other);
    ck_assert_ptr_null(commands);
}
END_TEST

START_TEST(ranges_within_traits) {
    mica_commands *commands;
    mica_launch launch = probe_launch(device, 1, 0, 64, buffer, 0, buffer, 64);
    device->info.traits.max_binding_bytes = 128;
    refused(mica_commands_create(device, &launch, 1, false, &commands), MICA_E_UNSUPPORTED,
        "sees 128 at most");
    mica_kernel *kernel;
    mica_kernel_desc desc = desc_of();
    desc.n_bindings = 9;
    device->info.traits.max_bindings = 8;
    refused(mica_kernel_get(device, &desc, &kernel), MICA_E_UNSUPPORTED, "offers 8");
}
END_TEST

START_TEST(records) {
    mica_launch launches[2] = {probe_launch(device, 1, 0, 64, buffer, 0, buffer, 64),
        probe_launch(device, 2, 0, 64, buffer, 64, buffer, 128)};
    mica_commands *commands, *empty;
    ok(mica_commands_create(device, launches, 2, true, &commands));
    ok(mica_commands_create(device, NULL, 0, false, &empty));
    uint64_t times[2] = {5, 5};
    refused(mica_commands_times(commands, times), MICA_E_INVALID, "not submitted");
    ok(mica_commands_submit(commands));
    ok(mica_commands_submit(empty));
    ok(mica_commands_submit(commands));
    ok(mica_commands_times(commands, times));
    refused(mica_commands_times(empty, times), MICA_E_INVALID, "`timed`");
    refused(mica_commands_times(commands, NULL), MICA_E_INVALID, "NULL");
    refused(mica_commands_submit(NULL), MICA_E_INVALID, "NULL");
    size_t count;
    const mica_launch *seen = mica_null_launches(device, &count);
    ck_assert_uint_eq(count, 4);
    ck_assert_ptr_eq(seen[3].kernel, launches[1].kernel);
    ck_assert_uint_eq(seen[2].bindings[1].offset, 64);
    mica_null_clear(device);
    mica_null_launches(device, &count);
    ck_assert_uint_eq(count, 0);
    mica_commands_destroy(&commands);
    mica_commands_destroy(&empty);
}
END_TEST

static mica_status lose(mica_commands *commands) {
    (void)commands;
    return MICA_E_LOST;
}

START_TEST(loss_is_sticky) {
    mica_launch launch = probe_launch(device, 1, 0, 64, buffer, 0, buffer, 64);
    mica_commands *commands, *more = NULL;
    ok(mica_commands_create(device, &launch, 1, false, &commands));
    mica_backend losing = *device->backend;
    const mica_backend *sound = device->backend;
    losing.commands_submit = lose;
    device->backend = &losing;
    ck_assert_int_eq(mica_commands_submit(commands), MICA_E_LOST);
    device->backend = sound;
    uint32_t word;
    mica_buffer *made;
    mica_kernel *kernel;
    mica_kernel_desc desc = desc_of();
    refused(mica_commands_submit(commands), MICA_E_LOST, "was lost");
    refused(mica_device_wait(device), MICA_E_LOST, "was lost");
    refused(mica_buffer_read(buffer, 0, &word, 4), MICA_E_LOST, "was lost");
    refused(mica_buffer_create(device, 4, MICA_MEMORY_HOST, &made), MICA_E_LOST, "was lost");
    refused(mica_kernel_get(device, &desc, &kernel), MICA_E_LOST, "was lost");
    refused(mica_commands_create(device, &launch, 1, false, &more), MICA_E_LOST, "was lost");
    mica_commands_destroy(&commands);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("arguments");
    TCase *tests = tcase_create("null");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, open_and_destroy);
    tcase_add_test(tests, device_with_live_objects_stays);
    tcase_add_test(tests, buffers);
    tcase_add_test(tests, spans);
    tcase_add_test(tests, kernels);
    tcase_add_test(tests, same_description_same_kernel);
    tcase_add_test(tests, command_lists);
    tcase_add_test(tests, ranges_within_traits);
    tcase_add_test(tests, records);
    tcase_add_test(tests, loss_is_sticky);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
