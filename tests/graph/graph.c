/* Graphs, differentiation, models and programs on a device (named by the first argument). */
#include <check.h>
#include <math.h>
#include <mica/graph.h>
#include <mica/ops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

#define OK(call) ck_assert_msg((call) == MICA_OK, "%s", mica_last_error())

static mica_value *parameter(const char *name, mica_shape shape, float number) {
    return mica_parameter(graph, name, shape, (mica_init){MICA_INIT_CONSTANT, number, 0, 0});
}

static mica_model *make_model(uint64_t seed) {
    mica_model *model = NULL;
    OK(mica_model_create(graph, device, seed, &model));
    return model;
}

/* Runs a program for one output. */
static void evaluate(mica_model *model, mica_value *value, float *data, size_t count) {
    mica_program *program = NULL;
    OK(mica_program_create(
        model, &(mica_program_options){.outputs = &value, .n_outputs = 1}, &program));
    OK(mica_program_run(program));
    OK(mica_program_read(program, value, data, count * sizeof *data));
    mica_program_destroy(&program);
}

/* y = a * x, z = y * y + 3 y: dz/dx = a (2 y + 3), which needs both uses of y. */
START_TEST(a_value_used_twice_gets_the_sum_of_both_gradients) {
    mica_value *x = parameter("x", MICA_SHAPE(5), 0.0f);
    mica_value *y = mica_scale(x, 2.0f);
    mica_value *loss = mica_sum(mica_add(mica_mul(y, y), mica_scale(y, 3.0f)), NULL, 0, false);
    mica_value *grad = NULL;
    OK(mica_gradients(loss, &x, 1, &grad));
    mica_model *model = make_model(1);
    float in[5] = {-2, -1, 0, 1, 2.5f}, out[5];
    OK(mica_model_write(model, x, in, 5));
    evaluate(model, grad, out, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq_tol(out[i], 2 * (2 * 2 * in[i] + 3), 1e-5f);
    mica_model_destroy(&model);
}
END_TEST

START_TEST(unreachable_parameters_are_named) {
    mica_value *a = parameter("a", MICA_SHAPE(2), 1), *b = parameter("b", MICA_SHAPE(2), 1);
    mica_value *c = parameter("c", MICA_SHAPE(2), 1);
    mica_value *loss = mica_sum(mica_add(a, a), NULL, 0, false);
    mica_value *wrt[] = {a, b, c}, *grads[3];
    ck_assert_int_eq(mica_gradients(loss, wrt, 3, grads), MICA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "b, c"));
    mica_model *model = make_model(1);
    mica_program *program = NULL;
    mica_program_options options = {
        .loss = loss, .optimizer = &(mica_optimizer){.learning_rate = 1}};
    ck_assert_int_eq(mica_program_create(model, &options, &program), MICA_E_INVALID);
    ck_assert_ptr_null(program);
    mica_parameter_freeze(b, true);
    mica_parameter_freeze(c, true);
    mica_model_destroy(&model);
    model = make_model(1);
    OK(mica_program_create(model, &options, &program));
    OK(mica_program_run(program));
    float data[2];
    OK(mica_model_read(model, a, data, 2));
    ck_assert_float_eq(data[0], 1 - 2);
    OK(mica_model_read(model, b, data, 2));
    ck_assert_float_eq(data[0], 1);
    float norms[3], total;
    OK(mica_program_gradient_norms(program, norms, 3, &total));
    ck_assert_float_eq_tol(norms[0], sqrtf(8), 1e-5f);
    ck_assert_float_eq(norms[1], 0);
    ck_assert_float_eq_tol(total, sqrtf(8), 1e-5f);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

/* Values that depend on no parameter, and one whose gradient is an input or a constant itself. */
START_TEST(gradients_may_be_inputs_or_shared) {
    mica_value *a = parameter("a", MICA_SHAPE(3), 2), *b = parameter("b", MICA_SHAPE(3), 5);
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(3));
    mica_value *sum = mica_add(a, b); /* both get the same gradient */
    mica_value *loss = mica_sum(mica_mul(sum, x), NULL, 0, false);
    mica_model *model = make_model(1);
    mica_program *program = NULL;
    OK(mica_program_create(model,
        &(mica_program_options){
            .loss = loss, .optimizer = &(mica_optimizer){.learning_rate = 0.5f}},
        &program));
    float in[3] = {1, 2, 3}, data[3];
    OK(mica_program_write(program, x, in, sizeof in));
    OK(mica_program_run(program));
    OK(mica_program_run(program));
    OK(mica_model_read(model, a, data, 3));
    for (int i = 0; i < 3; i++)
        ck_assert_float_eq_tol(data[i], 2 - in[i], 1e-6f);
    OK(mica_model_read(model, b, data, 3));
    for (int i = 0; i < 3; i++)
        ck_assert_float_eq_tol(data[i], 5 - in[i], 1e-6f);
    ck_assert_uint_eq(mica_model_step(model), 2);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

/* The formulas of optim.h in double precision. */
typedef struct reference {
    double w, s1, s2;
} reference;

static void reference_step(reference *r, const mica_optimizer *o, double factor, double g,
    uint64_t step, double scale, bool decays) {
    double rate = factor * mica_learning_rate(o, step), decay = decays ? o->weight_decay : 0;
    g *= scale;
    if (o->kind == MICA_SGD) {
        g += decay * r->w;
        r->s1 = o->momentum * r->s1 + g;
        r->w -= rate * (o->nesterov ? g + o->momentum * r->s1 : r->s1);
        return;
    }
    double b1 = o->beta1 != 0 ? o->beta1 : 0.9, b2 = o->beta2 != 0 ? o->beta2 : 0.999,
           t = (double)step + 1;
    double shrink = o->kind == MICA_ADAMW ? rate * decay * r->w : 0;
    if (o->kind == MICA_ADAM)
        g += decay * r->w;
    r->s1 = b1 * r->s1 + (1 - b1) * g;
    r->s2 = b2 * r->s2 + (1 - b2) * g * g;
    r->w -= shrink + rate * (r->s1 / (1 - pow(b1, t))) /
                         (sqrt(r->s2 / (1 - pow(b2, t))) + (o->epsilon != 0 ? o->epsilon : 1e-8));
}

static const mica_optimizer optimizers[] = {
    {.learning_rate = 0.1f},
    {.learning_rate = 0.1f, .weight_decay = 0.1f, .clip_norm = 3},
    {.learning_rate = 0.1f, .momentum = 0.9f},
    {.learning_rate = 0.05f, .momentum = 0.9f, .nesterov = true, .weight_decay = 0.01f},
    {.kind = MICA_ADAM, .learning_rate = 0.1f},
    {.kind = MICA_ADAM, .learning_rate = 0.1f, .weight_decay = 0.1f, .beta1 = 0.8f, .clip_norm = 1},
    {.kind = MICA_ADAMW,
        .learning_rate = 0.1f,
        .weight_decay = 0.1f,
        .epsilon = 1e-6f,
        .schedule = {.kind = MICA_SCHEDULE_COSINE, .total = 20, .warmup = 3}},
};

/* loss = sum(x * w^2 / 2) over weights and a bias of odd sizes: g = x * w. The bias and the smaller
 * weight learn at half the rate. */
START_TEST(optimizers_match_the_double_reference) {
    const mica_optimizer *o = &optimizers[_i];
    enum { ROWS = 37, COLUMNS = 123, N = ROWS * COLUMNS, C = 35 };
    mica_value *c =
        mica_parameter(graph, "c", MICA_SHAPE(5, 7), (mica_init){MICA_INIT_UNIFORM, 0.5f, 0, 0});
    mica_parameter_rate(c, 0.5f);
    mica_value *w = mica_parameter(
        graph, "w", MICA_SHAPE(ROWS, COLUMNS), (mica_init){MICA_INIT_NORMAL, 0.7f, 0, 0});
    mica_value *b =
        mica_parameter(graph, "b", MICA_SHAPE(COLUMNS), (mica_init){MICA_INIT_UNIFORM, 0.5f, 0, 0});
    mica_parameter_rate(b, 0.5f);
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(ROWS, COLUMNS));
    mica_value *loss = mica_sum(mica_mul(x, mica_square(w)), NULL, 0, false);
    loss = mica_add(loss, mica_sum(mica_square(c), NULL, 0, false));
    loss = mica_scale(mica_add(loss, mica_sum(mica_square(b), NULL, 0, false)), 0.5f);
    mica_model *model = make_model(9);
    mica_program *program = NULL;
    OK(mica_program_create(model, &(mica_program_options){.loss = loss, .optimizer = o}, &program));
    static float in[N], weights[N], bias[COLUMNS], small[C];
    static reference rw[N], rb[COLUMNS], rc[C];
    memset(rw, 0, sizeof rw);
    memset(rb, 0, sizeof rb);
    memset(rc, 0, sizeof rc);
    for (int i = 0; i < N; i++)
        in[i] = (float)(i % 17) / 16;
    OK(mica_program_write(program, x, in, sizeof in));
    OK(mica_model_read(model, w, weights, N));
    OK(mica_model_read(model, b, bias, COLUMNS));
    OK(mica_model_read(model, c, small, C));
    for (int i = 0; i < C; i++)
        rc[i].w = small[i];
    for (int i = 0; i < N; i++)
        rw[i].w = weights[i];
    for (int i = 0; i < COLUMNS; i++)
        rb[i].w = bias[i];
    for (uint64_t step = 0; step < 25; step++) {
        double squares = 0, scale = 1;
        for (int i = 0; i < N; i++)
            squares += pow(in[i] * rw[i].w, 2);
        for (int i = 0; i < COLUMNS; i++)
            squares += pow(rb[i].w, 2);
        for (int i = 0; i < C; i++)
            squares += pow(rc[i].w, 2);
        if (o->clip_norm > 0 && sqrt(squares) > o->clip_norm)
            scale = o->clip_norm / sqrt(squares);
        OK(mica_program_run(program));
        float total;
        OK(mica_program_gradient_norms(program, NULL, 0, &total));
        ck_assert_double_eq_tol(total, sqrt(squares), 1e-4 * sqrt(squares) + 1e-5);
        for (int i = 0; i < N; i++)
            reference_step(&rw[i], o, 1, in[i] * rw[i].w, step, scale, true);
        for (int i = 0; i < COLUMNS; i++)
            reference_step(&rb[i], o, 0.5, rb[i].w, step, scale, false);
        for (int i = 0; i < C; i++)
            reference_step(&rc[i], o, 0.5, rc[i].w, step, scale, true);
    }
    OK(mica_model_read(model, w, weights, N));
    OK(mica_model_read(model, b, bias, COLUMNS));
    /* Adam divides by the root of its own history, which magnifies rounding where g is near 0. */
    double tolerance = o->kind == MICA_SGD ? 2e-5 : 2e-4;
    for (int i = 0; i < N; i++)
        ck_assert_msg(
            fabs(weights[i] - rw[i].w) < tolerance, "w[%d] is %g, not %g", i, weights[i], rw[i].w);
    for (int i = 0; i < COLUMNS; i++)
        ck_assert_double_eq_tol(bias[i], rb[i].w, tolerance);
    OK(mica_model_read(model, c, small, C));
    for (int i = 0; i < C; i++)
        ck_assert_double_eq_tol(small[i], rc[i].w, tolerance);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

/* A small network with dropout: the whole of fusion, reuse and in-place writing. */
static mica_value *small_network(mica_value **x, mica_value **labels) {
    *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(33, 20));
    *labels = mica_input(graph, "labels", MICA_I32, MICA_SHAPE(33));
    mica_value *h = *x;
    int64_t sizes[] = {20, 31, 17, 10};
    for (int i = 0; i < 3; i++) {
        char name[2][8];
        snprintf(name[0], sizeof name[0], "w%d", i);
        snprintf(name[1], sizeof name[1], "b%d", i);
        mica_value *w = mica_parameter(graph, name[0], MICA_SHAPE(sizes[i], sizes[i + 1]),
            (mica_init){MICA_INIT_HE_NORMAL, 0, sizes[i], sizes[i + 1]});
        mica_value *b = parameter(name[1], MICA_SHAPE(sizes[i + 1]), 0.01f);
        h = mica_bias_add(mica_matmul(h, w, NULL), b);
        if (i < 2)
            h = mica_dropout(i ? mica_tanh(h) : mica_relu(h), 0.8f);
    }
    return mica_mean(mica_softmax_cross_entropy(h, *labels), NULL, 0, false);
}

