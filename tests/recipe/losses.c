/* The heads of a network on a device: each loss, prediction and probability against its formula.
 * Usage: losses DEVICE; exit code 77 where there is no such device. */
#include "base/file.h"
#include "recipe/recipe.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 4, UNITS_MAX = 3 };

static const char *device_name;
static const float logits[BATCH][UNITS_MAX] = {
    {1, 2, 3}, {-4, 0.25f, 0.125f}, {30, -30, 0.75f}, {-0.5f, -0.25f, -0.125f}};
static const int32_t labels[2][BATCH] = {{2, 0, 1, 2}, {1, 0, 0, 1}}; /* 3 classes; 2 classes */

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

typedef struct expected {
    double loss[BATCH], probability[BATCH][UNITS_MAX];
    int prediction[BATCH];
} expected;

static int largest(const double *x, int n) {
    int place = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[place])
            place = i;
    return place;
}

static void by_softmax(const double *x, int n, int label, int row, expected *e) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp(x[i] - x[largest(x, n)]);
    for (int i = 0; i < n; i++)
        e->probability[row][i] = exp(x[i] - x[largest(x, n)]) / sum;
    e->loss[row] = log(sum) + x[largest(x, n)] - x[label];
    e->prediction[row] = largest(x, n);
}

static double target(int n, int label, int unit) {
    return n == 1 ? label : label == unit;
}

static void by_sigmoid(const double *x, int n, int label, int row, expected *e) {
    for (int i = 0; i < n; i++) {
        double t = target(n, label, i);
        e->loss[row] += (fmax(x[i], 0) - x[i] * t + log1p(exp(-fabs(x[i])))) / n;
        e->probability[row][i] = sigmoid(x[i]);
    }
    e->prediction[row] = n == 1 ? x[0] > 0 : largest(x, n);
    if (n == 1) {
        e->probability[row][1] = sigmoid(x[0]);
        e->probability[row][0] = sigmoid(-x[0]);
    }
}

static void by_squares(const double *x, int n, int label, int row, expected *e) {
    for (int i = 0; i < n; i++) {
        double difference = x[i] - target(n, label, i);
        e->loss[row] += difference * difference / n;
    }
    e->prediction[row] = n == 1 ? x[0] > 0.5 : largest(x, n);
}

static const struct {
    const char *kind;
    int units;
    void (*reference)(const double *x, int n, int label, int row, expected *e);
} cases[] = {
    {"softmax_cross_entropy", 3, by_softmax},
    {"softmax_cross_entropy", 2, by_softmax},
    {"sigmoid_cross_entropy", 3, by_sigmoid},
    {"sigmoid_cross_entropy", 1, by_sigmoid},
    {"mean_squared_error", 3, by_squares},
    {"mean_squared_error", 1, by_squares},
};

static void close_to(double got, double wanted) {
    ck_assert_msg(
        fabs(got - wanted) <= 1e-5 * (1 + fabs(wanted)), "got %g, wanted %g", got, wanted);
}

static mica_network *build(const char *kind, int units, mica_recipe **recipe) {
    char text[256], path[] = "/tmp/mica-losses-XXXXXX";
    snprintf(text, sizeof text,
        "name: n\ninput: [%d]\nlayers:\n  - {type: scale, factor: 1}\n"
        "loss: {kind: %s, weight: 0.5}\n",
        units, kind);
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
    ck_assert_int_eq(mica_file_replace(path, text, strlen(text)), MICA_OK);
    mica_network *network = NULL;
    ck_assert_int_eq(mica_recipe_load(path, NULL, 0, recipe), MICA_OK);
    ck_assert_int_eq(mica_recipe_build(*recipe, BATCH, &network), MICA_OK);
    unlink(path);
    return network;
}

START_TEST(head) {
    int units = cases[_i].units, columns = units == 1 ? 2 : units;
    const int32_t *label = labels[units < 3];
    float x[BATCH * UNITS_MAX];
    expected e = {{0}, {{0}}, {0}};
    double mean = 0;
    for (int row = 0; row < BATCH; row++) {
        double values[UNITS_MAX];
        for (int i = 0; i < units; i++) {
            x[row * units + i] = logits[row][i];
            values[i] = (double)logits[row][i];
        }
        cases[_i].reference(values, units, label[row], row, &e);
        mean += e.loss[row] / BATCH;
    }

    mica_recipe *recipe = NULL;
    mica_network *network = build(cases[_i].kind, units, &recipe);
    const mica_network_head *h = network->heads;
    mica_device *device = NULL;
    mica_model *model = NULL;
    mica_program *program = NULL;
    ck_assert_int_eq(mica_device_open(device_name, &device), MICA_OK);
    ck_assert_int_eq(mica_model_create(network->graph, device, 1, &model), MICA_OK);
    mica_value *outputs[] = {network->loss, h->sample_loss, h->prediction, h->probability};
    mica_program_options options = {.outputs = outputs, .n_outputs = h->probability ? 4 : 3};
    ck_assert_msg(
        mica_program_create(model, &options, &program) == MICA_OK, "%s", mica_last_error());
    size_t floats = (size_t)(BATCH * units) * sizeof *x;
    ck_assert_int_eq(mica_program_write(program, network->input, x, floats), MICA_OK);
    ck_assert_int_eq(
        mica_program_write(program, network->label, label, BATCH * sizeof *label), MICA_OK);
    ck_assert_int_eq(mica_program_run(program), MICA_OK);

    float loss, sample_loss[BATCH], probability[BATCH * UNITS_MAX];
    int32_t prediction[BATCH];
    ck_assert_int_eq(mica_program_read(program, network->loss, &loss, sizeof loss), MICA_OK);
    ck_assert_int_eq(
        mica_program_read(program, h->sample_loss, sample_loss, sizeof sample_loss), MICA_OK);
    ck_assert_int_eq(
        mica_program_read(program, h->prediction, prediction, sizeof prediction), MICA_OK);
    close_to((double)loss, 0.5 * mean);
    for (int row = 0; row < BATCH; row++) {
        close_to((double)sample_loss[row], e.loss[row]);
        ck_assert_int_eq(prediction[row], e.prediction[row]);
    }
    ck_assert(!h->probability == !strcmp(cases[_i].kind, "mean_squared_error"));
    if (h->probability) {
        size_t size = (size_t)(BATCH * columns) * sizeof *probability;
        ck_assert_int_eq(mica_program_read(program, h->probability, probability, size), MICA_OK);
        for (int i = 0; i < BATCH * columns; i++)
            close_to((double)probability[i], e.probability[i / columns][i % columns]);
    }
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    mica_device_destroy(&device);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}
END_TEST

int main(int argc, char **argv) {
    device_name = argc > 1 ? argv[1] : "auto";
    mica_device *device = NULL;
    if (mica_device_open(device_name, &device) != MICA_OK) {
        fprintf(stderr, "%s\n", mica_last_error());
        return 77;
    }
    mica_device_destroy(&device);
    Suite *suite = suite_create("recipe losses");
    TCase *heads = tcase_create("heads");
    tcase_add_loop_test(heads, head, 0, (int)(sizeof cases / sizeof *cases));
    tcase_set_timeout(heads, 120);
    suite_add_tcase(suite, heads);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers keep threads, which a fork loses */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
