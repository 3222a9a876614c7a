/* Importing ONNX: what a network becomes in a graph, orders of images, weights, training.
 *
 *     import DEVICE */
#include "base/file.h"
#include "tests/io/temp.h"
#include "tests/onnx/make.h"

#include <math.h>
#include <mica/ops.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *device_name;

/* ---- a network on a device ---- */

typedef struct loaded {
    mica_onnx *file;
    mica_graph *graph;
    mica_onnx_network *network;
    mica_device *device;
    mica_model *model;
    mica_program *program;
} loaded;

static void load(const char *path, const mica_onnx_options *options, loaded *l) {
    *l = (loaded){0};
    ck_ok(mica_onnx_open(path, &l->file));
    ck_ok(mica_graph_create(&l->graph));
    ck_ok(mica_onnx_build(l->file, l->graph, options, &l->network));
}

static void start(loaded *l, const mica_program_options *options) {
    ck_ok(mica_device_open(device_name, &l->device));
    ck_ok(mica_model_create(l->graph, l->device, 1, &l->model));
    ck_ok(mica_onnx_write(l->network, l->model));
    ck_ok(mica_program_create(l->model, options, &l->program));
}

static void start_forward(loaded *l) {
    mica_value *output = mica_onnx_output(l->network, 0)->value;
    start(l, &(mica_program_options){.outputs = &output, .n_outputs = 1});
}

static void unload(loaded *l) {
    mica_program_destroy(&l->program);
    mica_model_destroy(&l->model);
    mica_device_destroy(&l->device);
    mica_onnx_network_destroy(&l->network);
    mica_graph_destroy(&l->graph);
    mica_onnx_close(&l->file);
}

static size_t transpositions(const loaded *l) {
    mica_program_report report;
    ck_ok(mica_program_get_report(l->program, &report));
    size_t count = 0;
    for (size_t i = 0; i < report.n_rows; i++)
        count += strstr(report.rows[i].kernel, "transpose") != NULL;
    return count;
}

/* ---- models ---- */

/* Numbers between -1 and 1 that differ. */
static float number(size_t i) {
    return (float)((i * 37 + 60) % 101) / 50 - 1;
}

static void fill(pb_tensor *tensor) {
    float *data = (float *)(void *)tensor->raw_data.data;
    for (size_t i = 0; i < tensor->raw_data.len / sizeof *data; i++)
        data[i] = number(i) / 4;
}

static pb_model *filled_sample(void) {
    pb_model *model = sample();
    for (size_t i = 0; i < model->graph->n_initializer; i++)
        fill(model->graph->initializer[i]);
    return model;
}

/* Two convolutions with a residual around the second, and pooling over all pixels. */
static pb_model *image_network(void) {
    pb_model *model = sample();
    model->graph->n_node = 0;
    ADD(model->graph, initializer, tensor_of("w2", MICA_ONNX_FLOAT, 4, (int64_t[]){2, 2, 1, 1}));
    ADD(model->graph, initializer, tensor_of("k", MICA_ONNX_FLOAT, 4, (int64_t[]){1, 2, 1, 1}));
    ADD(model->graph, initializer, tensor_of("fc2", MICA_ONNX_FLOAT, 2, (int64_t[]){2, 2}));
    for (size_t i = 0; i < model->graph->n_initializer; i++)
        fill(model->graph->initializer[i]);
    node_add(model, "Conv", "x w b", "a");
    node_add(model, "Relu", "a", "r");
    node_add(model, "Conv", "r w2", "c");
    node_add(model, "Add", "c r", "s");
    node_add(model, "Mul", "s k", "m");
    node_add(model, "Concat", "m r", "cat");
    attribute_add(model->graph->node[5], "axis", 2)->i = 1;
    node_add(model, "Split", "cat", "first");
    ADD(model->graph->node[6], output, copy_of("second"));
    attribute_add(model->graph->node[6], "axis", 2)->i = 1;
    node_add(model, "GlobalAveragePool", "first", "p");
    node_add(model, "Flatten", "p", "f");
    node_add(model, "Gemm", "f fc2", "y");
    attribute_add(model->graph->node[9], "transB", 2)->i = 1;
    return model;
}

/* ---- tests ---- */

