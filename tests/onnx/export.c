/* Exporting networks as ONNX: the recipes' and small ones for each operator, read again by the
 * importer, give the same numbers.
 *
 *     export DEVICE [FOLDER|""] [RECIPE]...
 *
 * With a folder, NAME.onnx, NAME.input and NAME.output (the numbers, in bytes) of each network stay
 * there, for tests/onnx/export_check.py. */
#include "base/file.h"
#include "base/mem.h"
#include "graph/graph_impl.h"
#include "onnx/file.h"
#include "recipe/recipe.h"
#include "tests/io/temp.h"

#include <math.h>
#include <mica/onnx.h>
#include <mica/sequence.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    mica_device *device;
    const char *folder;
    char **recipes;
    int n_recipes;
} run;

/* ---- small networks ---- */

/* A network of one input. */
typedef struct small {
    const char *name;
    mica_shape shape;
    int64_t classes; /* the input is int32, below this; 0: float32 */
    mica_value *(*build)(mica_value *x);
} small;

static mica_value *weight(mica_value *x, const char *name, mica_shape shape) {
    return mica_parameter(
        mica_value_graph(x), name, shape, (mica_init){MICA_INIT_NORMAL, .value = 0.3f});
}

static mica_value *conv_same(mica_value *x) {
    mica_value *y = mica_conv2d(x, weight(x, "w", MICA_SHAPE(3, 2, 4, 6)),
        &(mica_conv2d_options){.strides = {1, 2, 1, 1}, .padding = MICA_SAME});
    return mica_relu(mica_bias_add(y, weight(x, "b", MICA_SHAPE(6))));
}

static mica_value *conv_grouped(mica_value *x) {
    return mica_conv2d(x, weight(x, "w", MICA_SHAPE(3, 3, 2, 6)),
        &(mica_conv2d_options){
            .dilations = {1, 2, 1, 1}, .padding = MICA_EXPLICIT, .pad = {2, 1, 0, 3}, .groups = 2});
}

static mica_value *conv_back(mica_value *x) {
    mica_value *y = mica_conv2d_transpose(x, weight(x, "w", MICA_SHAPE(3, 4, 5, 4)),
        &(mica_conv2d_options){.strides = {1, 2, 3, 1}, .padding = MICA_SAME});
    return mica_conv2d_transpose(y, weight(x, "w2", MICA_SHAPE(2, 3, 3, 5)),
        &(mica_conv2d_options){.strides = {1, 2, 2, 1},
            .padding = MICA_EXPLICIT,
            .pad = {1, 0, 0, 1},
            .output = {12, 24}});
}

static mica_value *pools(mica_value *x) {
    mica_value *y = mica_max_pool(x,
        &(mica_pool_options){.ksize = {1, 3, 2, 1}, .strides = {1, 2, 1, 1}, .padding = MICA_SAME});
    mica_value *z = mica_avg_pool(x,
        &(mica_pool_options){.ksize = {1, 3, 2, 1}, .strides = {1, 2, 1, 1}, .padding = MICA_SAME});
    mica_value *both[] = {y, z};
    y = mica_concat(both, 2, -1);
    y = mica_slice(y, (int64_t[]){0, 1, 0, 1}, (int64_t[]){-1, -1, 3, 5});
    return mica_max_pool(y, &(mica_pool_options){.ksize = {1, 2, 2, 1},
                                .strides = {1, 2, 2, 1},
                                .padding = MICA_EXPLICIT,
                                .ceil = true});
}

static mica_value *averages(mica_value *x) {
    mica_value *y = mica_avg_pool(x, &(mica_pool_options){.ksize = {1, 3, 3, 1},
                                         .padding = MICA_EXPLICIT,
                                         .pad = {1, 1, 0, 2},
                                         .count_padding = true});
    return mica_global_avg_pool(y);
}