static void train(
    mica_value *loss, mica_value *x, mica_value *labels, bool keep_all, float *curve, int steps) {
    mica_model *model = make_model(3);
    mica_program *program = NULL;
    mica_optimizer adam = {.kind = MICA_ADAM, .learning_rate = 0.01f};
    OK(mica_program_create(model,
        &(mica_program_options){
            .loss = loss, .optimizer = &adam, .training = true, .keep_all = keep_all},
        &program));
    float in[33 * 20];
    int32_t classes[33];
    for (int i = 0; i < 33 * 20; i++)
        in[i] = sinf((float)i * 0.37f);
    for (int i = 0; i < 33; i++)
        classes[i] = i % 10;
    OK(mica_program_write(program, x, in, sizeof in));
    OK(mica_program_write(program, labels, classes, sizeof classes));
    for (int i = 0; i < steps; i++) {
        OK(mica_program_run(program));
        OK(mica_program_read(program, loss, &curve[i], sizeof *curve));
    }
    mica_program_report report;
    OK(mica_program_get_report(program, &report));
    ck_assert_uint_gt(report.n_rows, 5);
    if (keep_all)
        ck_assert_uint_eq(report.activation_bytes, report.unplanned_bytes);
    else
        ck_assert_uint_lt(report.activation_bytes, report.unplanned_bytes);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}