START_TEST(names_and_shapes) {
    loaded l;
    load(model_write(filled_sample()), NULL, &l);
    ck_assert_uint_eq(mica_onnx_input_count(l.file), 1);
    ck_assert_str_eq(mica_onnx_get_input(l.file, 0)->name, "x");
    ck_assert_int_eq(mica_onnx_get_input(l.file, 0)->rank, 4);
    ck_assert_ptr_null(mica_onnx_get_input(l.file, 1));
    ck_assert_int_eq(mica_onnx_opset(l.file), 13);
    ck_assert_uint_eq(mica_graph_count(l.graph), 3);
    char text[96];
    static const char *const wanted[][2] = {{"x", "(1, 4, 4, 3)"}, {"w", "(3, 3, 3, 2)"},
        {"b", "(2)"}, {"relu", "(1, 2, 2, 2)"}, {"fc", "(8, 2)"}, {"y", "(1, 2)"}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        mica_value *value = mica_onnx_find(l.network, wanted[i][0]);
        ck_assert_str_eq(mica_shape_text(mica_value_shape(value), text, sizeof text), wanted[i][1]);
    }
    ck_assert_str_eq(mica_value_name(mica_onnx_find(l.network, "w")), "w");
    ck_assert_ptr_null(mica_onnx_find(l.network, "nobody"));
    ck_assert_uint_eq(mica_onnx_output_count(l.network), 1);
    ck_assert_str_eq(mica_onnx_output(l.network, 0)->name, "y");
    ck_assert_ptr_null(mica_onnx_output(l.network, 1));
    unload(&l);
}
END_TEST

START_TEST(open_sizes) {
    pb_model *model = filled_sample();
    model->graph->input[0] = info_of("x", MICA_ONNX_FLOAT, 4, (int64_t[]){-1, 3, -1, 4});
    const char *path = model_write(model);
    const int64_t dim[] = {3, 3, 4, 4}, other[] = {3, 3, 4, 5};
    mica_onnx_given given = {.name = "x", .rank = 4, .dim = dim};
    mica_onnx_options options = {.given = &given, .n_given = 1};
    loaded l;
    load(path, &options, &l);
    ck_assert_int_eq(mica_onnx_output(l.network, 0)->dim[0], 3);
    given.dim = other;
    mica_onnx_network *none = NULL;
    ck_refused(mica_onnx_build(l.file, l.graph, &options, &none), MICA_E_INVALID, "given");
    given.name = "nobody";
    ck_refused(mica_onnx_build(l.file, l.graph, &options, &none), MICA_E_INVALID, "nobody");
    ck_assert_ptr_null(none);
    unload(&l);
}
END_TEST

START_TEST(batch) {
    pb_model *model = filled_sample();
    model->graph->input[0] = info_of("x", MICA_ONNX_FLOAT, 4, (int64_t[]){-1, 3, 4, 4});
    loaded l;
    load(model_write(model), &(mica_onnx_options){.batch = 5}, &l);
    ck_assert_int_eq(mica_value_shape(mica_onnx_input(l.network, 0)).dim[0], 5);
    ck_assert_int_eq(mica_onnx_output(l.network, 0)->dim[0], 5);
    unload(&l);
}
END_TEST

START_TEST(refusals) {
    pb_model *model = sample();
    model->graph->node[0]->op_type = copy_of("Defenestrate");
    model->graph->node[1]->op_type = copy_of("Frobnicate");
    attribute_add(model->graph->node[3], "gamma", 1);
    mica_onnx *file;
    mica_graph *graph;
    mica_onnx_network *network = NULL;
    ck_ok(mica_onnx_open(model_write(model), &file));
    ck_ok(mica_graph_create(&graph));
    ck_refused(mica_onnx_build(file, graph, NULL, &network), MICA_E_UNSUPPORTED, "2 parts");
    ck_assert_str_eq(mica_onnx_refusal(file, 0), "conv (Defenestrate): the operator is not there");
    ck_assert_str_eq(mica_onnx_refusal(file, 1), "relu (Frobnicate): the operator is not there");
    ck_assert_ptr_null(mica_onnx_refusal(file, 2));
    mica_graph_destroy(&graph);
    mica_onnx_close(&file);
}
END_TEST

/* Both orders of images give the same, and with channels last nothing is transposed. */
START_TEST(orders_of_images) {
    const char *path = model_write(image_network());
    float plain[3][4][4], last[4][4][3], y[2][2];
    for (size_t c = 0; c < 3; c++)
        for (size_t h = 0; h < 4; h++)
            for (size_t w = 0; w < 4; w++)
                plain[c][h][w] = last[h][w][c] = number((c * 4 + h) * 4 + w);
    for (int i = 0; i < 2; i++) {
        loaded l;
        load(path, &(mica_onnx_options){.channels_last = i == 1}, &l);
        start_forward(&l);
        ck_ok(mica_program_write(l.program, mica_onnx_input(l.network, 0),
            i ? (const void *)last : (const void *)plain, sizeof plain));
        ck_ok(mica_program_run(l.program));
        ck_ok(
            mica_program_read(l.program, mica_onnx_output(l.network, 0)->value, y[i], sizeof y[i]));
        ck_assert_uint_eq(transpositions(&l), i ? 0 : 1);
        unload(&l);
    }
    for (int k = 0; k < 2; k++) {
        ck_assert(fabsf(y[0][k]) > 1e-3f);
        ck_assert_float_eq_tol(y[0][k], y[1][k], 1e-6f);
    }
}
END_TEST

