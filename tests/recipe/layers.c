/* Every layer type: the shape and the number of parameters of what a recipe builds; the decoder as
 * a network of its own; what an autoencoder has. Needs no device. */
#include "base/file.h"
#include "recipe/layer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mica_recipe *load(const char *text) {
    char path[] = "/tmp/mica-layers-XXXXXX";
    mica_recipe *recipe = NULL;
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
    ck_assert_int_eq(mica_file_replace(path, text, strlen(text)), MICA_OK);
    ck_assert_msg(
        mica_recipe_load(path, NULL, 0, &recipe) == MICA_OK, "%s: %s", text, mica_last_error());
    unlink(path);
    return recipe;
}

/* A layer behind an input of `input`, what it gives for a batch of 2, and its parameters. */
static const struct {
    const char *input, *layer, *output;
    int64_t parameters;
} layers[] = {
    /* the course's example: 20 filters of 8 x 8 x 3 with a bias each */
    {"32, 32, 3", "conv2d, filters: 20, kernel: 8, strides: 2, padding: 1", "(2, 14, 14, 20)",
        3860},
    {"32, 32, 3", "conv2d, filters: 20", "(2, 30, 30, 20)", 560},
    {"32, 32, 3", "conv2d, filters: 4, kernel: [1, 5], bias: false", "(2, 32, 28, 4)", 60},
    {"31, 30, 3", "conv2d, filters: 4, strides: 2, padding: same", "(2, 16, 15, 4)", 112},
    {"32, 32, 3", "conv2d, filters: 4, strides: [2, 1]", "(2, 15, 30, 4)", 112},
    {"32, 32, 3", "conv2d, filters: 4, strides: [1, 2, 3, 1]", "(2, 15, 10, 4)", 112},
    {"32, 32, 3", "conv2d, filters: 4, dilation: 2", "(2, 28, 28, 4)", 112},
    {"32, 32, 3", "conv2d, filters: 4, padding: [1, 2, 3, 4]", "(2, 33, 37, 4)", 112},
    {"8, 8, 6", "conv2d, filters: 6, groups: 6", "(2, 6, 6, 6)", 60},
    {"8, 8, 6", "conv2d, filters: 4, groups: 2", "(2, 6, 6, 4)", 112},
    {"7, 7, 8", "conv2d_transpose, filters: 4, strides: 2, padding: same", "(2, 14, 14, 4)", 292},
    {"7, 7, 8", "conv2d_transpose, filters: 4, kernel: 4, strides: 2", "(2, 16, 16, 4)", 516},
    {"7, 7, 8", "conv2d_transpose, filters: 4, kernel: 4, strides: 2, padding: 1", "(2, 14, 14, 4)",
        516},
    {"7, 7, 8", "conv2d_transpose, filters: 4, kernel: 3, strides: 2, padding: 1, output: [14, 14]",
        "(2, 14, 14, 4)", 292},
    {"8, 8, 6", "max_pool", "(2, 4, 4, 6)", 0},
    {"9, 9, 6", "max_pool, kernel: 3, strides: 2", "(2, 4, 4, 6)", 0},
    {"9, 9, 6", "max_pool, padding: same", "(2, 5, 5, 6)", 0},
    {"9, 9, 6", "avg_pool, kernel: 1, strides: 2", "(2, 5, 5, 6)", 0},
    {"9, 9, 6", "avg_pool, kernel: [2, 3], padding: 1, count_padding: true", "(2, 5, 3, 6)", 0},
    {"8, 8, 6", "max_pool, kernel: 3, strides: 2, padding: 0, ceil: true", "(2, 4, 4, 6)", 0},
    {"9, 9, 6", "global_avg_pool", "(2, 6)", 0},
    {"8, 8, 6", "batch_norm", "(2, 8, 8, 6)", 24},
    {"8, 8, 6", "layer_norm", "(2, 8, 8, 6)", 12},
    {"8, 8, 6", "local_response_norm", "(2, 8, 8, 6)", 0},
    {"8, 8, 6", "scale, factor: 2", "(2, 8, 8, 6)", 0},
    {"8, 8, 6", "pad, amounts: 1", "(2, 10, 10, 6)", 0},
    {"8, 8, 6", "pad, amounts: [0, [1, 2], [3, 4]], mode: symmetric", "(2, 8, 11, 13)", 0},
    {"8, 8, 6", "resize, factor: 2", "(2, 16, 16, 6)", 0},
    {"8, 8, 6", "resize, factor: [2, 3], method: bilinear", "(2, 16, 24, 6)", 0},
    {"8, 8, 6", "resize, to: [7, 9], method: bilinear, align_corners: true", "(2, 7, 9, 6)", 0},
    {"8, 8, 6", "space_to_depth", "(2, 4, 4, 24)", 0},
    {"8, 8, 8", "depth_to_space, block: 2", "(2, 16, 16, 2)", 0},
    {"8, 8, 6", "noise", "(2, 8, 8, 6)", 0},
    {"8", "gaussian, from: [input, input]", "(2, 8)", 0},
    {"8", "dropout", "(2, 8)", 0},
    {"8", "dense, units: 3, activation: gelu, init: normal", "(2, 3)", 27},
    {"7, 5", "rnn, units: 4", "(2, 7, 4)", 40},
    {"7, 5", "rnn, units: 4, relu: true, last: true", "(2, 4)", 40},
    {"7, 5", "lstm, units: 4", "(2, 7, 4)", 160},
    {"7, 5", "lstm, units: 4, layers: 2, keep_prob: 0.5, bidirectional: true", "(2, 7, 8)", 736},
    {"7, 5", "lstm, units: 4, layers: 2, bidirectional: true, last: true", "(2, 8)", 736},
    {"7, 5", "gru, units: 4, layers: 3, last: true", "(2, 4)", 348},
    {"8, 8, 6", "sum", "(2, 8, 8, 1)", 0},
    {"8, 8, 6", "flatten", "(2, 384)", 0},
    {"8, 8, 6", "reshape, shape: [-1, 12]", "(2, 32, 12)", 0},
    {"8", "relu", "(2, 8)", 0},
    {"8", "leaky_relu, slope: 0.2", "(2, 8)", 0},
    {"8", "elu, alpha: 0.5", "(2, 8)", 0},
    {"8", "gelu", "(2, 8)", 0},
    {"8", "silu", "(2, 8)", 0},
    {"8", "sigmoid", "(2, 8)", 0},
    {"8", "tanh", "(2, 8)", 0},
    {"8", "softplus", "(2, 8)", 0},
    {"8", "softmax", "(2, 8)", 0},
    {"8", "hard_sigmoid, slope: 0.2", "(2, 8)", 0},
    {"8", "hard_swish", "(2, 8)", 0},
    {"8", "hard_tanh", "(2, 8)", 0},
    {"8", "add, from: [input, input]", "(2, 8)", 0},
    {"8", "mul, from: [input, input]", "(2, 8)", 0},
    {"8, 8, 6", "concat, from: [input, input]", "(2, 8, 8, 12)", 0},
};
enum { LAYERS = sizeof layers / sizeof *layers };

