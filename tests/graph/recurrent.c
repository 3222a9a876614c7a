/* Recurrent layers on a device (named by the first argument): against PyTorch's numbers, through
 * three layers and seven steps, and with a state that mini-batches carry on. */
#include "tests/golden/recurrent.h"

#include <check.h>
#include <math.h>
#include <mica/sequence.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *device_name;
static mica_device *device;
static mica_graph *graph;

static void setup(void) {
    ck_assert_int_eq(mica_device_open(device_name, &device), MICA_OK);
    ck_assert_int_eq(mica_graph_create(&graph), MICA_OK);
}

static void teardown(void) {
    mica_graph_destroy(&graph);
    mica_device_destroy(&device);
}

#define OK(call)     ck_assert_msg((call) == MICA_OK, "%s", mica_last_error())
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- PyTorch's numbers ---- */

enum { BATCH = 3, FEATURES = 3, HIDDEN = 4, WIDTH_MOST = 4 * HIDDEN, PARAMETERS_MOST = 32 };

typedef mica_recurrent make_layer(
    mica_value *x, const char *name, int64_t hidden, const mica_recurrent_layer_options *options);

typedef struct golden {
    make_layer *make;
    int gates, layers, directions, steps;
    bool relu;
    const int32_t *lengths;
    const double *results, *inputs, *parameters;
    size_t n_results, n_inputs, n_parameters;
} golden;

