/* The variants of the matrix product that other devices are given, run on this one: those of a GPU
 * and (OpenCL) of CPUs with other vectors. */
#include "op/elementwise.h"
#include "op/matmul_plan.h"
#include "tests/device/probe.h"

#include <math.h>

static const char *device_name;
static mica_device *device;
static int relu = -1; /* row of the elementwise table */

static void setup(void) {
    ok(mica_device_open(device_name, &device));
    for (int row = 0; mica_elementwise_row_name(row); row++)
        if (!strcmp(mica_elementwise_row_name(row), "relu"))
            relu = row;
    ck_assert_int_ge(relu, 0);
}

static void teardown(void) {
    mica_device_destroy(&device);
}

enum { GUARD = 64 };

static float *random_floats(uint64_t count, uint32_t seed) {
    float *data = malloc(count * sizeof *data);
    for (uint64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
    return data;
}

static mica_buffer *upload(const float *data, uint64_t count) {
    mica_buffer *buffer;
    ok(mica_buffer_create(device, count * 4, MICA_MEMORY_DEVICE, &buffer));
    ok(mica_buffer_write(buffer, 0, data, count * 4));
    return buffer;
}

static double element(const mica_matmul_shape *s, const float *a, const float *b, const float *bias,
    uint32_t z, uint32_t i, uint32_t j) {
    double sum = s->bias ? bias[j] : 0;
    a += (uint64_t)z * s->sa;
    b += (uint64_t)z * s->sb;
    for (uint32_t l = 0; l < s->k; l++)
        sum += (double)(s->ta ? a[l * s->m + i] : a[i * s->k + l]) *
               (double)(s->tb ? b[j * s->k + l] : b[l * s->n + j]);
    return s->act >= 0 && sum < 0 ? 0 : sum;
}

static void run(const mica_matmul_variant *variant, const mica_matmul_shape *s) {
    uint64_t last = s->batch - 1, size_a = last * s->sa + (uint64_t)s->m * s->k,
             size_b = last * s->sb + (uint64_t)s->k * s->n, size_c = last * s->sc + s->m * s->n;
    float *a = random_floats(size_a, 1), *b = random_floats(size_b, 2);
    float *bias = random_floats(s->n, 3), *c = malloc((size_c + GUARD) * 4);
    for (uint64_t i = 0; i < size_c + GUARD; i++)
        c[i] = NAN;
    mica_buffer *buffers[MICA_MATMUL_BINDINGS] = {
        upload(a, size_a), upload(b, size_b), upload(bias, s->n), upload(c, size_c + GUARD)};
    if (variant->parts)
        ok(mica_buffer_create(
            device, variant->parts * 4, MICA_MEMORY_DEVICE, &buffers[MICA_MATMUL_PARTS]));
    mica_commands *commands;
    ok(mica_matmul_record(device, variant, buffers, false, &commands));
    ok(mica_commands_submit(commands));
    ok(mica_buffer_read(buffers[MICA_MATMUL_C], 0, c, (size_c + GUARD) * 4));
    const float *at = c;
    for (uint32_t z = 0; z < s->batch; z++)
        for (uint32_t i = 0; i < s->m; i++)
            for (uint32_t j = 0; j < s->n; j++, at++) {
                double wanted = element(s, a, b, bias, z, i, j);
                ck_assert_msg(fabs(*at - wanted) <= 1e-5 * sqrt(s->k),
                    "%s %ux%ux%u batch %u ta %d tb %d: (%u, %u, %u) is %g, wanted %g",
                    variant->name, s->m, s->k, s->n, s->batch, s->ta, s->tb, z, i, j, (double)*at,
                    wanted);
            }
    for (int i = 0; i < GUARD; i++)
        ck_assert_msg(isnan(at[i]), "%s wrote behind its result", variant->name);
    mica_commands_destroy(&commands);
    for (int i = 0; i < MICA_MATMUL_BINDINGS; i++)
        mica_buffer_destroy(&buffers[i]);
    free(a);
    free(b);
    free(bias);
    free(c);
}

static void run_all(const mica_traits *traits, mica_matmul_shape shape) {
    mica_matmul_variant variants[MICA_MATMUL_VARIANTS];
    shape.sc = shape.m * shape.n;
    shape.act = shape.bias ? relu : -1;
    for (int i = 0, n = mica_matmul_variants(traits, &shape, variants); i < n; i++)
        run(&variants[i], &shape);
}

/* Both sides stored either way; shapes with edges, a batch with a shared side, one row, and a sum
 * that is split. The operator's own test has many more for the variants that this device gets. */
static void run_shapes(const mica_traits *traits) {
    for (int t = 0; t < 2; t++) {
        const bool ta = t, tb = t;
        const mica_matmul_shape shapes[] = {
            {.m = 39, .n = 45, .k = 21, .batch = 1},
            {.m = 5, .n = 37, .k = 19, .batch = 3, .sa = ta ? 5 * 19 : 0, .sb = 37 * 19},
            {.m = 1, .n = 70, .k = 33, .batch = 2, .sa = 33},
            {.m = 3, .n = 18, .k = 1030, .batch = 1, .bias = true},
        };
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            mica_matmul_shape shape = shapes[i];
            shape.ta = ta;
            shape.tb = tb;
            run_all(traits, shape);
        }
    }
}

START_TEST(gpu) {
    mica_traits traits = *mica_device_traits(device);
    traits.kind = MICA_GPU;
    traits.vector_width = 1;
    traits.compute_units = 16;
    traits.clblast = false; /* it has a test of its own */
    run_shapes(&traits);
}
END_TEST

/* CLBlast compiles for seconds, so one shape with and one without an epilogue. */
START_TEST(clblast) {
    mica_traits traits = *mica_device_traits(device);
    mica_matmul_variant variants[MICA_MATMUL_VARIANTS];
    traits.kind = MICA_GPU;
    if (!traits.clblast)
        return;
    for (int bias = 0; bias < 2; bias++) {
        mica_matmul_shape shape = {.m = 5, .n = 7, .k = 9, .batch = 1, .sc = 35, .bias = bias};
        shape.act = bias ? relu : -1;
        int n = mica_matmul_variants(&traits, &shape, variants);
        ck_assert_str_eq(variants[n - 1].name, "clblast");
        run(&variants[n - 1], &shape);
    }
}
END_TEST

START_TEST(narrow_cpu) {
    mica_traits traits = *mica_device_traits(device);
    if (strcmp(mica_device_get_info(device)->backend, "opencl"))
        return; /* kernels with vectors are OpenCL's */
    traits.kind = MICA_CPU;
    traits.vector_width = _i == 0 ? 4 : 8;
    traits.local_bytes = 32 * 1024;
    traits.compute_units = 3;
    run_shapes(&traits);
}
END_TEST

int main(int argc, char **argv) {
    device_name = argc > 1 ? argv[1] : "auto";
    if (mica_device_open(device_name, &device) != MICA_OK)
        return 77; /* skipped */
    mica_device_destroy(&device);
    Suite *suite = suite_create("matmul variants");
    TCase *tests = tcase_create(device_name);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, gpu);
    tcase_add_loop_test(tests, narrow_cpu, 0, 2);
    TCase *slow = tcase_create("clblast");
    tcase_add_checked_fixture(slow, setup, teardown);
    tcase_set_timeout(slow, 300);
    tcase_add_test(slow, clblast);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, slow);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers start threads, which a fork loses */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