/* An imported network learns one sample, its first weights too. */
START_TEST(further_training) {
    loaded l;
    load(model_write(filled_sample()), NULL, &l);
    mica_value *y = mica_onnx_output(l.network, 0)->value;
    mica_value *label = mica_input(l.graph, "label", MICA_I32, MICA_SHAPE(1));
    mica_value *loss = mica_sum(mica_softmax_cross_entropy(y, label), NULL, 0, false);
    mica_optimizer optimizer = {.kind = MICA_SGD, .learning_rate = 0.1f};
    start(&l, &(mica_program_options){.loss = loss, .optimizer = &optimizer, .training = true});
    float x[48], first = 0, now = 0, before[54], after[54];
    for (size_t i = 0; i < 48; i++)
        x[i] = number(i);
    mica_value *w = mica_onnx_find(l.network, "w");
    ck_ok(mica_model_read(l.model, w, before, 54));
    ck_ok(mica_program_write(l.program, mica_onnx_input(l.network, 0), x, sizeof x));
    ck_ok(mica_program_write(l.program, label, &(int32_t){1}, sizeof(int32_t)));
    for (int step = 0; step < 20; step++) {
        ck_ok(mica_program_run(l.program));
        ck_ok(mica_program_read(l.program, loss, &now, sizeof now));
        first = step ? first : now;
    }
    ck_ok(mica_model_read(l.model, w, after, 54));
    ck_assert_float_lt(now, first / 2);
    ck_assert_int_ne(memcmp(before, after, sizeof before), 0);
    unload(&l);
}
END_TEST

static void floats_read(const char *folder, const char *name, float *values, int64_t count) {
    char path[600], *data;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t size;
    ck_ok(mica_file_read(path, 1 << 20, &data, &size));
    pb_tensor *proto = mica__onnx__tensor__unpack(NULL, size, (const uint8_t *)data);
    ck_assert_ptr_nonnull(proto);
    mica_onnx_tensor tensor;
    ck_ok(mica_onnx_tensor_check(-1, proto, &tensor));
    ck_assert_int_eq(tensor.count, count);
    ck_ok(mica_onnx_tensor_floats(-1, &tensor, values));
    mica__onnx__tensor__free_unpacked(proto, NULL);
    free(data);
}

/* Where it is there, a network of the model zoo gives the outputs that came with it. */
START_TEST(model_zoo) {
    char path[512];
    snprintf(path, sizeof path, "%s/onnx/mnist_8/model.onnx", SHARED_DATA);
    if (access(path, R_OK))
        return;
    loaded l;
    load(path, NULL, &l);
    start_forward(&l);
    for (int set = 0; set < 3; set++) {
        float x[784], y[10], wanted[10];
        snprintf(path, sizeof path, "%s/onnx/mnist_8/test_data_set_%d", SHARED_DATA, set);
        floats_read(path, "input_0.pb", x, 784);
        floats_read(path, "output_0.pb", wanted, 10);
        ck_ok(mica_program_write(l.program, mica_onnx_input(l.network, 0), x, sizeof x));
        ck_ok(mica_program_run(l.program));
        ck_ok(mica_program_read(l.program, mica_onnx_output(l.network, 0)->value, y, sizeof y));
        for (int i = 0; i < 10; i++)
            ck_assert_float_eq_tol(y[i], wanted[i], 1e-3f * fabsf(wanted[i]) + 1e-2f);
    }
    unload(&l);
}
END_TEST

int main(int argc, char **argv) {
    mica_device *device;
    device_name = argc > 1 ? argv[1] : "auto";
    if (mica_device_open(device_name, &device) != MICA_OK) {
        printf("skipped: %s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&device);
    Suite *suite = suite_create("onnx/import");
    TCase *tests = tcase_create("import");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_checked_fixture(tests, NULL, make_free);
    tcase_add_test(tests, names_and_shapes);
    tcase_add_test(tests, open_sizes);
    tcase_add_test(tests, batch);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, orders_of_images);
    tcase_add_test(tests, further_training);
    tcase_add_test(tests, model_zoo);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
