/* Buffers, launches and timing on every device of the machine that can be used. */
#include "device/device_impl.h"
#include "tests/device/probe.h"

#include <math.h>

enum { N = 4096 };

static char ids[MAX_DEVICES][32];
static mica_device *device;
static uint32_t step; /* elements that an offset must be a multiple of */

static void open_device(int i) {
    ok(mica_device_open(ids[i], &device));
    step = mica_device_traits(device)->offset_align / 4;
}

static void teardown(void) {
    mica_device_destroy(&device);
    ck_assert_msg(!device, "%s", mica_last_error());
}

static mica_buffer *make(uint64_t count, mica_memory memory) {
    mica_buffer *buffer = NULL;
    ok(mica_buffer_create(device, count * 4, memory, &buffer));
    return buffer;
}

static void run(const mica_launch *launches, size_t count) {
    mica_commands *commands;
    ok(mica_commands_create(device, launches, count, false, &commands));
    ok(mica_commands_submit(commands));
    ok(mica_device_wait(device));
    mica_commands_destroy(&commands);
}

START_TEST(round_trips) {
    open_device(_i);
    for (int memory = MICA_MEMORY_DEVICE; memory <= MICA_MEMORY_HOST; memory++) {
        mica_buffer *buffer = make(N + 1, (mica_memory)memory);
        uint32_t in[N + 1], out[N + 1];
        ok(mica_buffer_read(buffer, 0, out, sizeof out));
        for (uint32_t i = 0; i <= N; i++)
            ck_assert_uint_eq(out[i], 0);
        for (uint32_t i = 0; i <= N; i++)
            in[i] = i * 2654435761u;
        ok(mica_buffer_write(buffer, 0, in, sizeof in));
        ok(mica_buffer_read(buffer, 0, out, sizeof out));
        ck_assert_mem_eq(in, out, sizeof in);
        ok(mica_buffer_fill(buffer, 12, 0x7fc00001, 4 * 1000)); /* a NaN keeps its bits */
        ok(mica_buffer_write(buffer, 4 * N, in, 4));
        ok(mica_buffer_read(buffer, 0, out, sizeof out));
        for (uint32_t i = 0; i <= N; i++)
            ck_assert_uint_eq(out[i], i == N ? in[0] : i >= 3 && i < 1003 ? 0x7fc00001 : in[i]);
        mica_buffer_destroy(&buffer);
    }
}
END_TEST

/* Each launch reads what the one before it wrote; submitted twice without a wait. */
START_TEST(launches_see_those_before) {
    open_device(_i);
    enum { LAUNCHES = 200, COUNT = 300 };
    mica_buffer *a = make(COUNT, MICA_MEMORY_DEVICE), *b = make(COUNT, MICA_MEMORY_DEVICE);
    mica_launch *launches = calloc(LAUNCHES, sizeof *launches);
    for (int i = 0; i < LAUNCHES; i++)
        launches[i] = probe_launch(device, 1, 1, COUNT, i % 2 ? b : a, 0, i % 2 ? a : b, 0);
    mica_commands *commands;
    ok(mica_commands_create(device, launches, LAUNCHES, false, &commands));
    free(launches); /* they were copied */
    ok(mica_commands_submit(commands));
    ok(mica_commands_submit(commands));
    float got[COUNT];
    ok(mica_buffer_read(a, 0, got, sizeof got));
    for (int i = 0; i < COUNT; i++)
        ck_assert_float_eq(got[i], 2 * LAUNCHES);
    mica_commands_destroy(&commands);
    mica_buffer_destroy(&a);
    mica_buffer_destroy(&b);
}
END_TEST