static mica_value *norms(mica_value *x) {
    mica_graph *graph = mica_value_graph(x);
    mica_value *variance = mica_parameter(
        graph, "variance", MICA_SHAPE(4), (mica_init){MICA_INIT_CONSTANT, .value = 1.5f});
    mica_value *y = mica_batch_norm(x, weight(x, "gamma", MICA_SHAPE(4)),
        weight(x, "beta", MICA_SHAPE(4)), weight(x, "mean", MICA_SHAPE(4)), variance, NULL);
    y = mica_local_response_norm(
        y, &(mica_lrn_options){.radius = 1, .bias = 1, .alpha = 0.5f, .beta = 0.75f});
    return mica_layer_norm(
        y, weight(x, "gamma2", MICA_SHAPE(4)), weight(x, "beta2", MICA_SHAPE(4)), 0);
}

static mica_value *sizes(mica_value *x) {
    mica_value *y = mica_resize(x, 9, 7, MICA_NEAREST, MICA_HALF_PIXEL);
    y = mica_resize(y, 5, 11, MICA_BILINEAR, MICA_HALF_PIXEL);
    y = mica_resize(y, 8, 8, MICA_BILINEAR, MICA_ALIGN_CORNERS);
    y = mica_resize(y, 16, 8, MICA_NEAREST, MICA_ASYMMETRIC);
    y = mica_pad(y, (int64_t[]){0, 1, 0, 2}, (int64_t[]){0, 2, 3, 0}, MICA_PAD_CONSTANT, 0.5f);
    y = mica_pad(y, (int64_t[]){0, 3, 1, 0}, (int64_t[]){0, 0, 2, 0}, MICA_PAD_REFLECT, 0);
    y = mica_pad(y, (int64_t[]){0, 0, 1, 0}, (int64_t[]){0, 1, 0, 0}, MICA_PAD_EDGE, 0);
    return mica_depth_to_space(mica_space_to_depth(y, 1), 1);
}

static mica_value *blocks(mica_value *x) {
    return mica_conv2d(mica_space_to_depth(x, 2), weight(x, "w", MICA_SHAPE(1, 1, 16, 8)), NULL);
}

/* All functions, on positive numbers where they want them. */
static mica_value *functions(mica_value *x) {
    mica_value *p = mica_add(mica_abs(x), mica_full(mica_value_graph(x), MICA_SCALAR, 0.5f));
    mica_value *parts[] = {mica_sub(x, p), mica_mul(x, p), mica_div(x, p), mica_scale(x, 3),
        mica_square(x), mica_sqrt(p), mica_neg(x), mica_relu(x), mica_sigmoid(x), mica_tanh(x),
        mica_exp(x), mica_log(p), mica_pow(p, 1.5f), mica_minimum(x, p), mica_maximum(x, p),
        mica_clip(x, -0.5f, 0.25f), mica_leaky_relu(x, 0.1f), mica_elu(x, 0.7f), mica_gelu(x),
        mica_erf(x), mica_silu(x), mica_softplus(x), mica_hard_sigmoid(x, 0.2f, 0.5f),
        mica_hard_sigmoid(x, 0.3f, 0.1f), mica_hard_swish(x), mica_hard_tanh(x)};
    return mica_concat(parts, sizeof parts / sizeof *parts, 1);
}

static mica_value *reductions(mica_value *x) {
    const int ends[] = {0, 2}, last[] = {-1};
    mica_value *a = mica_mean(x, ends, 2, true), *b = mica_max(x, last, 1, true);
    mica_value *y = mica_mul(mica_sub(x, a), b);
    y = mica_add(y, mica_sum(x, (int[]){1}, 1, true));
    y = mica_add(y, mica_norm(x));
    return mica_softmax(mica_transpose(y, (int[]){2, 0, 1}));
}

static mica_value *products(mica_value *x) {
    const mica_matmul_options right = {.transpose_b = true}, left = {.transpose_a = true};
    mica_value *y = mica_matmul(x, x, &right); /* (2, 5, 5) */
    y = mica_matmul(y, weight(x, "w", MICA_SHAPE(5, 3)), NULL);
    y = mica_bias_add(y, weight(x, "b", MICA_SHAPE(3)));
    y = mica_matmul(x, y, &left); /* (2, 4, 3) */
    y = mica_reshape(y, 2, (int64_t[]){8, 3});
    y = mica_matmul(y, weight(x, "v", MICA_SHAPE(6, 3)), &right);
    return mica_log_softmax(mica_bias_add(y, weight(x, "c", MICA_SHAPE(6))));
}

