/* Weights of PyTorch: names, order of dimensions, and what is refused.
 * Usage: import DEVICE; exit code 77 where there is no such device. */
#include "tests/io/temp.h"

#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>

static const char *device_name;
static mica_graph *graph;
static mica_device *device;
static mica_model *model;

/* Parameters conv/weight (2, 3, 1, 2), conv/bias (2), norm/... (2), up/weight (2, 2, 3, 2),
 * fc/weight (2, 3), which PyTorch has as (2, 1, 2, 3), (2), (2), (2, 3, 2, 2), (3, 2). */
static void setup(void) {
    temp_make();
    ck_ok(mica_device_open(device_name, &device));
    ck_ok(mica_graph_create(&graph));
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(1, 4, 5, 1));
    mica_value *y = mica_conv2d_layer(
        x, "conv", 2, &(mica_conv2d_layer_options){.kernel = {2, 3}, .conv.strides = {1, 1, 1, 1}});
    y = mica_batch_norm_layer(y, "norm", NULL);
    y = mica_conv2d_transpose_layer(
        y, "up", 3, &(mica_conv2d_layer_options){.kernel = {2, 2}, .no_bias = true});
    y = mica_dense(mica_global_avg_pool(y), "fc", 2, &(mica_dense_options){.no_bias = true});
    ck_ok(mica_graph_status(graph));
    ck_ok(mica_model_create(graph, device, 1, &model));
}

static void teardown(void) {
    mica_model_destroy(&model);
    mica_graph_destroy(&graph);
    mica_device_destroy(&device);
    temp_remove();
}

enum { TENSORS = 9, NUMBERS = 24 };

static const mica_stored_tensor tensors[TENSORS] = {
    {"conv.weight", MICA_STORED_F32, 4, (const int64_t[]){2, 1, 2, 3}},
    {"conv.bias", MICA_STORED_F32, 1, (const int64_t[]){2}},
    {"norm.weight", MICA_STORED_F32, 1, (const int64_t[]){2}},
    {"norm.bias", MICA_STORED_F32, 1, (const int64_t[]){2}},
    {"norm.running_mean", MICA_STORED_F32, 1, (const int64_t[]){2}},
    {"norm.running_var", MICA_STORED_F32, 1, (const int64_t[]){2}},
    {"up.weight", MICA_STORED_F32, 4, (const int64_t[]){2, 3, 2, 2}},
    {"fc.weight", MICA_STORED_F32, 2, (const int64_t[]){2, 3}},
    {"norm.num_batches_tracked", MICA_STORED_F32, 1, (const int64_t[]){1}},
};

/* Writes the tensors but number `without`; tensor t has the numbers 100 t, 100 t + 1, ... */
static const char *write_file(int without, const mica_stored_tensor *more) {
    mica_stored_tensor list[TENSORS + 1];
    size_t count = 0;
    for (int t = 0; t < TENSORS; t++)
        if (t != without)
            list[count++] = tensors[t];
    if (more)
        list[count++] = *more;
    mica_safetensors_writer *writer = NULL;
    const char *path = temp_path("w.safetensors");
    ck_ok(mica_safetensors_begin(path, list, count, NULL, 0, &writer));
    for (size_t t = 0; t < count; t++) {
        float numbers[NUMBERS];
        for (int i = 0; i < NUMBERS; i++)
            numbers[i] = (float)(100 * (int)t + i);
        ck_ok(mica_safetensors_write(
            writer, numbers, (size_t)mica_stored_count(&list[t]) * sizeof *numbers));
    }
    ck_ok(mica_safetensors_commit(&writer));
    return path;
}

static void check(size_t parameter, const char *name, size_t count, const float *wanted) {
    const mica_value *value = mica_model_parameter(model, parameter);
    float got[NUMBERS];
    ck_assert_str_eq(mica_value_name(value), name);
    ck_ok(mica_model_read(model, value, got, count));
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(got[i] == wanted[i], "%s[%zu] is %g, wanted %g", name, i, (double)got[i],
            (double)wanted[i]);
}

START_TEST(converts) {
    ck_ok(mica_model_import(model, write_file(-1, NULL)));
    /* (height, width, in, out) of (out, in, height, width) */
    check(0, "conv/weight", 12, (const float[]){0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11});
    check(1, "conv/bias", 2, (const float[]){100, 101});
    check(4, "norm/running_mean", 2, (const float[]){400, 401});
    /* (height, width, out, in) of (in, out, height, width) */
    check(6, "up/weight", 24,
        (const float[]){600, 612, 604, 616, 608, 620, 601, 613, 605, 617, 609, 621, 602, 614, 606,
            618, 610, 622, 603, 615, 607, 619, 611, 623});
    check(7, "fc/weight", 6, (const float[]){700, 703, 701, 704, 702, 705});
}
END_TEST

START_TEST(refuses) {
    mica_stored_tensor other = {"fc.weights", MICA_STORED_F32, 1, (const int64_t[]){2}};
    mica_stored_tensor flat = {"fc.weight", MICA_STORED_F32, 1, (const int64_t[]){6}};
    mica_stored_tensor turned = {"fc.weight", MICA_STORED_F32, 2, (const int64_t[]){3, 2}};
    float before[6], after[6];
    const mica_value *fc = mica_model_parameter(model, 7);
    ck_ok(mica_model_read(model, fc, before, 6));
    ck_refused(mica_model_import(model, temp_path("none")), MICA_E_NOT_FOUND, "none");
    ck_refused(mica_model_import(model, write_file(7, NULL)), MICA_E_FORMAT,
        "fc/weight (3, 2) is not in the file, nor fc.weight");
    ck_refused(mica_model_import(model, write_file(-1, &other)), MICA_E_FORMAT,
        "the file has fc.weights, the model has not");
    ck_refused(mica_model_import(model, write_file(7, &flat)), MICA_E_FORMAT,
        "fc.weight is (6) in the file");
    ck_refused(mica_model_import(model, write_file(7, &turned)), MICA_E_FORMAT,
        "fc.weight is (3, 2) in the file, which does not become fc/weight (3, 2)");
    ck_ok(mica_model_read(model, fc, after, 6));
    ck_assert_int_eq(memcmp(before, after, sizeof before), 0);
}
END_TEST

START_TEST(reads_own) {
    ck_ok(mica_model_import(model, write_file(-1, NULL)));
    ck_ok(mica_model_save(model, temp_path("own.safetensors")));
    const float zeros[NUMBERS] = {0};
    ck_ok(mica_model_write(model, mica_model_parameter(model, 7), zeros, 6));
    ck_ok(mica_model_import(model, temp_path("own.safetensors")));
    check(7, "fc/weight", 6, (const float[]){700, 703, 701, 704, 702, 705});
}
END_TEST

int main(int argc, char **argv) {
    device_name = argc > 1 ? argv[1] : "cpu";
    if (mica_device_open(device_name, &device) != MICA_OK) {
        fprintf(stderr, "skipped: %s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&device);
    Suite *suite = suite_create("import");
    TCase *tests = tcase_create("import");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, converts);
    tcase_add_test(tests, refuses);
    tcase_add_test(tests, reads_own);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