/* The same behind 7 characters, of which there are 3. */
static const struct {
    const char *layer, *output;
    int64_t parameters;
} id_layers[] = {
    {"embedding, rows: classes, width: 4", "(2, 7, 4)", 12},
    {"embedding, rows: 5, width: 4, column: 2, init: zeros", "(2, 5, 4)", 20},
    {"embedding, rows: 5, width: 1, column: 2, columns: 3, sparse: true", "(2, 3, 1)", 5},
    {"rnn, units: 4, classes: classes", "(2, 7, 4)", 32},
    {"lstm, units: 4, classes: classes, last: true, layers: 2", "(2, 4)", 272},
    {"gru, units: 4, classes: 3, stateful: true", "(2, 7, 4)", 100},
};
enum { ID_LAYERS = sizeof id_layers / sizeof *id_layers };

START_TEST(shape) {
    char text[512], got[96];
    snprintf(text, sizeof text,
        "name: n\ninput: [%s]\nlayers:\n  - {type: %s}\n  - {type: flatten}\n"
        "  - {type: dense, units: 3}\nloss: softmax_cross_entropy\n",
        layers[_i].input, layers[_i].layer);
    mica_recipe *recipe = load(text);
    mica_network *network = NULL;
    ck_assert_msg(mica_recipe_build(recipe, 2, &network) == MICA_OK, "%s", mica_last_error());
    const mica_network_layer *row = &network->layers[1];
    ck_assert_str_eq(mica_shape_text(row->output, got, sizeof got), layers[_i].output);
    ck_assert_msg(row->parameters == layers[_i].parameters, "%s: %lld parameters, wanted %lld",
        layers[_i].layer, (long long)row->parameters, (long long)layers[_i].parameters);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}
END_TEST

START_TEST(id_shape) {
    char text[512], got[96];
    snprintf(text, sizeof text,
        "name: n\ninput: [7]\ndata: {set: text, files: [t], class_names: [a, b, c]}\n"
        "layers:\n  - {type: %s}\n  - {type: flatten}\n  - {type: dense, units: 21}\n"
        "  - {type: reshape, shape: [7, 3]}\nloss: softmax_cross_entropy\n",
        id_layers[_i].layer);
    mica_recipe *recipe = load(text);
    mica_network *network = NULL;
    ck_assert_msg(mica_recipe_build(recipe, 2, &network) == MICA_OK, "%s", mica_last_error());
    const mica_network_layer *row = &network->layers[1];
    ck_assert_str_eq(mica_shape_text(row->output, got, sizeof got), id_layers[_i].output);
    ck_assert_msg(row->parameters == id_layers[_i].parameters, "%s: %lld parameters",
        id_layers[_i].layer, (long long)row->parameters);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}
