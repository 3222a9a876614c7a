/* Which device a name means, on made-up lists and on this machine's; a machine without drivers. */
#include "device/device_impl.h"
#include "tests/device/probe.h"

#include <stdio.h>

static mica_device_info device(const char *id, const char *name, const char *driver,
    mica_device_kind kind, bool unified, uint64_t gigabytes) {
    mica_device_info info = {
        .traits = {.kind = kind, .unified = unified, .memory_bytes = gigabytes << 30}};
    snprintf(info.id, sizeof info.id, "%s", id);
    snprintf(info.backend, sizeof info.backend, "%.*s", (int)strcspn(id, ":"), id);
    snprintf(info.name, sizeof info.name, "%s", name);
    snprintf(info.driver, sizeof info.driver, "%s", driver);
    return info;
}

/* The id that a name gives among the devices, or the status and "" */
static const char *choose(struct mica_infos *infos, const char *name, mica_status wanted) {
    const mica_device_info *found = NULL;
    mica_status status = mica_device_choose(infos, name, &found);
    ck_assert_msg(status == wanted, "%s: %s", name, mica_last_error());
    return found && status == MICA_OK ? found->id : "";
}

#define chooses(name, id) ck_assert_str_eq(choose(&infos, name, MICA_OK), id)
#define refuses(name, word)                                                                        \
    do {                                                                                           \
        choose(&infos, name, MICA_E_NOT_FOUND);                                                    \
        ck_assert_msg(strstr(mica_last_error(), word) != NULL, "%s", mica_last_error());           \
    } while (0)

START_TEST(rules) {
    mica_device_info list[] = {
        device("opencl:0", "Xe Graphics", "Intel OpenCL 23", MICA_GPU, true, 24),
        device("opencl:1", "pthread-znver4", "Portable Computing Language 3.1 (The pocl project)",
            MICA_CPU, true, 64),
        device("opencl:2", "FPGA", "Some 1.0", MICA_ACCELERATOR, false, 2),
        device("vulkan:0", "Radeon RX 7600", "RADV 23", MICA_GPU, false, 8),
        device("vulkan:1", "Radeon RX 7600 XT", "RADV 23", MICA_GPU, false, 16),
        device("vulkan:2", "llvmpipe", "Mesa 23", MICA_CPU, true, 64),
    };
    struct mica_infos infos = {list, 6, 6};
    chooses(NULL, "vulkan:1");
    chooses("auto", "vulkan:1");
    chooses("gpu", "vulkan:1");
    chooses("cpu", "opencl:1");
    chooses("opencl", "opencl:0");
    chooses("vulkan", "vulkan:1");
    chooses("vulkan:2", "vulkan:2");
    chooses("opencl:POCL", "opencl:1");
    chooses("opencl:portable", "opencl:1");
    chooses("llvmpipe", "vulkan:2");
    chooses("fpga", "opencl:2");
    chooses("radeon rx 7600", "vulkan:0"); /* in full, though a part of another's */
    chooses("7600 xt", "vulkan:1");
    refuses("radeon", "several devices are called \"radeon\"; there is: opencl:0 (Xe Graphics)");
    refuses("vulkan:radv", "several");
    refuses("opencl:llvmpipe", "no device is called");
    refuses("opencl:3", "there is no device \"opencl:3\"");
    refuses("opencl:00", "there is no device");
    refuses("opencl:", "there is no device");
    refuses("opencl:99999999999999999999", "there is no device");
    refuses("cuda", "vulkan:2 (llvmpipe)");
    refuses("", "no device is called");
}
END_TEST

START_TEST(unusable_devices_are_not_picked) {
    mica_device_info list[] = {
        device("opencl:0", "Broken GPU", "x", MICA_GPU, false, 24),
        device("vulkan:0", "llvmpipe", "Mesa", MICA_CPU, true, 8),
    };
    snprintf(list[0].problem, sizeof list[0].problem, "out of order");
    struct mica_infos infos = {list, 2, 2};
    chooses("auto", "vulkan:0");
    refuses("gpu",
        "no usable device of kind \"gpu\"; there is: opencl:0 (Broken GPU, unusable: out "
        "of order)");
    refuses("opencl", "no usable device of backend");
    chooses("opencl:0", "opencl:0"); /* opening then tells the problem */
}
END_TEST