#define NUMBERS(name)                                                                              \
    .results = golden_##name##_results, .inputs = golden_##name##_inputs,                          \
    .parameters = golden_##name##_parameters, .n_results = COUNT(golden_##name##_results),         \
    .n_inputs = COUNT(golden_##name##_inputs), .n_parameters = COUNT(golden_##name##_parameters)

static const golden goldens[] = {
    {mica_lstm_layer, 4, 3, 1, 7, NUMBERS(lstm)},
    {mica_gru_layer, 3, 3, 1, 7, NUMBERS(gru)},
    {mica_rnn_layer, 1, 3, 1, 7, NUMBERS(rnn)},
    {mica_lstm_layer, 4, 1, 2, 4, .lengths = (const int32_t[]){4, 3, 1}, NUMBERS(lstm_both)},
    {mica_gru_layer, 3, 2, 2, 4, .lengths = (const int32_t[]){4, 2, 2}, NUMBERS(gru_both)},
    {mica_rnn_layer, 1, 1, 2, 4, .relu = true, .lengths = (const int32_t[]){3, 3, 2},
        NUMBERS(rnn_both)},
};

static double number(size_t i, int k, double scale) {
    return sin((double)i + k) * scale;
}

static size_t count_of(const mica_value *value) {
    return (size_t)mica_shape_count(mica_value_shape(value));
}

static mica_value *constant(const char *name, mica_shape shape, int k) {
    const size_t count = (size_t)mica_shape_count(shape);
    float *data = calloc(count, sizeof *data);
    for (size_t i = 0; i < count; i++)
        data[i] = (float)number(i, k, 1);
    mica_value *value = mica_constant(graph, name, shape, data);
    free(data);
    return value;
}

/* sum(value * sin(i + k)) */
static mica_value *weighted(const char *name, mica_value *value, int k) {
    return mica_sum(mica_mul(value, constant(name, mica_value_shape(value), k)), NULL, 0, false);
}

static void write_numbers(mica_model *model, const mica_value *parameter, int k, double scale) {
    const size_t count = count_of(parameter);
    float *data = calloc(count, sizeof *data);
    for (size_t i = 0; i < count; i++)
        data[i] = (float)number(i, k, scale);
    OK(mica_model_write(model, parameter, data, count));
    free(data);
}

static mica_value *find(const char *kind, int layer, bool reverse) {
    char name[64], number_text[16] = "";
    if (layer)
        snprintf(number_text, sizeof number_text, "_l%d", layer);
    snprintf(name, sizeof name, "net/%s%s%s", kind, number_text, reverse ? "_reverse" : "");
    for (size_t i = 0; i < mica_graph_count(graph); i++)
        if (!strcmp(mica_value_name(mica_graph_parameter(graph, i)), name))
            return mica_graph_parameter(graph, i);
    return NULL;
}

/* Writes a layer's parameters from those that PyTorch numbers from k on, weights turned round and
 * biases added. */
static void write_layer(mica_model *model, const golden *g, int layer, bool reverse, int k) {
    const size_t width = (size_t)g->gates * HIDDEN;
    for (int which = 0; which < 2; which++) {
        const mica_value *weight = find(which ? "recurrent" : "weight", layer, reverse);
        const size_t rows = count_of(weight) / width;
        float *data = calloc(rows * width, sizeof *data);
        for (size_t i = 0; i < rows; i++)
            for (size_t q = 0; q < width; q++)
                data[i * width + q] = (float)number(q * rows + i, k + which, 0.5);
        OK(mica_model_write(model, weight, data, rows * width));
        free(data);
    }
    float bias[WIDTH_MOST], bias_n[HIDDEN];
    const size_t shared = g->gates == 3 ? 2 * HIDDEN : width;
    for (size_t q = 0; q < width; q++) {
        bias[q] = (float)(number(q, k + 2, 0.5) + (q < shared ? number(q, k + 3, 0.5) : 0));
        if (q >= shared)
            bias_n[q - shared] = (float)number(q, k + 3, 0.5);
    }
    OK(mica_model_write(model, find("bias", layer, reverse), bias, width));
    if (g->gates == 3)
        OK(mica_model_write(model, find("bias_n", layer, reverse), bias_n, HIDDEN));
}

static float *read_value(mica_program *program, const mica_value *value) {
    float *data = calloc(count_of(value), sizeof *data);
    OK(mica_program_read(program, value, data, count_of(value) * sizeof *data));
    return data;
}

/* Compares a value with the next of the golden numbers. */
static void compare(mica_program *program, const mica_value *value, const double **next) {
    float *data = read_value(program, value);
    for (size_t i = 0; i < count_of(value); i++)
        ck_assert_msg(fabs((double)data[i] - (*next)[i]) <= 2e-5 * fmax(1, fabs((*next)[i])),
            "%s[%zu] is %.9g, not %.9g", mica_value_name(value), i, (double)data[i], (*next)[i]);
    *next += count_of(value);
    free(data);
}

/* The gradient of a layer's parameters against PyTorch's weight_ih, weight_hh, bias_ih, bias_hh. */
static void compare_layer(
    mica_program *program, const golden *g, mica_value *const *gradients, const double **next) {
    const size_t width = (size_t)g->gates * HIDDEN;
    for (int which = 0; which < 2; which++) {
        const size_t rows = count_of(gradients[which]) / width;
        float *data = read_value(program, gradients[which]);
        for (size_t i = 0; i < rows; i++)
            for (size_t q = 0; q < width; q++)
                ck_assert_double_eq_tol((double)data[i * width + q], (*next)[q * rows + i], 5e-5);
        *next += rows * width;
        free(data);
    }
    compare(program, gradients[2], next);
    if (g->gates == 3) {
        *next += 2 * HIDDEN;
        compare(program, gradients[3], next);
    } else {
        *next += width;
    }
}

START_TEST(as_pytorch) {
    const golden *g = &goldens[_i];
    const mica_shape states = MICA_SHAPE(g->layers * g->directions, BATCH, HIDDEN);
    const bool lstm = g->gates == 4;
    const mica_init zeros = {0};
    mica_value *wrt[PARAMETERS_MOST], *grads[PARAMETERS_MOST];
    size_t n = 0;
    wrt[n++] = mica_parameter(graph, "x", MICA_SHAPE(BATCH, g->steps, FEATURES), zeros);
    wrt[n++] = mica_parameter(graph, "h0", states, zeros);
    if (lstm)
        wrt[n++] = mica_parameter(graph, "c0", states, zeros);
    const size_t n_states = n;
    mica_recurrent_layer_options options = {.layers = g->layers,
        .bidirectional = g->directions == 2,
        .lengths = g->lengths ? mica_input(graph, "lengths", MICA_I32, MICA_SHAPE(BATCH)) : NULL,
        .h0 = wrt[1],
        .c0 = lstm ? wrt[2] : NULL,
        .relu = g->relu};
    mica_recurrent y = g->make(wrt[0], "net", HIDDEN, &options);
    mica_value *loss =
        mica_add(weighted("weights_outputs", y.outputs, 200), weighted("weights_h", y.h, 201));
    if (lstm)
        loss = mica_add(loss, weighted("weights_c", y.c, 202));
    OK(mica_graph_status(graph));
    for (int layer = 0; layer < g->layers; layer++)
        for (int i = 0; i < g->directions; i++) {
            wrt[n++] = find("weight", layer, i);
            wrt[n++] = find("recurrent", layer, i);
            wrt[n++] = find("bias", layer, i);
            wrt[n++] = find("bias_n", layer, i);
            n -= g->gates != 3;
        }
    OK(mica_gradients(loss, wrt, n, grads));

    mica_value *outputs[PARAMETERS_MOST + 3];
    memcpy(outputs, grads, n * sizeof *grads);
    outputs[n] = y.outputs;
    outputs[n + 1] = y.h;
    outputs[n + 2] = y.c;
    mica_model *model = NULL;
    mica_program *program = NULL;
    OK(mica_model_create(graph, device, 1, &model));
    write_numbers(model, wrt[0], 100, 1);
    for (size_t i = 1; i < n_states; i++)
        write_numbers(model, wrt[i], 100 + (int)i, 0.5);
    for (int i = 0; i < g->layers * g->directions; i++)
        write_layer(model, g, i / g->directions, i % g->directions, 4 * i);
    OK(mica_program_create(model,
        &(mica_program_options){.outputs = outputs, .n_outputs = n + (lstm ? 3 : 2)}, &program));
    if (g->lengths)
        OK(mica_program_write(program, options.lengths, g->lengths, BATCH * sizeof *g->lengths));
    OK(mica_program_run(program));

    const double *next = g->results;
    compare(program, y.outputs, &next);
    compare(program, y.h, &next);
    if (lstm)
        compare(program, y.c, &next);
    ck_assert_ptr_eq(next, g->results + g->n_results);
    next = g->inputs;
    for (size_t i = 0; i < n_states; i++)
        compare(program, grads[i], &next);
    ck_assert_ptr_eq(next, g->inputs + g->n_inputs);
    next = g->parameters;
    for (int i = 0; i < g->layers * g->directions; i++)
        compare_layer(program, g, &grads[n_states + (size_t)(i * (g->gates == 3 ? 4 : 3))], &next);
    ck_assert_ptr_eq(next, g->parameters + g->n_parameters);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

/* ---- a state that is carried on ---- */

enum { STEPS = 3, PARTS = 4 };

/* The last outputs of `parts` runs over STEPS steps each of x, after a run that is forgotten; with
 * updates too small to see, or none. */
static void run_parts(mica_value *x, mica_value *outputs, int parts, bool updates, float *last) {
    const size_t part = (size_t)(PARTS / parts) * STEPS;
    mica_model *model = NULL;
    mica_program *program = NULL;
    OK(mica_model_create(graph, device, 5, &model));
    mica_program_options options = {
        .loss = mica_sum(outputs, NULL, 0, false),
        .optimizer = updates ? &(mica_optimizer){.learning_rate = 1e-20f} : NULL,
        .training = updates,
        .outputs = &outputs,
        .n_outputs = 1,
    };
    OK(mica_program_create(model, &options, &program));
    OK(mica_program_run(program));
    OK(mica_model_reset(model));
    for (int i = 0; i < parts; i++) {
        float data[BATCH][PARTS * STEPS][FEATURES], *at = data[0][0];
        for (size_t b = 0; b < BATCH; b++)
            for (size_t t = 0; t < part; t++)
                for (size_t f = 0; f < FEATURES; f++)
                    *at++ = (float)number(b * 100 + ((size_t)i * part + t) * 10 + f, 0, 1);
        OK(mica_program_write(program, x, data, BATCH * part * FEATURES * sizeof(float)));
        OK(mica_program_run(program));
    }
    float *all = read_value(program, outputs);
    for (size_t b = 0; b < BATCH; b++)
        memcpy(last + b * HIDDEN, all + ((b + 1) * part - 1) * HIDDEN, HIDDEN * sizeof *all);
    free(all);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}

static mica_value *sequence(int parts) {
    return mica_input(graph, "x", MICA_F32, MICA_SHAPE(BATCH, PARTS / parts * STEPS, FEATURES));
}

static void compare_parts(const float *whole, const float *parts) {
    for (int i = 0; i < BATCH * HIDDEN; i++)
        ck_assert_float_eq_tol(whole[i], parts[i], 1e-6f);
}

/* Whole, in parts while training, in parts without. */
START_TEST(a_stateful_layer_goes_on_where_it_stopped) {
    float last[3][BATCH * HIDDEN];
    for (int i = 0; i < 3; i++) {
        const int parts = i ? PARTS : 1;
        mica_value *x = sequence(parts);
        mica_recurrent_layer_options options = {.layers = 2, .stateful = true};
        mica_value *outputs = mica_lstm_layer(x, "net", HIDDEN, &options).outputs;
        run_parts(x, outputs, parts, i < 2, last[i]);
        mica_graph_destroy(&graph);
        OK(mica_graph_create(&graph));
    }
    compare_parts(last[0], last[1]);
    compare_parts(last[0], last[2]);
}
END_TEST

START_TEST(a_frozen_parameter_carries_the_state) {
    float last[2][BATCH * HIDDEN];
    const mica_init init = {MICA_INIT_UNIFORM, 0.5f, 0, 0};
    for (int i = 0; i < 2; i++) {
        const int parts = i ? PARTS : 1;
        mica_value *x = sequence(parts);
        mica_value *weight = mica_parameter(graph, "w", MICA_SHAPE(FEATURES, 3 * HIDDEN), init);
        mica_value *recurrent = mica_parameter(graph, "u", MICA_SHAPE(HIDDEN, 3 * HIDDEN), init);
        mica_value *state =
            mica_parameter(graph, "state", MICA_SHAPE(BATCH, HIDDEN), (mica_init){0});
        mica_recurrent y =
            mica_gru(x, weight, recurrent, NULL, &(mica_recurrent_options){.h0 = state});
        mica_parameter_track(state, y.h, 0);
        run_parts(x, y.outputs, parts, true, last[i]);
        if (!i) {
            mica_graph_destroy(&graph);
            OK(mica_graph_create(&graph));
        }
    }
    compare_parts(last[0], last[1]);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(wrong_layers_are_refused) {
    static const struct {
        mica_recurrent_layer_options options;
        const char *name;
        int64_t hidden;
        const char *word;
    } wrong[] = {
        {{0}, "", 4, "name"},
        {{0}, "net", 0, "unit"},
        {{0}, "net", INT64_MAX, "unit"},
        {{.layers = -1}, "net", 4, "layers"},
        {{.layers = 1000}, "net", 4, "layers"},
        {{.layers = 2, .keep_prob = -1}, "net", 4, "keep_prob"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(2, 3, 4));
        mica_recurrent y = mica_lstm_layer(x, wrong[i].name, wrong[i].hidden, &wrong[i].options);
        ck_assert_ptr_null(y.outputs);
        ck_assert_int_eq(mica_graph_status(graph), MICA_E_INVALID);
        ck_assert_msg(strstr(mica_last_error(), wrong[i].word), "%s", mica_last_error());
        mica_graph_destroy(&graph);
        OK(mica_graph_create(&graph));
    }
    mica_value *ids = mica_input(graph, "ids", MICA_I32, MICA_SHAPE(2, 3));
    ck_assert_ptr_null(mica_rnn_layer(ids, "net", 4, NULL).outputs);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "classes"));
    mica_graph_destroy(&graph);
    OK(mica_graph_create(&graph));
    ids = mica_input(graph, "ids", MICA_I32, MICA_SHAPE(2, 3));
    mica_recurrent_layer_options many = {.classes = INT64_MAX};
    ck_assert_ptr_null(mica_rnn_layer(ids, "net", 4, &many).outputs);
    ck_assert_int_eq(mica_graph_status(graph), MICA_E_INVALID);
}
END_TEST

START_TEST(layers_of_class_numbers_and_dropout_train) {
    mica_value *ids = mica_input(graph, "ids", MICA_I32, MICA_SHAPE(4, 6));
    mica_value *labels = mica_input(graph, "labels", MICA_I32, MICA_SHAPE(4, 6));
    mica_recurrent y = mica_lstm_layer(mica_embedding_layer(ids, "table", 5, 7, NULL), "first", 16,
        &(mica_recurrent_layer_options){.layers = 2, .keep_prob = 0.9f, .bidirectional = true});
    ck_assert_int_eq(mica_value_shape(y.outputs).dim[2], 32);
    ck_assert_int_eq(mica_value_shape(y.h).dim[0], 4);
    mica_value *more = mica_gru_layer(
        ids, "second", 8, &(mica_recurrent_layer_options){.classes = 5, .reset_first = true})
                           .outputs;
    mica_value *both[] = {y.outputs, more};
    mica_value *weight = mica_parameter(
        graph, "out", MICA_SHAPE(40, 5), (mica_init){MICA_INIT_GLOROT_UNIFORM, 0, 40, 5});
    mica_value *loss = mica_mean(
        mica_softmax_cross_entropy(mica_matmul(mica_concat(both, 2, 2), weight, NULL), labels),
        NULL, 0, false);
    mica_model *model = NULL;
    mica_program *program = NULL;
    OK(mica_model_create(graph, device, 1, &model));
    OK(mica_program_create(model,
        &(mica_program_options){.loss = loss,
            .optimizer = &(mica_optimizer){.kind = MICA_ADAM, .learning_rate = 0.02f},
            .training = true},
        &program));
    int32_t data[24];
    for (int i = 0; i < 24; i++)
        data[i] = i * i % 5;
    OK(mica_program_write(program, ids, data, sizeof data));
    OK(mica_program_write(program, labels, data, sizeof data));
    float first = 0, last = 0;
    for (int i = 0; i < 60; i++) {
        OK(mica_program_run(program));
        OK(mica_program_read(program, loss, i ? &last : &first, sizeof first));
    }
    ck_assert_float_gt(first, 1);
    ck_assert_float_lt(last, 0.1f);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

int main(int argc, char **argv) {
    if (argc != 2)
        return 1;
    device_name = argv[1];
    mica_device *probe = NULL;
    if (mica_device_open(device_name, &probe) != MICA_OK) {
        fprintf(stderr, "%s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&probe);
    Suite *suite = suite_create("recurrent");
    TCase *tcase = tcase_create("recurrent");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, as_pytorch, 0, (int)COUNT(goldens));
    tcase_add_test(tcase, a_frozen_parameter_carries_the_state);
    tcase_add_test(tcase, wrong_layers_are_refused);
    tcase_add_test(tcase, layers_of_class_numbers_and_dropout_train);
    suite_add_tcase(suite, tcase);
    TCase *state = tcase_create("state");
    tcase_set_timeout(state, 240);
    tcase_add_checked_fixture(state, setup, teardown);
    tcase_add_test(state, a_stateful_layer_goes_on_where_it_stopped);
    suite_add_tcase(suite, state);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