static mica_value *classes(mica_value *x) {
    return mica_add(mica_one_hot(x, 7),
        mica_slice(weight(x, "w", MICA_SHAPE(9, 7)), (int64_t[]){1, 0}, (int64_t[]){1, 7}));
}

static mica_value *lookup(mica_value *x) {
    return mica_embedding(weight(x, "table", MICA_SHAPE(7, 3)), x);
}

static mica_value *rnn(mica_value *x) {
    return mica_rnn_layer(
        x, "rnn", 3, &(mica_recurrent_layer_options){.layers = 2, .relu = true, .reverse = true})
        .outputs;
}

static mica_value *lstm(mica_value *x) {
    mica_recurrent made = mica_lstm_layer(x, "lstm", 3,
        &(mica_recurrent_layer_options){.layers = 2, .bidirectional = true, .classes = 7});
    mica_value *parts[] = {mica_reshape(made.outputs, 1, (int64_t[]){-1}),
        mica_reshape(made.h, 1, (int64_t[]){-1}), mica_reshape(made.c, 1, (int64_t[]){-1})};
    return mica_concat(parts, 3, 0);
}

static mica_value *gru(mica_value *x) {
    mica_value *y = mica_gru_layer(
        x, "gru", 3, &(mica_recurrent_layer_options){.bidirectional = true, .reset_first = true})
                        .outputs;
    mica_value *h0 = weight(x, "start", MICA_SHAPE(1, 2, 3));
    return mica_gru_layer(y, "gru2", 3, &(mica_recurrent_layer_options){.h0 = h0}).h;
}

#define IMAGE                                                                                      \
    {                                                                                              \
        4, {                                                                                       \
            2, 6, 8, 4                                                                             \
        }                                                                                          \
    }
static const small smalls[] = {
    {"conv_same", IMAGE, .build = conv_same},
    {"conv_grouped", IMAGE, .build = conv_grouped},
    {"conv_back", {4, {2, 3, 4, 4}}, .build = conv_back},
    {"pools", IMAGE, .build = pools},
    {"averages", IMAGE, .build = averages},
    {"norms", IMAGE, .build = norms},
    {"sizes", IMAGE, .build = sizes},
    {"blocks", IMAGE, .build = blocks},
    {"functions", {2, {3, 7}}, .build = functions},
    {"reductions", {3, {2, 5, 4}}, .build = reductions},
    {"products", {3, {2, 5, 4}}, .build = products},
    {"classes", {2, {2, 5}}, 7, classes},
    {"lookup", {2, {2, 5}}, 7, lookup},
    {"rnn", {3, {2, 5, 4}}, .build = rnn},
    {"lstm", {3, {2, 5, 4}}, .build = lstm},
    {"lstm_classes", {2, {2, 5}}, 7, lstm},
    {"gru", {3, {2, 5, 4}}, .build = gru},
};

/* ---- one network ---- */

static char *path_of(const char *name, const char *ending) {
    return run.folder ? mica_format("%s/%s%s", run.folder, name, ending)
                      : mica_format("%s%s", temp_path(name), ending);
}

static void data_write(const char *name, const char *ending, const void *data, size_t size) {
    char *path = path_of(name, ending);
    if (run.folder)
        ck_ok(mica_file_replace(path, data, size));
    free(path);
}

static size_t count_of(const mica_value *value) {
    return (size_t)mica_shape_count(mica_value_shape(value));
}

/* Runs a program of one output; data is freed by the caller. */
static float *forward(mica_model *model, mica_value *input, mica_value *output, const void *data) {
    mica_program *program;
    size_t size = count_of(output) * sizeof(float);
    float *result = mica_alloc(count_of(output), sizeof *result);
    ck_assert_ptr_nonnull(result);
    ck_ok(mica_program_create(
        model, &(mica_program_options){.outputs = &output, .n_outputs = 1}, &program));
    ck_ok(mica_program_write(program, input, data, count_of(input) * 4));
    ck_ok(mica_program_run(program));
    ck_ok(mica_program_read(program, output, result, size));
    mica_program_destroy(&program);
    return result;
}