START_TEST(plans_with_and_without_reuse_agree_and_repeat_bit_for_bit) {
    mica_value *x, *labels, *loss = small_network(&x, &labels);
    OK(mica_graph_status(graph));
    enum { STEPS = 60 };
    float planned[STEPS], again[STEPS], kept[STEPS];
    train(loss, x, labels, false, planned, STEPS);
    train(loss, x, labels, false, again, STEPS);
    train(loss, x, labels, true, kept, STEPS);
    ck_assert_mem_eq(planned, again, sizeof planned);
    for (int i = 0; i < STEPS; i++)
        ck_assert_msg(fabsf(planned[i] - kept[i]) < 2e-3f * (1 + kept[i]), "step %d: %g and %g", i,
            planned[i], kept[i]);
    ck_assert_float_gt(planned[0], 2.0f);
    ck_assert_float_lt(planned[STEPS - 1], planned[0] * 0.8f);
}
END_TEST

START_TEST(a_nan_stops_the_update_and_is_found) {
    mica_value *x, *labels, *loss = small_network(&x, &labels);
    mica_model *model = make_model(3);
    mica_optimizer sgd = {.learning_rate = 0.1f, .momentum = 0.9f};
    mica_program_options options = {.loss = loss, .optimizer = &sgd};
    mica_program *program = NULL, *kept = NULL;
    OK(mica_program_create(model, &options, &program));
    float in[33 * 20] = {0}, before[20 * 31], after[20 * 31], total;
    int32_t classes[33] = {0};
    in[77] = NAN;
    OK(mica_program_write(program, x, in, sizeof in));
    OK(mica_program_write(program, labels, classes, sizeof classes));
    mica_value *w0 = mica_model_parameter(model, 0);
    OK(mica_model_read(model, w0, before, 20 * 31));
    OK(mica_program_run(program));
    OK(mica_program_gradient_norms(program, NULL, 0, &total));
    ck_assert(!isfinite(total));
    OK(mica_model_read(model, w0, after, 20 * 31));
    ck_assert_mem_eq(before, after, sizeof before);
    options.keep_all = true;
    OK(mica_program_create(model, &options, &kept));
    const mica_value *value;
    const char *where;
    for (int round = 0; round < 2; round++) {
        OK(mica_program_write(kept, x, in, sizeof in));
        OK(mica_program_write(kept, labels, classes, sizeof classes));
        OK(mica_program_run(kept));
        OK(mica_program_find_nonfinite(kept, &value, &where));
        if (round == 0) {
            ck_assert_ptr_eq(value, x);
            in[77] = 0;
        } else {
            ck_assert_ptr_null(value);
        }
    }
    ck_assert_int_eq(mica_program_find_nonfinite(program, &value, &where), MICA_E_INVALID);
    mica_program_destroy(&kept);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

/* The mean of x over its rows is followed while training, and only then, and not on a NaN. */
START_TEST(tracked_parameters_follow_a_value) {
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(4, 33));
    mica_value *running = parameter("running", MICA_SHAPE(33), 10);
    mica_value *w = parameter("w", MICA_SHAPE(33), 1);
    mica_value *mean = mica_mean(x, (const int[]){0}, 1, false);
    mica_parameter_track(running, mean, 0.75f);
    mica_value *scaled = mica_mul(mica_sub(x, running), w);
    mica_value *loss = mica_mean(mica_square(scaled), NULL, 0, false);
    mica_value *other = mica_mean(mica_square(w), NULL, 0, false);
    mica_model *model = make_model(1);
    mica_optimizer sgd = {.learning_rate = 0.01f};
    mica_program *train = NULL, *eval = NULL, *apart = NULL;
    OK(mica_program_create(
        model, &(mica_program_options){.loss = loss, .optimizer = &sgd, .training = true}, &train));
    OK(mica_program_create(model, &(mica_program_options){.loss = loss}, &eval));
    OK(mica_program_create(
        model, &(mica_program_options){.loss = other, .optimizer = &sgd}, &apart));
    float in[4 * 33], got[33], expected = 10;
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < 4 * 33; i++)
            in[i] = (float)(step + i / 33);
        if (step == 2)
            in[5] = NAN;
        else
            expected = 0.75f * expected + 0.25f * ((float)step + 1.5f);
        OK(mica_program_write(train, x, in, sizeof in));
        OK(mica_program_write(eval, x, in, sizeof in));
        OK(mica_program_run(train));
        OK(mica_program_run(eval));
        OK(mica_program_run(apart));
        OK(mica_model_read(model, running, got, 33));
        for (int i = 0; i < 33; i++)
            ck_assert_float_eq_tol(got[i], expected, 1e-5f);
    }
    mica_program_destroy(&train);
    mica_program_destroy(&eval);
    mica_program_destroy(&apart);
    mica_model_destroy(&model);
    ck_assert_ptr_null(mica_graph_warning(graph, 0));
    mica_parameter_track(w, mica_mean(x, (const int[]){1}, 1, false), 0.5f);
    ck_assert_int_eq(mica_graph_status(graph), MICA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "(33)"));
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "(4)"));
}
END_TEST

