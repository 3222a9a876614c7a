/* RNN, LSTM and GRU nodes against onnxruntime's numbers, with weights that are stored, which are
 * arranged at load, and with weights that are inputs.
 *
 *     recurrent DEVICE */
#include "tests/io/temp.h"
#include "tests/onnx/make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIME = 5, BATCH = 3, IN = 4, HIDDEN = 2 };

typedef struct recurrent_case {
    const char *op, *direction;
    bool layout, lengths, states, biases, linear_before_reset;
    const char *activations; /* separated by spaces */
    float results[3][TIME * 2 * BATCH * HIDDEN];
} recurrent_case;

#include "tests/golden/onnx_recurrent.h"

static const char *device_name;

static void fill(float *data, size_t count, size_t which) {
    for (size_t i = 0; i < count; i++)
        data[i] = (float)(((i + 100 * which) * 37 + 60) % 101) / 50 - 1;
}

/* ---- a model of one node ---- */

/* Inputs in the node's order. Those that the case has not have rank 0. */
typedef struct argument {
    const char *name;
    size_t rank;
    int64_t dim[3];
    int type;
} argument;

enum { ARGUMENTS = 7, WEIGHTS_BEGIN = 1, WEIGHTS_END = 5 };

static void arguments_of(const recurrent_case *c, argument *a) {
    const bool lstm = !strcmp(c->op, "LSTM");
    const int64_t n = strcmp(c->direction, "bidirectional") ? 1 : 2;
    const int64_t rows = HIDDEN * (lstm ? 4 : !strcmp(c->op, "GRU") ? 3 : 1);
    const int64_t first = c->layout ? BATCH : n, second = c->layout ? n : BATCH;
    const argument all[ARGUMENTS] = {
        {"X", 3, {c->layout ? BATCH : TIME, c->layout ? TIME : BATCH, IN}, MICA_ONNX_FLOAT},
        {"W", 3, {n, rows, IN}, MICA_ONNX_FLOAT},
        {"R", 3, {n, rows, HIDDEN}, MICA_ONNX_FLOAT},
        {"B", c->biases ? 2 : 0, {n, 2 * rows}, MICA_ONNX_FLOAT},
        {"sequence_lens", c->lengths, {BATCH}, MICA_ONNX_INT32},
        {"initial_h", c->states ? 3 : 0, {first, second, HIDDEN}, MICA_ONNX_FLOAT},
        {"initial_c", c->states && lstm ? 3 : 0, {first, second, HIDDEN}, MICA_ONNX_FLOAT},
    };
    memcpy(a, all, sizeof all);
}

static void text_attribute(mica_onnx_pb_node *node, const char *name, const char *text) {
    mica_onnx_pb_attribute *attribute = attribute_add(node, name, 3);
    attribute->has_s = true;
    attribute->s = (ProtobufCBinaryData){strlen(text), (uint8_t *)copy_of(text)};
}

static void data_write(const argument *a, size_t which, void *data) {
    static const int32_t lengths[BATCH] = {5, 2, 4};
    size_t count = (size_t)mica_onnx_count((int)a->rank, a->dim);
    if (a->type == MICA_ONNX_INT32)
        memcpy(data, lengths, sizeof lengths);
    else
        fill(data, count, which);
}

static pb_model *model_of(const recurrent_case *c, const argument *arguments, bool stored) {
    pb_model *model = sample();
    Mica__Onnx__Graph *graph = model->graph;
    model->opset_import[0]->version = 14;
    graph->n_node = graph->n_initializer = graph->n_input = graph->n_output = 0;
    mica_onnx_pb_node *node = node_add(model, c->op, "", "Y");
    node->n_input = 0;
    for (int i = 0; i < ARGUMENTS; i++) {
        const argument *a = &arguments[i];
        ADD(node, input, copy_of(a->rank ? a->name : ""));
        if (!a->rank)
            continue;
        if (stored && i >= WEIGHTS_BEGIN && i < WEIGHTS_END) {
            ADD(graph, initializer, tensor_of(a->name, a->type, a->rank, a->dim));
            data_write(a, (size_t)i, graph->initializer[graph->n_initializer - 1]->raw_data.data);
        } else {
            ADD(graph, input, info_of(a->name, a->type, a->rank, a->dim));
        }
    }
    static const char *const outputs[] = {"Y", "Y_h", "Y_c"};
    for (int i = 0; i < (strcmp(c->op, "LSTM") ? 2 : 3); i++) {
        if (i)
            ADD(node, output, copy_of(outputs[i]));
        ADD(graph, output, info_of(outputs[i], MICA_ONNX_FLOAT, 0, NULL));
    }
    text_attribute(node, "direction", c->direction);
    attribute_add(node, "hidden_size", 2)->i = HIDDEN;
    attribute_add(node, "layout", 2)->i = c->layout;
    if (c->linear_before_reset)
        attribute_add(node, "linear_before_reset", 2)->i = 1;
    if (*c->activations) {
        mica_onnx_pb_attribute *attribute = attribute_add(node, "activations", 8);
        for (char *word = strtok(copy_of(c->activations), " "); word; word = strtok(NULL, " ")) {
            ProtobufCBinaryData bytes = {strlen(word), (uint8_t *)word};
            ADD(attribute, strings, bytes);
        }
    }
    return model;
}