/* A choice that is left open says where it is a slow one, and what failed. */
START_TEST(open_choices_are_noted) {
    mica_device_info list[] = {
        device("opencl:0", "PoCL", "x", MICA_CPU, true, 24),
        device("vulkan:0", "llvmpipe", "Mesa", MICA_CPU, true, 8),
        device("vulkan:1", "Radeon", "RADV", MICA_GPU, false, 8),
    };
    struct mica_infos infos = {list, 3, 3};
    char note[MICA_NOTE_SIZE];
    mica_device_note(&infos, "auto", &list[2], note);
    ck_assert_str_eq(note, "");
    mica_device_note(&infos, "cpu", &list[0], note);
    ck_assert_str_eq(note, "");
    mica_device_note(&infos, "vulkan:0", &list[1], note); /* asked for by name */
    ck_assert_str_eq(note, "");
    mica_device_note(&infos, "auto", &list[1], note);
    ck_assert_msg(
        strstr(note, "vulkan:0 (llvmpipe) computes on the CPU through Vulkan"), "%s", note);
    snprintf(list[0].problem, sizeof list[0].problem, "no cache folder");
    mica_device_note(&infos, NULL, &list[1], note);
    ck_assert_msg(strstr(note, "no cache folder") && strstr(note, "through Vulkan"), "%s", note);
}
END_TEST

START_TEST(equal_memory_prefers_opencl) {
    mica_device_info list[] = {
        device("opencl:0", "A100", "NVIDIA", MICA_GPU, false, 39),
        device("vulkan:0", "A100", "NVIDIA", MICA_GPU, false, 40),
    };
    struct mica_infos infos = {list, 2, 2};
    chooses("gpu", "opencl:0");
    refuses("a100", "several");
    chooses("vulkan:a100", "vulkan:0");
}
END_TEST

START_TEST(machine) {
    mica_device_info *infos;
    size_t count;
    ok(mica_devices(&infos, &count));
    for (size_t i = 0; i < count; i++) {
        const mica_traits *traits = &infos[i].traits;
        ck_assert_str_ne(infos[i].name, "");
        if (*infos[i].problem)
            continue;
        ck_assert_uint_ge(traits->compute_units, 1);
        ck_assert_uint_ge(traits->vector_width, 1);
        ck_assert_uint_ge(traits->offset_align, 64);
        ck_assert_uint_ge(traits->max_bindings, 8);
        ck_assert_uint_ge(traits->max_group_size, 64);
        ck_assert_uint_ge(traits->max_groups[2], 65535);
        mica_device *opened = NULL;
        ok(mica_device_open(infos[i].id, &opened));
        ck_assert_str_eq(mica_device_get_info(opened)->id, infos[i].id);
        ck_assert_str_eq(mica_device_get_info(opened)->name, infos[i].name);
        ck_assert_str_eq(mica_device_get_info(opened)->backend, infos[i].backend);
        mica_device_destroy(&opened);
        ck_assert_ptr_null(opened);
    }
    free(infos);
}
END_TEST

/* In a process of its own (Check forks), since loaders read the environment once. */
START_TEST(no_driver) {
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
    setenv("VK_DRIVER_FILES", "/nonexistent", 1);
    mica_device_info *infos;
    size_t count = 1;
    ok(mica_devices(&infos, &count));
    ck_assert_uint_eq(count, 0);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "pocl-opencl-icd"));
    free(infos);
    mica_device *opened = NULL;
    refused(mica_device_open("auto", &opened), MICA_E_NOT_FOUND, "mesa-vulkan-drivers");
    refused(mica_device_open("opencl:0", &opened), MICA_E_NOT_FOUND, "pocl-opencl-icd");
    ck_assert_ptr_null(opened);
    ok(mica_device_open("null", &opened));
    mica_device_destroy(&opened);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("select");
    TCase *tests = tcase_create("names");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, rules);
    tcase_add_test(tests, unusable_devices_are_not_picked);
    tcase_add_test(tests, open_choices_are_noted);
    tcase_add_test(tests, equal_memory_prefers_opencl);
    tcase_add_test(tests, machine);
    tcase_add_test(tests, no_driver);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