/* Each becomes twice the next; only the first is used. */
START_TEST(carried_parameters_may_need_each_other) {
    static const char *const names[] = {"a", "b", "c"};
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(4)), *p[3];
    for (int i = 0; i < 3; i++)
        p[i] = parameter(names[i], MICA_SHAPE(4), (float)i + 1);
    for (int i = 0; i < 3; i++)
        mica_parameter_carry(p[i], mica_scale(p[(i + 1) % 3], 2));
    mica_value *y = mica_add(p[0], x);
    mica_model *model = make_model(1);
    mica_program *program = NULL;
    OK(mica_program_create(
        model, &(mica_program_options){.outputs = &y, .n_outputs = 1}, &program));
    OK(mica_program_write(program, x, (float[4]){0}, sizeof(float[4])));
    OK(mica_program_run(program));
    static const float wanted[] = {4, 6, 2};
    for (int i = 0; i < 3; i++) {
        float got[4];
        OK(mica_model_read(model, p[i], got, 4));
        ck_assert_float_eq(got[3], wanted[i]);
    }
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

START_TEST(a_program_that_failed_may_be_tried_again) {
    const mica_traits *traits = &mica_device_get_info(device)->traits;
    if (traits->max_binding_bytes > 1 << 28)
        return; /* nothing of a test's size is too large for this device */
    mica_value *small = parameter("small", MICA_SHAPE(8), 0);
    mica_value *large =
        parameter("large", MICA_SHAPE((int64_t)traits->max_binding_bytes / 4 + 1024), 0);
    mica_value *part = mica_slice(large, (const int64_t[]){0}, (const int64_t[]){8});
    mica_value *loss = mica_sum(mica_add(small, part), NULL, 0, false);
    mica_model *model = NULL;
    const mica_optimizer sgd = {.learning_rate = 1};
    mica_program *program = NULL;
    if (mica_model_create(graph, device, 1, &model) != MICA_OK)
        return;
    for (int i = 0; i < 4; i++)
        ck_assert_int_ne(mica_program_create(model,
                             &(mica_program_options){.loss = loss, .optimizer = &sgd}, &program),
            MICA_OK);
    mica_model_destroy(&model);
}
END_TEST