/* What the importer makes of the file gives the same numbers. */
static void import_check(
    const char *name, const char *path, const void *data, const float *wanted, size_t count) {
    mica_onnx *file;
    mica_graph *graph;
    mica_onnx_network *network;
    mica_model *model;
    ck_ok(mica_onnx_open(path, &file));
    ck_ok(mica_graph_create(&graph));
    ck_ok(mica_onnx_build(file, graph, NULL, &network));
    mica_value *output = mica_onnx_output(network, 0)->value;
    ck_assert_uint_eq(count_of(output), count);
    ck_ok(mica_model_create(graph, run.device, 3, &model));
    ck_ok(mica_onnx_write(network, model));
    float *got = forward(model, mica_onnx_input(network, 0), output, data);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabsf(got[i] - wanted[i]) <= 1e-5f + 1e-4f * fabsf(wanted[i]),
            "%s: element %zu is %g, expected %g", name, i, (double)got[i], (double)wanted[i]);
    free(got);
    mica_model_destroy(&model);
    mica_onnx_network_destroy(&network);
    mica_graph_destroy(&graph);
    mica_onnx_close(&file);
}

static void network_check(const char *name, mica_graph *graph, mica_value *input,
    mica_value *output, int64_t n_classes, bool random) {
    mica_model *model;
    ck_ok(mica_graph_status(graph));
    ck_ok(mica_model_create(graph, run.device, 7, &model));
    size_t count = count_of(input);
    float *floats = mica_alloc(count, sizeof *floats);
    int32_t *ids = mica_alloc(count, sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        floats[i] = sinf((float)i * 1.7f);
        ids[i] = n_classes ? (int32_t)(i * 5 % (size_t)n_classes) : 0;
    }
    const void *data = mica_value_dtype(input) == MICA_F32 ? (const void *)floats : ids;
    float *result = forward(model, input, output, data);
    char *path = path_of(name, ".onnx");
    ck_ok(mica_onnx_export(model, &output, 1, NULL, path));
    if (!random) {
        data_write(name, ".input", data, count * 4);
        data_write(name, ".output", result, count_of(output) * 4);
        import_check(name, path, data, result, count_of(output));
    }
    free(path);
    free(result);
    free(floats);
    free(ids);
    mica_model_destroy(&model);
}

START_TEST(operators) {
    for (size_t i = 0; i < sizeof smalls / sizeof *smalls; i++) {
        const small *s = &smalls[i];
        mica_graph *graph;
        ck_ok(mica_graph_create(&graph));
        mica_value *x = mica_input(graph, "x", s->classes ? MICA_I32 : MICA_F32, s->shape);
        network_check(s->name, graph, x, s->build(x), s->classes, false);
        mica_graph_destroy(&graph);
    }
}
END_TEST

/* The network of a recipe, for 2 samples. Where only the data tell how many classes, users or items
 * there are, 5. */
static void recipe_build(const char *path, mica_recipe **recipe, mica_network **network) {
    static const char *const classes[] = {"data.classes=5"};
    static const char *const people[] = {"data.users=5", "data.items=5"};
    ck_ok(mica_recipe_load(path, NULL, 0, recipe));
    if ((*recipe)->neighbours.wanted || mica_recipe_build(*recipe, 2, network) == MICA_OK)
        return;
    bool text = strstr(mica_last_error(), "data.classes") != NULL;
    mica_recipe_destroy(recipe);
    ck_ok(mica_recipe_load(path, text ? classes : people, text ? 1 : 2, recipe));
    ck_ok(mica_recipe_build(*recipe, 2, network));
}

/* What a network draws at random cannot be compared: those that draw behind a code give that. */
START_TEST(recipes) {
    for (int i = 0; i < run.n_recipes; i++) {
        const char *slash = strrchr(run.recipes[i], '/');
        const char *base = slash ? slash + 1 : run.recipes[i];
        char name[64];
        mica_recipe *recipe;
        mica_network *network = NULL;
        recipe_build(run.recipes[i], &recipe, &network);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(base, "."), base);
        if (network)
            network_check(name, network->graph, network->input,
                network->drawn ? network->code->value : network->heads[0].logits, 5,
                network->noisy != NULL);
        mica_network_destroy(&network);
        mica_recipe_destroy(&recipe);
    }
}
END_TEST

