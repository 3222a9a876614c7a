/* Batch normalization in whole programs, on a device (named by the first argument): its running
 * statistics while training, which no table of cases reaches, against PyTorch's. */
#include "tests/golden/norm.h"

#include <check.h>
#include <mica/nn.h>
#include <stdio.h>
#include <string.h>

#define STEPS    3
#define CHANNELS 5
#define COUNT    (2 * 2 * 3 * CHANNELS)

static const char *device_name;
static mica_device *device;
static mica_graph *graph;
static mica_value *x, *target, *y, *loss;
static mica_model *model;

#define OK(call) ck_assert_msg((call) == MICA_OK, "%s", mica_last_error())

static void setup(void) {
    ck_assert_int_eq(mica_device_open(device_name, &device), MICA_OK);
    ck_assert_int_eq(mica_graph_create(&graph), MICA_OK);
}

static void teardown(void) {
    mica_model_destroy(&model);
    mica_graph_destroy(&graph);
    mica_device_destroy(&device);
}

/* The loss is the mean of (batch_norm(x) - target)^2. */
static void build(bool frozen) {
    x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(2, 2, 3, CHANNELS));
    target = mica_input(graph, "target", MICA_F32, MICA_SHAPE(2, 2, 3, CHANNELS));
    mica_batch_norm_options options = {.epsilon = 1e-3f, .momentum = 0.8f, .frozen = frozen};
    /* A layer before it, so that something can be trained where it is frozen. */
    mica_value *scale = mica_parameter(
        graph, "scale", MICA_SHAPE(CHANNELS), (mica_init){MICA_INIT_CONSTANT, .value = 1});
    mica_parameter_freeze(scale, !frozen);
    y = mica_batch_norm_layer(mica_mul(x, scale), "bn", &options);
    loss = mica_mean_squared_error(y, target);
    OK(mica_graph_status(graph));
    OK(mica_model_create(graph, device, 1, &model));
}

static mica_program *make_program(bool training) {
    mica_program *program = NULL;
    mica_optimizer sgd = {.learning_rate = 0.5f};
    OK(mica_program_create(model,
        &(mica_program_options){.loss = loss,
            .optimizer = training ? &sgd : NULL,
            .training = training,
            .outputs = &y,
            .n_outputs = 1},
        &program));
    return program;
}

static void write_input(
    mica_program *program, const mica_value *input, const double *numbers, int step) {
    float data[COUNT];
    for (int i = 0; i < COUNT; i++)
        data[i] = (float)numbers[step * COUNT + i];
    OK(mica_program_write(program, input, data, sizeof data));
}

static void run(mica_program *program, int step) {
    write_input(program, x, golden_norm_x, step);
    write_input(program, target, golden_norm_target, step);
    OK(mica_program_run(program));
}

static void check_parameter(const char *name, const double *expected) {
    for (size_t i = 0; i < mica_graph_count(graph); i++) {
        mica_value *parameter = mica_graph_parameter(graph, i);
        if (strcmp(mica_value_name(parameter), name) != 0)
            continue;
        float data[CHANNELS];
        OK(mica_model_read(model, parameter, data, CHANNELS));
        for (int k = 0; k < CHANNELS; k++)
            ck_assert_float_eq_tol(data[k], (float)expected[k], 2e-6f);
        return;
    }
    ck_abort_msg("there is no parameter %s", name);
}

START_TEST(training_and_evaluation_match_pytorch) {
    build(false);
    mica_program *train = make_program(true), *evaluate = make_program(false);
    for (int step = 0; step < STEPS; step++) {
        run(train, step);
        check_parameter("bn/running_mean", golden_norm_running_mean + step * CHANNELS);
        check_parameter("bn/running_var", golden_norm_running_var + step * CHANNELS);
        check_parameter("bn/weight", golden_norm_weight + step * CHANNELS);
        check_parameter("bn/bias", golden_norm_bias + step * CHANNELS);
    }
    float data[COUNT];
    run(evaluate, STEPS - 1);
    OK(mica_program_read(evaluate, y, data, sizeof data));
    for (int i = 0; i < COUNT; i++)
        ck_assert_float_eq_tol(data[i], (float)golden_norm_y[i], 5e-6f);
    check_parameter("bn/running_mean", golden_norm_running_mean + (STEPS - 1) * CHANNELS);
    mica_program_destroy(&train);
    mica_program_destroy(&evaluate);
}
END_TEST

START_TEST(a_frozen_layer_stays_as_it_is) {
    static const double zeros[CHANNELS] = {0}, ones[CHANNELS] = {1, 1, 1, 1, 1};
    build(true);
    mica_program *train = make_program(true), *evaluate = make_program(false);
    float trained[COUNT], evaluated[COUNT];
    run(evaluate, 0);
    OK(mica_program_read(evaluate, y, evaluated, sizeof evaluated));
    run(train, 0);
    OK(mica_program_read(train, y, trained, sizeof trained));
    for (int i = 0; i < COUNT; i++)
        ck_assert_float_eq(trained[i], evaluated[i]);
    check_parameter("bn/running_mean", zeros);
    check_parameter("bn/running_var", ones);
    check_parameter("bn/weight", ones);
    check_parameter("bn/bias", zeros);
    mica_program_destroy(&train);
    mica_program_destroy(&evaluate);
}
END_TEST

int main(int argc, char **argv) {
    device_name = argc > 1 ? argv[1] : "auto";
    mica_device *probe;
    if (mica_device_open(device_name, &probe) != MICA_OK) {
        printf("skipped: %s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&probe);
    Suite *suite = suite_create("batch_norm");
    TCase *tests = tcase_create("batch_norm");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, training_and_evaluation_match_pytorch);
    tcase_add_test(tests, a_frozen_layer_stays_as_it_is);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