START_TEST(long_chains_are_compiled_soon) {
    enum { LONG = 20000 };
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(2, 3)), *y = x;
    for (int i = 0; i < LONG; i++)
        y = mica_relu(y);
    for (int i = 0; i < LONG; i++)
        y = mica_transpose(y, (const int[]){1, 0});
    mica_device *null = NULL;
    mica_model *model = NULL;
    mica_program *program = NULL;
    clock_t begin = clock();
    OK(mica_device_open("null", &null));
    OK(mica_model_create(graph, null, 1, &model));
    OK(mica_program_create(
        model, &(mica_program_options){.outputs = &y, .n_outputs = 1}, &program));
    ck_assert_int_lt((clock() - begin) / CLOCKS_PER_SEC, 10);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    mica_device_destroy(&null);
}
END_TEST

START_TEST(a_checkerboard_is_warned_of) {
    mica_value *x = parameter("x", MICA_SHAPE(1, 4, 4, 2), 1);
    mica_value *even = parameter("even", MICA_SHAPE(4, 4, 3, 2), 1);
    mica_value *odd = parameter("odd", MICA_SHAPE(3, 4, 3, 2), 1);
    const mica_conv2d_options options = {.strides = {1, 2, 2, 1}};
    ck_assert_ptr_nonnull(mica_conv2d(x, mica_transpose(odd, (int[]){0, 1, 3, 2}), &options));
    ck_assert_ptr_nonnull(mica_conv2d_transpose(x, even, &options));
    ck_assert_ptr_null(mica_graph_warning(graph, 0));
    mica_graph_set_scope(graph, "up1");
    ck_assert_ptr_nonnull(mica_conv2d_transpose(x, odd, &options));
    ck_assert_str_eq(mica_graph_warning(graph, 0),
        "up1: the 3x4 filter is not divisible by the stride 2: overlapping windows make a "
        "checkerboard pattern; use a filter of 4x4 or resize and then convolve");
    ck_assert_ptr_null(mica_graph_warning(graph, 1));
    OK(mica_graph_status(graph));
}
END_TEST

