/* AlexNet's recipe against PyTorch with weights made by a formula: the codes of one image, and
 * three steps of training of a small one (tests/golden/alexnet.py).
 * Usage: alexnet DEVICE RECIPE; exit code 77 where there is no such device. */
#include "tests/golden/alexnet.h"
#include "device/device.h"
#include "recipe/recipe.h"
#include "tests/io/temp.h"

#include <math.h>
#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 32, INPUT = 100, INPUT_SCALE = 64 };

static const char *device_name, *recipe_path;
static mica_device *device;
static mica_recipe *recipe;
static mica_network *network;
static mica_model *model;
static mica_program *program;

/* Numbers of -scale to scale: a hash of place and stream (MurmurHash3's end). */
static float *numbers(uint32_t stream, float scale, size_t count) {
    float *data = malloc(count * sizeof *data);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < count; i++) {
        uint32_t x = (uint32_t)i * UINT32_C(2654435761) + stream * UINT32_C(0x9e3779b9);
        x = (x ^ x >> 16) * UINT32_C(0x85ebca6b);
        x = (x ^ x >> 13) * UINT32_C(0xc2b2ae35);
        x ^= x >> 16;
        data[i] = ((float)(x >> 8) * 0x1p-23f - 1) * scale;
    }
    return data;
}

/* Layers in their order, the weight before the bias. */
static float scale_of(size_t parameter) {
    const size_t layer = parameter / 2;
    return parameter % 2 ? 0x1p-3f : layer == 0 ? 0x1p-3f : layer < 5 ? 0x1p-4f : 0x1p-5f;
}

static void make(const char *const *overrides, size_t n_overrides, int64_t batch, float gain) {
    ck_ok(mica_device_open(device_name, &device));
    ck_ok(mica_recipe_load(recipe_path, overrides, n_overrides, &recipe));
    ck_ok(mica_recipe_build(recipe, batch, &network));
    ck_ok(mica_model_create(network->graph, device, 1, &model));
    ck_assert_uint_eq(mica_model_count(model), 16);
    for (size_t i = 0; i < 16; i++) {
        mica_value *parameter = mica_model_parameter(model, i);
        const size_t count = (size_t)mica_shape_count(mica_value_shape(parameter));
        float *data = numbers((uint32_t)i, scale_of(i) * (i % 2 ? 1 : gain), count);
        ck_ok(mica_model_write(model, parameter, data, count));
        free(data);
    }
}

static void write_input(void) {
    const size_t count = (size_t)mica_shape_count(mica_value_shape(network->input));
    float *data = numbers(INPUT, INPUT_SCALE, count);
    ck_ok(mica_program_write(program, network->input, data, count * sizeof *data));
    free(data);
}

static void teardown(void) {
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
    mica_device_destroy(&device);
}

static void compare(
    const char *name, const double *wanted, double scale, const float *got, size_t stride) {
    for (size_t i = 0; i < SAMPLES; i++) {
        const double error = fabs((double)got[i * stride] - wanted[i]);
        ck_assert_msg(error <= 1e-4 * fmax(scale, fabs(wanted[i])),
            "%s[%zu]: wanted %.9g, got %.9g", name, i * stride, wanted[i], (double)got[i * stride]);
    }
}

START_TEST(codes) {
    static const char *const names[] = {"fc6", "fc7", "fc8"};
    /* Not every device binds the 151 MB of fc6's weights. */
    ck_ok(mica_device_open(device_name, &device));
    const bool whole = mica_device_traits(device)->max_binding_bytes >= UINT64_C(9216) * 4096 * 4;
    mica_device_destroy(&device);
    make((const char *const[]){"layers.fc6.units=2048"}, whole ? 0 : 1, 1, 1);
    mica_value *values[3];
    for (int i = 0; i < 3; i++) {
        const mica_network_layer *layer;
        ck_ok(mica_network_find(network, names[i], &layer));
        values[i] = layer->value;
    }
    ck_ok(mica_program_create(
        model, &(mica_program_options){.outputs = values, .n_outputs = 3}, &program));
    write_input();
    ck_ok(mica_program_run(program));
    for (int i = 0; i < 3; i++) {
        const size_t count = (size_t)mica_shape_count(mica_value_shape(values[i]));
        float *got = malloc(count * sizeof *got);
        ck_assert_ptr_nonnull(got);
        ck_ok(mica_program_read(program, values[i], got, count * sizeof *got));
        compare(names[i],
            (whole ? golden_alexnet_whole : golden_alexnet_narrow) + (size_t)i * SAMPLES,
            (whole ? golden_alexnet_whole_rms : golden_alexnet_narrow_rms)[i], got,
            count / SAMPLES);
        free(got);
    }
}
END_TEST

START_TEST(parameters) {
    ck_ok(mica_recipe_load(recipe_path, NULL, 0, &recipe));
    ck_ok(mica_recipe_build(recipe, 1, &network));
    int64_t count = 0;
    for (size_t i = 0; i < network->n_layers; i++)
        count += network->layers[i].parameters;
    ck_assert_int_eq(count, 60965224);
}
END_TEST

START_TEST(training) {
    static const char *const small[] = {"input=[67, 67, 3]", "data.classes=10",
        "layers.conv1.filters=16", "layers.conv2.filters=32", "layers.conv3.filters=24",
        "layers.conv4.filters=24", "layers.conv5.filters=32", "layers.fc6.units=64",
        "layers.fc7.units=48", "layers.drop6.keep_prob=1", "layers.drop7.keep_prob=1"};
    make(small, sizeof small / sizeof *small, 4, 2);
    const mica_optimizer sgd = {.kind = MICA_SGD, .learning_rate = 0.01f, .momentum = 0.9f};
    ck_ok(mica_program_create(model,
        &(mica_program_options){.loss = network->loss, .optimizer = &sgd, .training = true},
        &program));
    write_input();
    const int32_t labels[] = {1, 4, 7, 0};
    ck_ok(mica_program_write(program, network->label, labels, sizeof labels));
    for (int step = 0; step < 3; step++) {
        float loss;
        ck_ok(mica_program_run(program));
        ck_ok(mica_program_read(program, network->loss, &loss, sizeof loss));
        ck_assert_msg(fabs((double)loss - golden_alexnet_losses[step]) < 1e-4 * (double)loss,
            "step %d: loss %.9g", step, (double)loss);
    }
    for (size_t i = 0; i < 16; i++) {
        mica_value *parameter = mica_model_parameter(model, i);
        const size_t count = (size_t)mica_shape_count(mica_value_shape(parameter));
        float *data = malloc(count * sizeof *data);
        ck_assert_ptr_nonnull(data);
        ck_ok(mica_model_read(model, parameter, data, count));
        double sum = 0;
        for (size_t j = 0; j < count; j++)
            sum += (double)data[j] * (double)data[j];
        ck_assert_msg(fabs(sqrt(sum) - golden_alexnet_norms[i]) < 1e-4 * golden_alexnet_norms[i],
            "%s: norm %.9g, wanted %.9g", mica_value_name(parameter), sqrt(sum),
            golden_alexnet_norms[i]);
        free(data);
    }
}
END_TEST

int main(int argc, char **argv) {
    device_name = argc > 1 ? argv[1] : "cpu";
    recipe_path = argc > 2 ? argv[2] : "recipes/alexnet.yaml";
    if (mica_device_open(device_name, &device) != MICA_OK) {
        fprintf(stderr, "skipped: %s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&device);
    Suite *suite = suite_create("alexnet");
    TCase *tests = tcase_create("alexnet");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, parameters);
    tcase_add_test(tests, codes);
    tcase_add_test(tests, training);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