/* All that cannot be written is named, and no file is. */
START_TEST(what_cannot_be) {
    mica_graph *graph;
    mica_model *model;
    ck_ok(mica_graph_create(&graph));
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(1, 4, 4, 1));
    mica_graph_set_scope(graph, "one");
    mica_value *y =
        mica_pad(x, (int64_t[]){0, 1, 1, 0}, (int64_t[]){0, 1, 1, 0}, MICA_PAD_SYMMETRIC, 0);
    y = mica_relu(y);
    mica_graph_set_scope(graph, "two");
    mica_value *z = mica_sigmoid_cross_entropy(x, x);
    mica_value *outputs[] = {y, z};
    ck_ok(mica_model_create(graph, run.device, 1, &model));
    const char *path = temp_path("none.onnx");
    ck_refused(mica_onnx_export(model, outputs, 2, NULL, path), MICA_E_UNSUPPORTED,
        "2 parts of the network cannot be exported: one/pad: ");
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "two/sigmoid_cross_entropy: "));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_refused(mica_onnx_export(model, &x, 1, NULL, path), MICA_E_INVALID, "an input");
    outputs[1] = y;
    ck_refused(mica_onnx_export(model, outputs, 2, NULL, path), MICA_E_INVALID, "twice");
    ck_refused(mica_onnx_export(model, NULL, 0, NULL, path), MICA_E_INVALID, "an output");
    mica_model_destroy(&model);
    mica_graph_destroy(&graph);
}
END_TEST

/* With channels first, images are in the file as others have them, and nothing is transposed; names
 * stay. */
START_TEST(channels_first) {
    mica_graph *graph;
    mica_model *model;
    mica_onnx *file;
    ck_ok(mica_graph_create(&graph));
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(2, 6, 8, 4));
    mica_value *y = conv_same(x);
    ck_ok(mica_model_create(graph, run.device, 1, &model));
    const char *path = temp_path("first.onnx");
    ck_ok(mica_onnx_export(
        model, &y, 1, &(mica_onnx_export_options){.name = "net", .channels_first = true}, path));
    ck_ok(mica_onnx_open(path, &file));
    ck_assert_int_eq(mica_onnx_opset(file), 17);
    ck_assert_uint_eq(file->n_nodes, 2); /* Conv, Relu */
    ck_assert_str_eq(file->model->graph->name, "net");
    const mica_stored_tensor *input = mica_onnx_get_input(file, 0);
    ck_assert_str_eq(input->name, "x");
    ck_assert_int_eq(input->dim[1], 4);
    ck_assert_int_eq(input->dim[3], 8);
    ck_assert_str_eq(file->model->graph->output[0]->name, mica_value_name(y));
    ck_assert_uint_ne(mica_onnx_symbol_find(file, "w"), MICA_ONNX_NONE);
    ck_assert_uint_ne(mica_onnx_symbol_find(file, "b"), MICA_ONNX_NONE);
    mica_onnx_close(&file);
    mica_model_destroy(&model);
    mica_graph_destroy(&graph);
}
END_TEST

int main(int argc, char **argv) {
    if (mica_device_open(argc > 1 ? argv[1] : "auto", &run.device) != MICA_OK) {
        printf("skipped: %s\n", mica_last_error());
        return 77;
    }
    run.folder = argc > 2 && *argv[2] ? argv[2] : NULL;
    run.recipes = argv + 3;
    run.n_recipes = argc > 3 ? argc - 3 : 0;
    Suite *suite = suite_create("onnx/export");
    TCase *tests = tcase_create("export");
    tcase_set_timeout(tests, 600);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, operators);
    tcase_add_test(tests, recipes);
    tcase_add_test(tests, what_cannot_be);
    tcase_add_test(tests, channels_first);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    mica_device_destroy(&run.device);
    return failed ? 1 : 0;
}