START_TEST(wrong_use_is_refused) {
    mica_value *x, *labels, *loss = small_network(&x, &labels);
    mica_model *model = make_model(1);
    mica_program *program = NULL;
    ck_assert_int_eq(
        mica_program_create(model, &(mica_program_options){0}, &program), MICA_E_INVALID);
    ck_assert_int_eq(mica_program_create(model,
                         &(mica_program_options){
                             .loss = loss, .optimizer = &(mica_optimizer){.learning_rate = -1}},
                         &program),
        MICA_E_INVALID);
    OK(mica_program_create(model, &(mica_program_options){.loss = loss}, &program));
    float data[4] = {0};
    ck_assert_int_eq(mica_program_write(program, x, data, sizeof data), MICA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "(33, 20)"));
    ck_assert_int_eq(mica_program_write(program, loss, data, sizeof data), MICA_E_INVALID);
    ck_assert_int_eq(mica_program_read(program, x, data, sizeof data), MICA_E_INVALID);
    ck_assert_int_eq(mica_program_gradient_norms(program, NULL, 0, data), MICA_E_INVALID);
    ck_assert_int_eq(mica_model_write(model, x, data, 4), MICA_E_INVALID);
    ck_assert_int_eq(
        mica_model_write(model, mica_model_parameter(model, 0), data, 4), MICA_E_INVALID);
    ck_assert_ptr_null(mica_model_parameter(model, 99));
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    ck_assert_ptr_null(mica_relu(NULL));
    ck_assert_ptr_null(mica_input(graph, "x", MICA_F32, MICA_SHAPE(2))); /* taken */
    ck_assert_int_eq(mica_graph_status(graph), MICA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "taken"));
    ck_assert_ptr_null(mica_input(graph, "z", MICA_F32, MICA_SHAPE(0)));
    ck_assert_int_eq(mica_model_create(graph, device, 1, &model), MICA_E_INVALID);
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
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_value_used_twice_gets_the_sum_of_both_gradients);
    tcase_add_test(tests, unreachable_parameters_are_named);
    tcase_add_test(tests, gradients_may_be_inputs_or_shared);
    tcase_add_loop_test(
        tests, optimizers_match_the_double_reference, 0, sizeof optimizers / sizeof *optimizers);
    tcase_add_test(tests, plans_with_and_without_reuse_agree_and_repeat_bit_for_bit);
    tcase_add_test(tests, a_nan_stops_the_update_and_is_found);
    tcase_add_test(tests, tracked_parameters_follow_a_value);
    tcase_add_test(tests, carried_parameters_may_need_each_other);
    tcase_add_test(tests, a_program_that_failed_may_be_tried_again);
    tcase_add_test(tests, long_chains_are_compiled_soon);
    tcase_add_test(tests, a_checkerboard_is_warned_of);
    tcase_add_test(tests, wrong_use_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