END_TEST

static bool is_of(const char *layer, const char *name) {
    const size_t size = strlen(name);
    return !strncmp(layer, name, size) && (!layer[size] || layer[size] == ',');
}

/* No type is left out of the tables. */
START_TEST(complete) {
    for (size_t t = 0; t < mica_layer_types_count; t++) {
        const char *name = mica_layer_types[t]->name;
        size_t found = 0;
        for (size_t i = 0; i < ID_LAYERS; i++)
            found += is_of(id_layers[i].layer, name);
        for (size_t i = 0; i < LAYERS; i++)
            found += is_of(layers[i].layer, name);
        ck_assert_msg(found, "no case of %s", name);
    }
}
END_TEST

/* What batch normalization tracks counts as frozen. */
START_TEST(frozen) {
    mica_recipe *recipe = load("input: [4]\nlayers:\n  - {type: batch_norm}\n"
                               "  - {type: dense, units: 3}\nloss: softmax_cross_entropy\n");
    mica_network *network = NULL;
    ck_assert_int_eq(mica_recipe_build(recipe, 2, &network), MICA_OK);
    ck_assert_int_eq(network->layers[1].parameters, 16);
    ck_assert_int_eq(network->layers[1].frozen_parameters, 8);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}
END_TEST

/* Each of these layers becomes some thousand operations. */
START_TEST(too_many_operations) {
    char text[16384] = "input: [1, 2]\nlayers:\n";
    for (int i = 0; i < 60; i++)
        strcat(text, "  - {type: lstm, units: 1, layers: 64, bidirectional: true}\n");
    strcat(text, "  - {type: flatten}\n  - {type: dense, units: 3}\nloss: softmax_cross_entropy\n");
    mica_recipe *recipe = load(text);
    mica_network *network = NULL;
    ck_assert_int_eq(mica_recipe_build(recipe, 2, &network), MICA_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "operations: at most 65536 are allowed"));
    ck_assert_ptr_null(network);
    mica_recipe_destroy(&recipe);
}
END_TEST

/* Behind a dense layer a batch of one has one value a channel; an image has many. */
START_TEST(warns_of_one_value) {
    mica_recipe *recipe = load(
        "input: [4, 4, 1]\nlayers:\n"
        "  - {type: conv2d, filters: 2, padding: 1}\n  - {type: batch_norm, name: of_pixels}\n"
        "  - {type: flatten}\n  - {type: dense, units: 3}\n  - {type: batch_norm, name: of_one}\n"
        "  - {type: dense, units: 3}\nloss: softmax_cross_entropy\n");
    for (int batch = 1; batch <= 2; batch++) {
        mica_network *network = NULL;
        ck_assert_int_eq(mica_recipe_build(recipe, batch, &network), MICA_OK);
        const char *warning = mica_graph_warning(network->graph, 0);
        if (batch > 1)
            ck_assert_ptr_null(warning);
        else
            ck_assert_msg(
                warning && !strncmp(warning, "of_one: each channel has one value in a batch", 45),
                "%s", warning ? warning : "none");
        ck_assert_ptr_null(mica_graph_warning(network->graph, 1));
        mica_network_destroy(&network);
    }
    mica_recipe_destroy(&recipe);
}
END_TEST

START_TEST(warns) {
    mica_recipe *recipe = load(
        "input: [4, 4, 1]\nlayers:\n"
        "  - {type: conv2d_transpose, name: up, filters: 1, kernel: 3, strides: 2}\n"
        "  - {type: global_avg_pool}\n  - {type: dense, units: 3}\nloss: softmax_cross_entropy\n");
    mica_network *network = NULL;
    ck_assert_int_eq(mica_recipe_build(recipe, 2, &network), MICA_OK);
    const char *warning = mica_graph_warning(network->graph, 0);
    ck_assert_msg(warning && !strncmp(warning, "up", 2), "%s", warning ? warning : "none");
    ck_assert_ptr_null(mica_graph_warning(network->graph, 1));
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}
END_TEST

static const char vae[] = "name: vae\ninput: [4, 4, 1]\nlayers:\n"
                          "  - {type: noise, deviation: 0.1}\n"
                          "  - {type: flatten}\n"
                          "  - {type: dense, name: hidden, units: 8, activation: relu}\n"
                          "  - {type: dense, name: mean, units: 3}\n"
                          "  - {type: dense, name: spread, from: hidden, units: 3}\n"
                          "  - {type: gaussian, name: z, from: [mean, spread]}\n"
                          "  - {type: dense, name: decode, units: 8, activation: relu}\n"
                          "  - {type: dense, name: pixels, units: 16}\n"
                          "loss:\n"
                          "  - {name: image, kind: sigmoid_cross_entropy, from: pixels, target: "
                          "input, reduce: sum}\n"
                          "  - {name: latent, kind: kl_divergence, from: [mean, spread]}\n";

