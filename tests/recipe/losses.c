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

static void by_distances(const double *x, int n, int label, int row, expected *e) {
    for (int i = 0; i < n; i++)
        e->loss[row] += fabs(x[i] - target(n, label, i)) / n;
    e->prediction[row] = n == 1 ? x[0] > 0.5 : largest(x, n);
}

/* The numbers are no probabilities, so a sigmoid makes them some, as floats. */
static void by_probabilities(const double *x, int n, int label, int row, expected *e) {
    by_sigmoid(x, n, label, row, e);
    e->loss[row] = 0;
    for (int i = 0; i < n; i++) {
        double t = target(n, label, i), p = (double)(float)sigmoid(x[i]);
        e->loss[row] -= (t * fmax(log(p), -100) + (1 - t) * fmax(log(1 - p), -100)) / n;
    }
}

static void by_smooth_softmax(const double *x, int n, int label, int row, expected *e) {
    double loss = 0;
    for (int i = 0; i < n; i++) {
        by_softmax(x, n, i, row, e);
        loss += e->loss[row] * (0.8 * (i == label) + 0.2 / n);
    }
    e->loss[row] = loss;
}

static void by_sum_of_squares(const double *x, int n, int label, int row, expected *e) {
    by_squares(x, n, label, row, e);
    e->loss[row] *= n;
}

static const struct {
    const char *kind; /* and more keys */
    int units;
    void (*reference)(const double *x, int n, int label, int row, expected *e);
} cases[] = {
    {"softmax_cross_entropy", 3, by_softmax},
    {"softmax_cross_entropy", 2, by_softmax},
    {"sigmoid_cross_entropy", 3, by_sigmoid},
    {"sigmoid_cross_entropy", 1, by_sigmoid},
    {"mean_squared_error", 3, by_squares},
    {"mean_squared_error", 1, by_squares},
    {"mean_absolute_error", 3, by_distances},
    {"mean_absolute_error", 1, by_distances},
    {"binary_cross_entropy", 3, by_probabilities},
    {"binary_cross_entropy", 1, by_probabilities},
    {"softmax_cross_entropy, label_smoothing: 0.2", 3, by_smooth_softmax},
    {"mean_squared_error, reduce: sum", 3, by_sum_of_squares},
};

static void close_to(double got, double wanted) {
    ck_assert_msg(
        fabs(got - wanted) <= 1e-5 * (1 + fabs(wanted)), "got %g, wanted %g", got, wanted);
}

