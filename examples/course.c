/* The ideas of docs/course.md, each as a few calls of the library: `course IDEA [DEVICE]`. */
#include <mica/mica.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mica_device *device;
static mica_graph *graph;

static void check(mica_status status) {
    if (status == MICA_OK)
        return;
    fprintf(stderr, "course: %s\n", mica_last_error());
    exit(status == MICA_E_INVALID || status == MICA_E_NOT_FOUND ? 2 : 1);
}

/* Computes a value and prints it, a row a line. Labels, if there are any, are 0, 2, 1. */
static void show(const char *title, mica_value *value, mica_value *labels, bool training) {
    mica_model *model;
    mica_program *program;
    float data[64];
    check(mica_model_create(graph, device, 1, &model));
    check(mica_program_create(model,
        &(mica_program_options){.outputs = &value, .n_outputs = 1, .training = training},
        &program));
    if (labels)
        check(mica_program_write(program, labels, (const int32_t[]){0, 2, 1}, 3 * sizeof(int32_t)));
    mica_shape shape = mica_value_shape(value);
    size_t count = (size_t)mica_shape_count(shape);
    size_t row = shape.rank ? (size_t)shape.dim[shape.rank - 1] : 1;
    check(mica_program_run(program));
    check(mica_program_read(program, value, data, count * sizeof *data));
    for (size_t i = 0; i < count; i++)
        printf("%s%.3f%s", i % row ? " " : i ? "" : title, data[i], (i + 1) % row ? "" : "\n");
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}

static mica_value *row(const char *name, int64_t count, const float *data) {
    return mica_constant(graph, name, MICA_SHAPE(count), data);
}

static const float five[] = {-2, -1, 0, 1, 2};

static void softmax(void) {
    show("", mica_softmax(row("scores", 7, (const float[]){1, 2, 3, 4, 1, 2, 3})), NULL, false);
}

static void one_hot(void) {
    mica_value *labels = mica_input(graph, "labels", MICA_I32, MICA_SHAPE(3));
    show("", mica_one_hot(labels, 3), labels, false);
}

static void relu(void) {
    show("", mica_relu(row("x", 5, five)), NULL, false);
}

/* The derivative of the sum of f(x) by x is f'(x), element by element. */
static void slope(const char *title, mica_value *x, mica_value *y) {
    mica_value *derivative;
    check(mica_gradients(mica_sum(y, NULL, 0, false), &x, 1, &derivative));
    show(title, derivative, NULL, false);
}

static void sigmoid(void) {
    mica_value *x = row("x", 5, (const float[]){-6, -2, 0, 2, 6}), *y = mica_sigmoid(x);
    show("sigmoid    ", y, NULL, false);
    slope("derivative ", x, y);
}

static void backprop(void) {
    mica_value *x = row("x", 1, (const float[]){2}), *y = row("y", 1, (const float[]){3});
    mica_value *f = mica_add(mica_mul(x, y), x); /* x has two consumers */
    slope("df/dx ", x, f);
    slope("df/dy ", y, f);
}

static void cross_entropy(void) {
    mica_value *scores = mica_constant(
        graph, "scores", MICA_SHAPE(3, 3), (const float[]){2, 1, 0, 2, 1, 0, 2, 1, 0});
    mica_value *labels = mica_input(graph, "labels", MICA_I32, MICA_SHAPE(3));
    show("", mica_softmax_cross_entropy(scores, labels), labels, false);
}

static void l2(void) {
    mica_value *w = row("w", 3, (const float[]){1, 2, 3}), *penalty = mica_l2_penalty(w, 0.1f);
    show("penalty  ", penalty, NULL, false);
    slope("gradient ", w, penalty);
}

static void dropout(void) {
    mica_value *ones = mica_full(graph, MICA_SHAPE(10), 1);
    mica_value *kept = mica_dropout(ones, 0.5f);
    show("training   ", kept, NULL, true);
    show("evaluating ", kept, NULL, false);
}

/* (w - 3)^2 from w = 0, the learning rate 0.1. */
static void sgd(void) {
    mica_value *w = mica_parameter(graph, "w", MICA_SHAPE(1), (mica_init){0});
    mica_value *loss =
        mica_sum(mica_square(mica_sub(w, row("three", 1, (const float[]){3}))), NULL, 0, false);
    mica_model *model;
    mica_program *step;
    check(mica_model_create(graph, device, 1, &model));
    check(mica_program_create(model,
        &(mica_program_options){
            .loss = loss, .optimizer = &(mica_optimizer){.learning_rate = 0.1f}},
        &step));
    for (int i = 0; i < 6; i++) {
        float at;
        check(mica_program_run(step));
        check(mica_model_read(model, w, &at, 1));
        printf("%sw = %.3f", i ? ", " : "", at);
    }
    printf("\n");
    mica_program_destroy(&step);
    mica_model_destroy(&model);
}

/* ---- images ---- */

/* An image of one channel, and a filter from one channel to one. */
static mica_value *image(const char *name, int64_t height, int64_t width, const float *data) {
    return mica_constant(graph, name, MICA_SHAPE(1, height, width, 1), data);
}