START_TEST(autoencoder) {
    mica_recipe *recipe = load(vae);
    mica_network *network = NULL;
    ck_assert_int_eq(mica_recipe_build(recipe, 2, &network), MICA_OK);
    ck_assert_str_eq(network->code->name, "mean");
    ck_assert_str_eq(network->drawn->name, "z");
    ck_assert_ptr_null(network->label);
    ck_assert(mica_shape_equal(mica_value_shape(network->noisy), MICA_SHAPE(2, 4, 4, 1)));
    const mica_network_head *image = &network->heads[0], *latent = &network->heads[1];
    ck_assert(mica_shape_equal(mica_value_shape(image->reconstruction), MICA_SHAPE(2, 4, 4, 1)));
    ck_assert(mica_shape_equal(mica_value_shape(image->reconstruction_error), MICA_SHAPE(2)));
    ck_assert(mica_shape_equal(mica_value_shape(latent->sample_loss), MICA_SHAPE(2)));
    ck_assert_ptr_null(image->prediction);
    ck_assert_ptr_null(latent->reconstruction);
    mica_network_destroy(&network);
    recipe->code = strdup("hidden");
    ck_assert_int_eq(mica_recipe_build(recipe, 2, &network), MICA_OK);
    ck_assert_str_eq(network->code->name, "hidden");
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}
END_TEST

START_TEST(narrowest) {
    mica_recipe *recipe = load("input: [6]\nlayers:\n  - {type: dense, name: a, units: 4}\n"
                               "  - {type: dense, name: b, units: 2}\n"
                               "  - {type: dense, name: c, units: 6}\n"
                               "loss: {kind: mean_squared_error, target: input}\n");
    mica_network *network = NULL;
    ck_assert_int_eq(mica_recipe_build(recipe, 2, &network), MICA_OK);
    ck_assert_str_eq(network->code->name, "b");
    ck_assert_ptr_null(network->drawn);
    ck_assert_ptr_null(network->noisy);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}
END_TEST

START_TEST(decoder) {
    mica_recipe *recipe = load(vae);
    mica_network *network = NULL;
    ck_assert_msg(
        mica_recipe_build_decoder(recipe, "z", 5, &network) == MICA_OK, "%s", mica_last_error());
    ck_assert(mica_shape_equal(mica_value_shape(network->input), MICA_SHAPE(5, 3)));
    ck_assert(mica_shape_equal(
        mica_value_shape(network->heads[0].reconstruction), MICA_SHAPE(5, 4, 4, 1)));
    ck_assert_uint_eq(network->n_layers, 3);
    ck_assert_uint_eq(mica_graph_count(network->graph), 4);
    ck_assert_str_eq(mica_value_name(mica_graph_parameter(network->graph, 0)), "decode/weight");
    mica_network_destroy(&network);

    ck_assert_int_eq(
        mica_recipe_build_decoder(recipe, "hidden", 5, &network), MICA_OK); /* through z */
    mica_network_destroy(&network);
    ck_assert_int_eq(mica_recipe_build_decoder(recipe, "spread", 5, &network), MICA_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "needs the input, not only the layer spread"));
    ck_assert_int_eq(mica_recipe_build_decoder(recipe, "input", 5, &network), MICA_E_INVALID);
    ck_assert_int_eq(mica_recipe_build_decoder(recipe, "zz", 5, &network), MICA_E_NOT_FOUND);
    ck_assert_ptr_null(network);
    mica_recipe_destroy(&recipe);

    recipe =
        load("input: [6]\nlayers:\n  - {type: dense, units: 4}\nloss: softmax_cross_entropy\n");
    ck_assert_int_eq(mica_recipe_build_decoder(recipe, "dense1", 5, &network), MICA_E_UNSUPPORTED);
    mica_recipe_destroy(&recipe);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("recipe layers");
    TCase *build = tcase_create("build");
    tcase_add_loop_test(build, shape, 0, LAYERS);
    tcase_add_loop_test(build, id_shape, 0, ID_LAYERS);
    tcase_add_test(build, complete);
    tcase_add_test(build, frozen);
    tcase_add_test(build, too_many_operations);
    tcase_add_test(build, warns);
    tcase_add_test(build, warns_of_one_value);
    tcase_add_test(build, autoencoder);
    tcase_add_test(build, narrowest);
    tcase_add_test(build, decoder);
    suite_add_tcase(suite, build);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