START_TEST(in_place) {
    open_device(_i);
    mica_buffer *buffer = make(3 * step, MICA_MEMORY_DEVICE);
    float got[3 * 4096];
    ck_assert_uint_le(3 * step, sizeof got / 4);
    mica_launch whole = probe_launch(device, 1, 1, 3 * step, buffer, 0, buffer, 0);
    mica_launch middle = probe_launch(device, 3, 1, step, buffer, step, buffer, step);
    mica_launch launches[3] = {whole, middle, middle};
    run(launches, 3);
    ok(mica_buffer_read(buffer, 0, got, 3 * step * 4));
    for (uint32_t i = 0; i < 3 * step; i++)
        ck_assert_float_eq(got[i], i / step == 1 ? 13 : 1); /* 3 (3 * 1 + 1) + 1 */
    mica_buffer_destroy(&buffer);
}
END_TEST

/* Ranges that overlap within a list, and that end at odd places. A launch writes its own range and
 * nothing beside it. */
START_TEST(overlapping_ranges) {
    open_device(_i);
    uint32_t all = 8 * step, odd = 2 * step - 1;
    mica_buffer *buffer = make(all, MICA_MEMORY_DEVICE);
    float *model = calloc(all, sizeof *model), *got = calloc(all, sizeof *got);
    mica_launch launches[40];
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t from = i * 5 % 6, to = i * 3 % 6;
        if (to < from + 2 && from < to + 2 && from != to)
            to = from; /* one launch's own ranges are the same or apart */
        launches[i] =
            probe_launch(device, 2, (float)i - 20, odd, buffer, from * step, buffer, to * step);
        launches[i].bindings[0].count = odd + i % 2; /* other ranges, the same elements */
        for (uint32_t j = 0; j < odd; j++)
            model[to * step + j] = fmaf(2, model[from * step + j], (float)i - 20);
    }
    run(launches, 40);
    ok(mica_buffer_read(buffer, 0, got, all * 4));
    for (uint32_t i = 0; i < all; i++)
        ck_assert_msg(got[i] == model[i], "element %u: %g, not %g", i, got[i], model[i]);
    free(model);
    free(got);
    mica_buffer_destroy(&buffer);
}
END_TEST

START_TEST(two_lists_of_the_same_ranges) {
    open_device(_i);
    mica_buffer *buffer = make(2 * step, MICA_MEMORY_DEVICE);
    mica_launch launch = probe_launch(device, 1, 1, step, buffer, step, buffer, step);
    mica_commands *one, *two;
    ok(mica_commands_create(device, &launch, 1, false, &one));
    ok(mica_commands_create(device, &launch, 1, false, &two));
    ok(mica_commands_submit(one));
    ok(mica_commands_submit(two));
    mica_commands_destroy(&one); /* while it may still run */
    ok(mica_commands_submit(two));
    float got;
    ok(mica_buffer_read(buffer, step * 4, &got, 4));
    ck_assert_float_eq(got, 3);
    mica_commands_destroy(&two);
    mica_buffer_destroy(&buffer);
}
END_TEST

START_TEST(three_dimensions_of_groups) {
    open_device(_i);
    mica_buffer *buffer = make(64, MICA_MEMORY_DEVICE);
    /* probe_axpb looks at x alone: 6 groups of the same x write the same numbers. */
    mica_launch launch = probe_launch(device, 1, 5, 64, buffer, 0, buffer, 0);
    mica_buffer *zeros = make(64, MICA_MEMORY_HOST);
    launch.bindings[0].buffer = zeros;
    launch.groups[1] = 2;
    launch.groups[2] = 3;
    run(&launch, 1);
    float got[64];
    ok(mica_buffer_read(buffer, 0, got, sizeof got));
    for (int i = 0; i < 64; i++)
        ck_assert_float_eq(got[i], 5);
    mica_buffer_destroy(&zeros);
    mica_buffer_destroy(&buffer);
}
END_TEST