static mica_network *build(const char *kind, int units, mica_recipe **recipe) {
    char text[256], path[] = "/tmp/mica-losses-XXXXXX";
    snprintf(text, sizeof text,
        "name: n\ninput: [%d]\nlayers:\n  - {type: %s}\nloss: {kind: %s, weight: 0.5}\n", units,
        strstr(kind, "binary") ? "sigmoid" : "scale, factor: 1", kind);
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
    ck_assert(!h->probability == !strncmp(cases[_i].kind, "mean_", 5));
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

/* ---- losses without one label a sample ---- */

enum { SIZE = 6 };

/* What the data of a recipe would give as targets, of 4 bytes each. */
typedef struct target_data {
    mica_shape shape; /* of one */
    mica_dtype dtype;
    const void *data;
} target_data;

/* Runs the network of a recipe on `x` and reads a value of each sample. */
static void run_recipe(const char *layers, const char *loss, const float *x,
    const target_data *targets, mica_value *(*wanted)(const mica_network *network), float *got,
    size_t count) {
    char text[512], path[] = "/tmp/mica-losses-XXXXXX";
    snprintf(text, sizeof text, "name: n\ninput: [1, 3, 2]\nlayers:\n%sloss: %s\n", layers, loss);
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
    ck_assert_int_eq(mica_file_replace(path, text, strlen(text)), MICA_OK);
    mica_recipe *recipe = NULL;
    mica_network *network = NULL;
    mica_device *device = NULL;
    mica_model *model = NULL;
    mica_program *program = NULL;
    ck_assert_msg(mica_recipe_load(path, NULL, 0, &recipe) == MICA_OK, "%s", mica_last_error());
    if (targets) {
        recipe->data.target = targets->shape;
        recipe->data.target_dtype = targets->dtype;
    }
    ck_assert_msg(mica_recipe_build(recipe, BATCH, &network) == MICA_OK, "%s", mica_last_error());
    unlink(path);
    ck_assert_int_eq(!network->label, !targets);
    ck_assert_int_eq(mica_device_open(device_name, &device), MICA_OK);
    ck_assert_int_eq(mica_model_create(network->graph, device, 1, &model), MICA_OK);
    mica_value *output = wanted(network);
    mica_program_options options = {.loss = network->loss, .outputs = &output, .n_outputs = 1};
    ck_assert_msg(
        mica_program_create(model, &options, &program) == MICA_OK, "%s", mica_last_error());
    ck_assert_int_eq(
        mica_program_write(program, network->input, x, BATCH * SIZE * sizeof *x), MICA_OK);
    if (targets)
        ck_assert_int_eq(mica_program_write(program, network->label, targets->data,
                             BATCH * (size_t)mica_shape_count(targets->shape) * 4),
            MICA_OK);
    ck_assert_int_eq(mica_program_run(program), MICA_OK);
    ck_assert_int_eq(mica_program_read(program, output, got, count * sizeof *got), MICA_OK);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    mica_device_destroy(&device);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
}

static mica_value *sample_loss(const mica_network *network) {
    return network->heads[0].sample_loss;
}

static mica_value *error(const mica_network *network) {
    return network->heads[0].reconstruction_error;
}

static mica_value *reconstruction(const mica_network *network) {
    return network->heads[0].reconstruction;
}

/* The target is the input, of another rank than what is judged, and without the noise. */
START_TEST(of_input) {
    static const char layers[] = "  - {type: noise, deviation: 10}\n"
                                 "  - {type: scale, factor: 0}\n  - {type: flatten}\n";
    static const struct {
        const char *kind;
        double constant; /* what the layers' zeros become */
    } kinds[] = {
        {"sigmoid_cross_entropy", 0.5},
        {"mean_squared_error", 0},
        {"mean_absolute_error", 0},
    };
    float x[BATCH * SIZE], got[BATCH * SIZE];
    for (int i = 0; i < BATCH * SIZE; i++)
        x[i] = (float)i / 32;
    char loss[96];
    bool sum = _i % 2;
    const char *kind = kinds[_i / 2].kind;
    double constant = kinds[_i / 2].constant;
    snprintf(
        loss, sizeof loss, "{kind: %s, target: input, reduce: %s}", kind, sum ? "sum" : "mean");
    run_recipe(layers, loss, x, NULL, sample_loss, got, BATCH);
    for (int row = 0; row < BATCH; row++) {
        double wanted = 0;
        for (int i = 0; i < SIZE; i++) {
            double t = (double)x[row * SIZE + i];
            wanted += *kind == 's' ? log(2) : strstr(kind, "squared") ? t * t : fabs(t);
        }
        close_to((double)got[row], sum ? wanted : wanted / SIZE);
    }
    run_recipe(layers, loss, x, NULL, error, got, BATCH);
    for (int row = 0; row < BATCH; row++) {
        double wanted = 0;
        for (int i = 0; i < SIZE; i++)
            wanted += pow((double)x[row * SIZE + i] - constant, 2) / SIZE;
        close_to((double)got[row], wanted);
    }
    run_recipe(layers, loss, x, NULL, reconstruction, got, BATCH * SIZE);
    for (int i = 0; i < BATCH * SIZE; i++)
        close_to((double)got[i], constant);
}
END_TEST

START_TEST(divergence) {
    float x[BATCH * SIZE], got[BATCH];
    for (int i = 0; i < BATCH * SIZE; i++)
        x[i] = (float)(i % 5) / 2 - 1;
    run_recipe("  - {type: flatten, name: mean}\n  - {type: scale, name: spread, factor: 0.5}\n",
        "{kind: kl_divergence, from: [mean, spread]}", x, NULL, sample_loss, got, BATCH);
    for (int row = 0; row < BATCH; row++) {
        double wanted = 0;
        for (int i = 0; i < SIZE; i++) {
            double mean = (double)x[row * SIZE + i], spread = mean / 2;
            wanted -= 0.5 * (1 + spread - mean * mean - exp(spread));
        }
        close_to((double)got[row], wanted);
    }
}
END_TEST

/* The first of two scores, each a sum of three numbers, is to be above the second. */
START_TEST(comparison) {
    float x[BATCH * SIZE], got[BATCH];
    for (int i = 0; i < BATCH * SIZE; i++)
        x[i] = (float)(i * 7 % 11 - 5) * (i < SIZE ? 20.0f : 0.5f);
    run_recipe("  - {type: reshape, shape: [2, 3]}\n  - {type: sum}\n", "bpr", x, NULL, sample_loss,
        got, BATCH);
    for (int row = 0; row < BATCH; row++) {
        const float *r = x + row * SIZE;
        double lead = (double)(r[3] + r[4] + r[5]) - (double)(r[0] + r[1] + r[2]);
        close_to((double)got[row], fmax(lead, 0) + log1p(exp(-fabs(lead))));
    }
}
END_TEST

/* Two steps of three classes each; a sample's loss is the mean over its steps. */
START_TEST(of_sequences) {
    static const int32_t steps[BATCH][2] = {{2, 0}, {1, 1}, {0, 2}, {2, 1}};
    const target_data targets = {MICA_SHAPE(2), MICA_I32, steps};
    float x[BATCH][2][3], got[BATCH];
    for (int row = 0; row < BATCH; row++)
        for (int t = 0; t < 2; t++)
            memcpy(x[row][t], logits[(row + t) % BATCH], sizeof x[row][t]);
    run_recipe("  - {type: reshape, shape: [2, 3]}\n", "softmax_cross_entropy", x[0][0], &targets,
        sample_loss, got, BATCH);
    for (int row = 0; row < BATCH; row++) {
        expected e = {{0}, {{0}}, {0}};
        double loss = 0;
        for (int t = 0; t < 2; t++) {
            const double values[] = {
                (double)x[row][t][0], (double)x[row][t][1], (double)x[row][t][2]};
            by_softmax(values, 3, steps[row][t], row, &e);
            loss += e.loss[row] / 2;
        }
        close_to((double)got[row], loss);
    }
}
END_TEST

static mica_value *number(const mica_network *network) {
    return network->heads[0].number;
}

START_TEST(of_numbers) {
    float x[BATCH * SIZE], wanted[BATCH * SIZE], got[BATCH * SIZE];
    const target_data targets = {MICA_SHAPE(2, 3), MICA_F32, wanted};
    for (int i = 0; i < BATCH * SIZE; i++) {
        x[i] = (float)i / 16;
        wanted[i] = (float)(i % 7) / 4;
    }
    const char *const kinds[] = {"mean_squared_error", "mean_absolute_error"};
    run_recipe("  - {type: flatten}\n", kinds[_i], x, &targets, sample_loss, got, BATCH);
    for (int row = 0; row < BATCH; row++) {
        double loss = 0;
        for (int i = row * SIZE; i < (row + 1) * SIZE; i++) {
            double error = (double)x[i] - (double)wanted[i];
            loss += (_i ? fabs(error) : error * error) / SIZE;
        }
        close_to((double)got[row], loss);
    }
    run_recipe("  - {type: flatten}\n", kinds[_i], x, &targets, number, got, BATCH * SIZE);
    ck_assert_mem_eq(got, x, sizeof x);
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
    tcase_add_loop_test(heads, of_input, 0, 6);
    tcase_add_test(heads, divergence);
    tcase_add_test(heads, comparison);
    tcase_add_test(heads, of_sequences);
    tcase_add_loop_test(heads, of_numbers, 0, 2);
    tcase_set_timeout(heads, 300);
    suite_add_tcase(suite, heads);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers keep threads, which a fork loses */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