static mica_value *ones(int64_t height, int64_t width) {
    return mica_full(graph, MICA_SHAPE(height, width, 1, 1), 1);
}

/* Shows an image a row of pixels a line. */
static void show_image(const char *title, mica_value *x) {
    mica_shape shape = mica_value_shape(x);
    show(title, mica_reshape(x, 2, &shape.dim[1]), NULL, false);
}

static void convolution(void) {
    mica_value *x = image("x", 3, 5, (const float[]){0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1});
    mica_value *edge = mica_constant(graph, "edge", MICA_SHAPE(1, 2, 1, 1), (const float[]){-1, 1});
    show_image("", mica_conv2d(x, edge, NULL));
}

static void max_pool(void) {
    mica_value *x =
        image("x", 4, 4, (const float[]){1, 0, 2, 3, 4, 6, 6, 8, 3, 1, 1, 0, 1, 2, 2, 4});
    const mica_pool_options two = {.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}};
    show_image("", mica_max_pool(x, &two));
}

/* A row of ones, made twice as long in five ways. */
static void upsampling(void) {
    mica_value *row = mica_full(graph, MICA_SHAPE(1, 1, 5, 1), 1);
    const mica_conv2d_options twice = {.strides = {1, 1, 2, 1}};
    show_image("transposed, 3 wide      ", mica_conv2d_transpose(row, ones(1, 3), &twice));
    show_image("transposed, 4 wide      ", mica_conv2d_transpose(row, ones(1, 4), &twice));
    mica_value *wide = mica_resize(row, 1, 10, MICA_NEAREST, MICA_HALF_PIXEL);
    const mica_conv2d_options same = {.padding = MICA_SAME};
    show_image("resized, then convolved ", mica_conv2d(wide, ones(1, 3), &same));
    const int64_t border[] = {0, 0, 1, 0};
    mica_value *padded = mica_pad(wide, border, border, MICA_PAD_REFLECT, 0);
    show_image("padded before that      ", mica_conv2d(padded, ones(1, 3), NULL));
}

static void batch_norm(void) {
    const float data[] = {1, 10, 2, 20, 3, 30};
    mica_value *x = mica_constant(graph, "x", MICA_SHAPE(3, 2), data);
    mica_value *y = mica_batch_norm_layer(x, "norm", NULL);
    show("training\n", y, NULL, true);
    show("evaluating\n", y, NULL, false);
}

static void reparameterization(void) {
    mica_value *mean = mica_full(graph, MICA_SHAPE(1, 8), 5);
    mica_value *log_variance = mica_full(graph, MICA_SHAPE(1, 8), -2);
    show("sample ", mica_gaussian_sample(mean, log_variance), NULL, false);
}

/* The numbers 1 to 12 as 2 sequences, in windows of 3. */
static void batches(void) {
    int32_t numbers[12], batch[2][3];
    for (int i = 0; i < 12; i++)
        numbers[i] = i + 1;
    for (int64_t b = 0; b < mica_sequence_batches(12, 2, 3); b++) {
        check(mica_sequence_batch(numbers, 12, 2, 3, b, batch[0]));
        printf("[[%d,%d,%d],[%d,%d,%d]]\n", batch[0][0], batch[0][1], batch[0][2], batch[1][0],
            batch[1][1], batch[1][2]);
    }
}

static void kl(void) {
    mica_value *mean =
        mica_constant(graph, "mean", MICA_SHAPE(3, 2), (const float[]){0, 0, 1, 0, 0, 0});
    mica_value *log_variance =
        mica_constant(graph, "log_variance", MICA_SHAPE(3, 2), (const float[]){0, 0, 0, 0, -2, 0});
    show("", mica_kl_divergence(mean, log_variance), NULL, false);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } ideas[] = {{"softmax", softmax}, {"one-hot", one_hot}, {"cross-entropy", cross_entropy},
        {"relu", relu}, {"sigmoid", sigmoid}, {"backprop", backprop}, {"sgd", sgd}, {"l2", l2},
        {"dropout", dropout}, {"convolution", convolution}, {"max-pool", max_pool},
        {"batch-norm", batch_norm}, {"upsampling", upsampling},
        {"reparameterization", reparameterization}, {"kl", kl}, {"batches", batches}};
    for (size_t i = 0; argc > 1 && i < sizeof ideas / sizeof *ideas; i++) {
        if (strcmp(argv[1], ideas[i].name) != 0)
            continue;
        check(mica_device_open(argc > 2 ? argv[2] : NULL, &device));
        check(mica_graph_create(&graph));
        ideas[i].run();
        mica_graph_destroy(&graph);
        mica_device_destroy(&device);
        return 0;
    }
    fprintf(stderr, "usage: course IDEA [DEVICE], where IDEA is one of:");
    for (size_t i = 0; i < sizeof ideas / sizeof *ideas; i++)
        fprintf(stderr, " %s", ideas[i].name);
    fprintf(stderr, "\n");
    return 2;
}