START_TEST(timed_lists) {
    open_device(_i);
    mica_buffer *buffer = make(1 << 20, MICA_MEMORY_DEVICE);
    mica_launch launches[3];
    for (int i = 0; i < 3; i++)
        launches[i] = probe_launch(device, 1, 1, 1 << 20, buffer, 0, buffer, 0);
    mica_commands *timed, *plain;
    ok(mica_commands_create(device, launches, 3, true, &timed));
    ok(mica_commands_create(device, launches, 3, false, &plain));
    ok(mica_commands_submit(plain));
    ok(mica_commands_submit(timed));
    ok(mica_commands_submit(timed));
    ok(mica_commands_submit(plain));
    ok(mica_device_wait(device));
    uint64_t times[3] = {0};
    ok(mica_commands_times(timed, times));
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_gt(times[i], 0);
        ck_assert_uint_lt(times[i], UINT64_C(60000000000));
    }
    float got;
    ok(mica_buffer_read(buffer, (1 << 22) - 4, &got, 4));
    ck_assert_float_eq(got, 12);
    mica_commands_destroy(&timed);
    mica_commands_destroy(&plain);
    mica_buffer_destroy(&buffer);
}
END_TEST

START_TEST(half_precision_as_probed) {
    open_device(_i);
    const mica_kernel_desc desc = {
        .source = "probe_half", .entry = "probe_half", .n_bindings = 2, .local = {1, 1, 1}};
    mica_launch launch = {.groups = {1, 1, 1}};
    if (!mica_device_traits(device)->fp16)
        return;
    ok(mica_kernel_get(device, &desc, &launch.kernel));
    mica_buffer *buffer = make(2 * step, MICA_MEMORY_DEVICE);
    launch.bindings[0] = (mica_range){buffer, 0, 1};
    launch.bindings[1] = (mica_range){buffer, step, 1};
    float x = 255, y;
    ok(mica_buffer_write(buffer, 0, &x, 4));
    run(&launch, 1);
    ok(mica_buffer_read(buffer, step * 4, &y, 4));
    ck_assert_float_eq(y, 65024);
    mica_buffer_destroy(&buffer);
}
END_TEST

START_TEST(kernels_that_cannot_be) {
    open_device(_i);
    mica_kernel *kernel = NULL;
    mica_kernel_desc desc = {
        .source = "no_such_source", .entry = "no_such_kernel", .n_bindings = 1, .local = {1, 1, 1}};
    refused(mica_kernel_get(device, &desc, &kernel), MICA_E_UNSUPPORTED, "no_such_");
    desc.entry = "clblast_nothing";
    refused(mica_kernel_get(device, &desc, &kernel), MICA_E_UNSUPPORTED, "clblast_nothing");
    ck_assert_ptr_null(kernel);
}
END_TEST

/* OpenCL alone: what its compiler and its kernels say is in the error's text. */
START_TEST(opencl_refusals_say_why) {
    open_device(_i);
    if (strcmp(mica_device_get_info(device)->backend, "opencl"))
        return;
    mica_kernel *kernel = NULL;
    mica_kernel_desc desc = {.source = "probe",
        .entry = "probe_axpb",
        .n_bindings = 2,
        .params_size = 8,
        .local = {1, 1, 1}};
    refused(mica_kernel_get(device, &desc, &kernel), MICA_E_DEVICE, "SCALE");
    desc.n_constants = 1;
    desc.constants[0].name = "SCALE";
    desc.n_bindings = 3;
    refused(mica_kernel_get(device, &desc, &kernel), MICA_E_INVALID, "3 arguments");
    ck_assert_ptr_null(kernel);
}
END_TEST

int main(void) {
    int n = list_devices(NULL, ids);
    if (!n)
        return 77; /* skipped */
    Suite *suite = suite_create("launch");
    TCase *tests = tcase_create("every device");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, round_trips, 0, n);
    tcase_add_loop_test(tests, launches_see_those_before, 0, n);
    tcase_add_loop_test(tests, in_place, 0, n);
    tcase_add_loop_test(tests, overlapping_ranges, 0, n);
    tcase_add_loop_test(tests, two_lists_of_the_same_ranges, 0, n);
    tcase_add_loop_test(tests, three_dimensions_of_groups, 0, n);
    tcase_add_loop_test(tests, timed_lists, 0, n);
    tcase_add_loop_test(tests, half_precision_as_probed, 0, n);
    tcase_add_loop_test(tests, kernels_that_cannot_be, 0, n);
    tcase_add_loop_test(tests, opencl_refusals_say_why, 0, n);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers start threads, which a fork loses */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