/* ---- its results ---- */

static void inputs_write(mica_program *program, const mica_onnx_network *network,
    const argument *arguments, bool stored) {
    for (int i = 0; i < ARGUMENTS; i++) {
        if (!arguments[i].rank || (stored && i >= WEIGHTS_BEGIN && i < WEIGHTS_END))
            continue;
        mica_value *input = mica_onnx_find(network, arguments[i].name);
        float data[256];
        data_write(&arguments[i], (size_t)i, data);
        size_t count = (size_t)mica_onnx_count((int)arguments[i].rank, arguments[i].dim);
        ck_ok(mica_program_write(program, input, data, count * sizeof *data));
    }
}

static void case_check(const recurrent_case *c, bool stored) {
    argument arguments[ARGUMENTS];
    arguments_of(c, arguments);
    mica_onnx *file;
    mica_graph *graph;
    mica_onnx_network *network;
    mica_device *device;
    mica_model *model;
    mica_program *program;
    ck_ok(mica_onnx_open(model_write(model_of(c, arguments, stored)), &file));
    ck_ok(mica_graph_create(&graph));
    ck_ok(mica_onnx_build(file, graph, NULL, &network));
    mica_value *outputs[3];
    size_t n = mica_onnx_output_count(network);
    for (size_t i = 0; i < n; i++)
        outputs[i] = mica_onnx_output(network, i)->value;
    ck_ok(mica_device_open(device_name, &device));
    ck_ok(mica_model_create(graph, device, 1, &model));
    ck_ok(mica_onnx_write(network, model));
    ck_ok(mica_program_create(
        model, &(mica_program_options){.outputs = outputs, .n_outputs = n}, &program));
    inputs_write(program, network, arguments, stored);
    ck_ok(mica_program_run(program));
    for (size_t i = 0; i < n; i++) {
        const mica_onnx_result *result = mica_onnx_output(network, i);
        size_t count = (size_t)mica_onnx_count(result->rank, result->dim);
        float got[TIME * 2 * BATCH * HIDDEN];
        ck_ok(mica_program_read(program, outputs[i], got, count * sizeof *got));
        for (size_t k = 0; k < count; k++)
            ck_assert_msg(fabsf(got[k] - c->results[i][k]) < 1e-5f,
                "%s %s, layout %d, %s: %s[%zu] is %g, onnxruntime has %g", c->op, c->direction,
                c->layout, stored ? "stored" : "inputs", result->name, k, (double)got[k],
                (double)c->results[i][k]);
    }
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    mica_device_destroy(&device);
    mica_onnx_network_destroy(&network);
    mica_graph_destroy(&graph);
    mica_onnx_close(&file);
}

START_TEST(as_onnxruntime) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        case_check(&cases[i], true);
        case_check(&cases[i], false);
    }
}
END_TEST

/* The model of a case with one thing that is not there is refused with the reason. */
static void refused(size_t which, const char *attribute, int type, const char *reason) {
    argument arguments[ARGUMENTS];
    arguments_of(&cases[which], arguments);
    pb_model *model = model_of(&cases[which], arguments, true);
    mica_onnx_pb_node *node = model->graph->node[0];
    if (attribute)
        attribute_add(node, attribute, type)->i = 1;
    else
        ADD(node, input, node->input[1]); /* P */
    mica_onnx *file;
    mica_graph *graph;
    mica_onnx_network *network = NULL;
    ck_ok(mica_onnx_open(model_write(model), &file));
    ck_ok(mica_graph_create(&graph));
    ck_refused(mica_onnx_build(file, graph, NULL, &network), MICA_E_UNSUPPORTED, reason);
    mica_graph_destroy(&graph);
    mica_onnx_close(&file);
}

START_TEST(what_is_not_there) {
    refused(3, "clip", 1, "clip");
    refused(3, "input_forget", 2, "coupled");
    refused(3, NULL, 0, "peepholes");
    refused(0, "gamma", 2, "gamma");
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
    Suite *suite = suite_create("onnx/recurrent");
    TCase *tests = tcase_create("recurrent");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_checked_fixture(tests, NULL, make_free);
    tcase_add_test(tests, as_onnxruntime);
    tcase_add_test(tests, what_is_not_there);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
