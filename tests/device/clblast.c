/* CLBlast's matrix products through the kernel ABI, on every OpenCL device. Slow where the driver
 * has not yet compiled the library's kernels. */
#include "device/opencl/clblast.h"
#include "tests/device/probe.h"

enum { N = 4096 };

static char ids[MAX_DEVICES][32];
static mica_device *device;

static void teardown(void) {
    mica_device_destroy(&device);
    ck_assert_msg(!device, "%s", mica_last_error());
}

static void run(const mica_launch *launch) {
    mica_commands *commands;
    ok(mica_commands_create(device, launch, 1, false, &commands));
    ok(mica_commands_submit(commands));
    ok(mica_device_wait(device));
    mica_commands_destroy(&commands);
}

static mica_launch sgemm(
    mica_clblast_sgemm_params params, mica_buffer *buffer, const uint64_t at[3]) {
    const mica_kernel_desc desc = {.source = "clblast",
        .entry = "clblast_sgemm",
        .n_bindings = 3,
        .params_size = sizeof params,
        .local = {1, 1, 1}};
    mica_launch launch = {.groups = {1, 1, 1}};
    memcpy(launch.params, &params, sizeof params);
    ok(mica_kernel_get(device, &desc, &launch.kernel));
    for (int i = 0; i < 3; i++)
        launch.bindings[i] = (mica_range){buffer, at[i], N};
    return launch;
}

static float element(
    const float *m, bool transposed, uint32_t rows, uint32_t columns, uint32_t i, uint32_t j) {
    return transposed ? m[j * rows + i] : m[i * columns + j];
}

START_TEST(clblast_products) {
    ok(mica_device_open(ids[_i], &device));
    const mica_kernel_desc desc = {.source = "clblast",
        .entry = "clblast_sgemm",
        .n_bindings = 3,
        .params_size = sizeof(mica_clblast_sgemm_params),
        .local = {1, 1, 1}};
    mica_kernel *kernel;
    if (mica_kernel_get(device, &desc, &kernel) == MICA_E_UNSUPPORTED)
        return; /* a build without CLBlast */
    mica_buffer *buffer = NULL;
    ok(mica_buffer_create(device, 4 * N * 4, MICA_MEMORY_DEVICE, &buffer));
    float *host = malloc(4 * N * 4), *got = malloc(4 * N * 4);
    for (int i = 0; i < 4 * N; i++)
        host[i] = (float)((i * 37 + i / 64 * 11) % 17 - 8);
    enum { M = 7, K = 33, COLUMNS = 10, BATCH = 3 };
    for (int variant = 0; variant < 8; variant++) {
        bool ta = variant & 1, tb = variant & 2;
        uint32_t batch = variant & 4 ? BATCH : 1;
        ok(mica_buffer_write(buffer, 0, host, 4 * N * 4));
        mica_launch launch =
            sgemm((mica_clblast_sgemm_params){M, COLUMNS, K, ta, tb, batch, M * K, 0, M * COLUMNS},
                buffer, (uint64_t[]){0, N, 2 * N});
        run(&launch);
        ok(mica_buffer_read(buffer, 0, got, 4 * N * 4));
        for (uint32_t b = 0; b < batch; b++)
            for (uint32_t i = 0; i < M; i++)
                for (uint32_t j = 0; j < COLUMNS; j++) {
                    float sum = 0;
                    for (uint32_t k = 0; k < K; k++)
                        sum += element(host + b * M * K, ta, M, K, i, k) *
                               element(host + N, tb, K, COLUMNS, k, j);
                    ck_assert_float_eq(got[2 * N + (b * M + i) * COLUMNS + j], sum);
                }
        ck_assert_mem_eq(got + 3 * N, host + 3 * N, N * 4);
        mica_commands *timed;
        uint64_t nanoseconds = 0;
        ok(mica_commands_create(device, &launch, 1, true, &timed));
        ok(mica_commands_submit(timed));
        ok(mica_commands_times(timed, &nanoseconds));
        ck_assert_uint_gt(nanoseconds, 0);
        mica_commands_destroy(&timed);
    }
    mica_commands *commands = NULL;
    mica_launch large = sgemm((mica_clblast_sgemm_params){64, 65, 64, 0, 0, 1, 0, 0, 0}, buffer,
        (uint64_t[]){0, N, 2 * N});
    refused(mica_commands_create(device, &large, 1, false, &commands), MICA_E_INVALID, "exceed");
    large = sgemm((mica_clblast_sgemm_params){64, 32, 64, 0, 0, 2, 0, 0, N - 32}, buffer,
        (uint64_t[]){0, N, 2 * N});
    refused(mica_commands_create(device, &large, 1, false, &commands), MICA_E_INVALID, "exceed");
    ck_assert_ptr_null(commands);
    free(host);
    free(got);
    mica_buffer_destroy(&buffer);
}
END_TEST

int main(void) {
    int n = list_devices("opencl", ids);
    if (!n)
        return 77; /* skipped */
    Suite *suite = suite_create("clblast");
    TCase *tests = tcase_create("every OpenCL device");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_loop_test(tests, clblast_products, 0, n);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers start threads, which a fork loses */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
