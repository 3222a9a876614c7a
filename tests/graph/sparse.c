/* Tables that are updated row by row (mica_parameter_sparse), on a device (the first argument):
 * against the dense update, and against the formulas of optim.h in double precision. */
#include <check.h>
#include <math.h>
#include <mica/graph.h>
#include <mica/ops.h>
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

#define OK(call) ck_assert_msg((call) == MICA_OK, "%s", mica_last_error())
#define COUNT(a) (sizeof(a) / sizeof *(a))

static mica_value *table_of(const char *name, int64_t rows, int64_t width, bool sparse) {
    mica_value *table = mica_parameter(
        graph, name, MICA_SHAPE(rows, width), (mica_init){MICA_INIT_NORMAL, 1, 0, 0});
    mica_parameter_sparse(table, sparse);
    return table;
}

/* Numbers that repeat, few of them in some steps. */
static void draw_ids(int32_t *ids, int count, int rows, uint32_t step) {
    uint32_t state = 12345 + step * 977;
    for (int i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        ids[i] = (int32_t)((state >> 8) % (uint32_t)(step % 3 ? rows : rows / 5 + 1));
    }
}

/* ---- factorization, dense and sparse ---- */

enum { USERS = 41, ITEMS = 300, BATCH = 130, WIDTH = 20, STEPS = 12 };

typedef struct factorization {
    mica_value *user, *item, *rating, *loss;
    mica_value *tables[4];
} factorization;

static factorization factorize(bool sparse) {
    factorization f = {.user = mica_input(graph, "user", MICA_I32, MICA_SHAPE(BATCH)),
        .item = mica_input(graph, "item", MICA_I32, MICA_SHAPE(BATCH)),
        .rating = mica_input(graph, "rating", MICA_F32, MICA_SHAPE(BATCH, 1)),
        .tables = {table_of("p", USERS, WIDTH, sparse), table_of("q", ITEMS, WIDTH, sparse),
            table_of("a", USERS, 1, sparse), table_of("b", ITEMS, 1, sparse)}};
    mica_value *p = mica_embedding(f.tables[0], f.user), *q = mica_embedding(f.tables[1], f.item);
    mica_value *a = mica_embedding(f.tables[2], f.user), *b = mica_embedding(f.tables[3], f.item);
    mica_value *score = mica_sum(mica_mul(p, q), (const int[]){1}, 1, true);
    f.loss = mica_mean_squared_error(mica_add(score, mica_add(a, b)), f.rating);
    return f;
}

static const int64_t table_sizes[] = {USERS * WIDTH, ITEMS *WIDTH, USERS, ITEMS};

typedef struct trained {
    float tables[4][ITEMS * WIDTH], norms[5], loss;
} trained;

static void train(
    const factorization *f, const mica_optimizer *optimizer, bool keep_all, trained *result) {
    mica_model *model = NULL;
    mica_program *program = NULL;
    OK(mica_model_create(graph, device, 7, &model));
    OK(mica_program_create(model,
        &(mica_program_options){
            .loss = f->loss, .optimizer = optimizer, .training = true, .keep_all = keep_all},
        &program));
    int32_t ids[BATCH];
    float ratings[BATCH];
    for (uint32_t step = 0; step < STEPS; step++) {
        draw_ids(ids, BATCH, USERS, step);
        OK(mica_program_write(program, f->user, ids, sizeof ids));
        draw_ids(ids, BATCH, ITEMS, step + 100);
        OK(mica_program_write(program, f->item, ids, sizeof ids));
        for (int i = 0; i < BATCH; i++)
            ratings[i] = (float)(ids[i] % 5);
        OK(mica_program_write(program, f->rating, ratings, sizeof ratings));
        OK(mica_program_run(program));
    }
    OK(mica_program_gradient_norms(program, result->norms, 4, &result->norms[4]));
    OK(mica_program_read(program, f->loss, &result->loss, sizeof result->loss));
    for (int i = 0; i < 4; i++)
        OK(mica_model_read(model, f->tables[i], result->tables[i], (size_t)table_sizes[i]));
    if (keep_all) {
        const mica_value *value;
        const char *where;
        OK(mica_program_find_nonfinite(program, &value, &where));
        ck_assert_ptr_null(value);
    }
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}

/* Without momentum and decay, rows that are not looked up rest in both. */
START_TEST(sgd_is_the_dense_update) {
    static trained dense, sparse, again, kept;
    const mica_optimizer sgd = {.learning_rate = 0.1f, .clip_norm = 2};
    factorization f = factorize(false);
    OK(mica_graph_status(graph));
    train(&f, &sgd, false, &dense);
    mica_graph_destroy(&graph);
    OK(mica_graph_create(&graph));
    f = factorize(true);
    train(&f, &sgd, false, &sparse);
    train(&f, &sgd, false, &again);
    train(&f, &sgd, true, &kept);
    ck_assert_mem_eq(&sparse, &again, sizeof sparse);
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq_tol(sparse.norms[i], dense.norms[i], 1e-5f * dense.norms[i]);
    ck_assert_float_eq_tol(sparse.loss, dense.loss, 1e-5f * dense.loss);
    for (int i = 0; i < 4; i++)
        for (int64_t k = 0; k < table_sizes[i]; k++) {
            ck_assert_float_eq_tol(sparse.tables[i][k], dense.tables[i][k], 2e-6f);
            ck_assert_float_eq_tol(sparse.tables[i][k], kept.tables[i][k], 2e-6f);
        }
}
END_TEST

/* ---- every optimizer against its formula, row by row ---- */

typedef struct reference {
    double w, s1, s2;
} reference;

static void reference_step(
    reference *r, const mica_optimizer *o, double g, uint64_t step, bool decays) {
    const double rate = mica_learning_rate(o, step), decay = decays ? o->weight_decay : 0;
    if (o->kind == MICA_SGD) {
        g += decay * r->w;
        r->s1 = o->momentum * r->s1 + g;
        r->w -= rate * (o->nesterov ? g + o->momentum * r->s1 : r->s1);
        return;
    }
    const double t = (double)step + 1, old = r->w;
    if (o->kind == MICA_ADAM)
        g += decay * r->w;
    r->s1 = 0.9 * r->s1 + 0.1 * g;
    r->s2 = 0.999 * r->s2 + 0.001 * g * g;
    r->w -= rate * (r->s1 / (1 - pow(0.9, t))) / (sqrt(r->s2 / (1 - pow(0.999, t))) + 1e-8);
    if (o->kind == MICA_ADAMW)
        r->w -= rate * decay * old;
}

static const struct {
    mica_optimizer optimizer;
    int rows, width, count;
} cases[] = {
    {{.learning_rate = 0.1f, .weight_decay = 0.1f, .clip_norm = 3}, 40, 5, 33},
    {{.learning_rate = 0.1f, .momentum = 0.9f, .clip_norm = 5}, 64, 16, 1},
    {{.learning_rate = 0.05f, .momentum = 0.9f, .nesterov = true, .weight_decay = 0.01f}, 31, 33,
        70},
    {{.kind = MICA_ADAM, .learning_rate = 0.1f}, 500, 1, 257},
    {{.kind = MICA_ADAM, .learning_rate = 0.1f, .weight_decay = 0.1f, .clip_norm = 1}, 50, 17, 40},
    {{.kind = MICA_ADAMW,
         .learning_rate = 0.1f,
         .weight_decay = 0.1f,
         .schedule = {.kind = MICA_SCHEDULE_COSINE, .total = 15, .warmup = 3}},
        20, 130, 300},
};

/* loss = sum(x table[ids]^2) / 2 + sum(b^2) / 2: a dense parameter shares the clipping. */
START_TEST(optimizers_match_the_double_reference) {
    const mica_optimizer *o = &cases[_i].optimizer;
    const int rows = cases[_i].rows, width = cases[_i].width, count = cases[_i].count;
    enum { DENSE = 37 };
    mica_value *table = table_of("table", rows, width, true);
    mica_value *b =
        mica_parameter(graph, "b", MICA_SHAPE(DENSE), (mica_init){MICA_INIT_CONSTANT, 0.5f, 0, 0});
    mica_value *ids = mica_input(graph, "ids", MICA_I32, MICA_SHAPE(count));
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(count, width));
    mica_value *y = mica_square(mica_embedding(table, ids));
    mica_value *loss = mica_sum(mica_mul(x, y), NULL, 0, false);
    loss = mica_scale(mica_add(loss, mica_sum(mica_square(b), NULL, 0, false)), 0.5f);
    mica_model *model = NULL;
    mica_program *program = NULL;
    OK(mica_model_create(graph, device, 9, &model));
    OK(mica_program_create(model, &(mica_program_options){.loss = loss, .optimizer = o}, &program));
    const size_t n = (size_t)rows * (size_t)width, places = (size_t)count * (size_t)width;
    float *in = calloc(places, sizeof *in), *weights = calloc(n, sizeof *weights), bias[DENSE];
    float *before = calloc(n, sizeof *before);
    reference *rw = calloc(n, sizeof *rw), rb[DENSE] = {{0.5, 0, 0}};
    double *g = calloc(n, sizeof *g);
    int32_t *drawn = calloc((size_t)count, sizeof *drawn);
    bool *used = calloc((size_t)rows, sizeof *used);
    for (size_t i = 0; i < places; i++)
        in[i] = (float)(i % 17 + 1) / 17;
    for (int i = 1; i < DENSE; i++)
        rb[i] = rb[0];
    OK(mica_program_write(program, x, in, places * sizeof *in));
    OK(mica_model_read(model, table, before, n));
    for (size_t i = 0; i < n; i++)
        rw[i].w = before[i];
    for (uint32_t step = 0; step < 15; step++) {
        draw_ids(drawn, count, rows, step);
        OK(mica_program_write(program, ids, drawn, (size_t)count * sizeof *drawn));
        memset(g, 0, n * sizeof *g);
        memset(used, 0, (size_t)rows * sizeof *used);
        for (int k = 0; k < count; k++) {
            used[drawn[k]] = true;
            for (int c = 0; c < width; c++)
                g[drawn[k] * width + c] += in[k * width + c] * rw[drawn[k] * width + c].w;
        }
        double squares = 0, own = 0, scale = 1;
        for (size_t i = 0; i < n; i++)
            own += g[i] * g[i];
        for (int i = 0; i < DENSE; i++)
            squares += rb[i].w * rb[i].w;
        squares += own;
        if (o->clip_norm > 0 && sqrt(squares) > o->clip_norm)
            scale = o->clip_norm / sqrt(squares);
        OK(mica_program_run(program));
        float norms[2], total;
        OK(mica_program_gradient_norms(program, norms, 2, &total));
        ck_assert_double_eq_tol(norms[0], sqrt(own), 1e-4 * sqrt(own) + 1e-5);
        ck_assert_double_eq_tol(total, sqrt(squares), 1e-4 * sqrt(squares) + 1e-5);
        for (size_t i = 0; i < n; i++)
            if (used[i / (size_t)width])
                reference_step(&rw[i], o, scale * g[i], step, true);
        for (int i = 0; i < DENSE; i++)
            reference_step(&rb[i], o, scale * rb[i].w, step, false);
        OK(mica_model_read(model, table, weights, n));
        for (size_t i = 0; i < n; i++)
            ck_assert_msg(used[i / (size_t)width] || weights[i] == before[i],
                "step %u: row %zu was not looked up, but changed", step, i / (size_t)width);
        memcpy(before, weights, n * sizeof *before);
    }
    OK(mica_model_read(model, b, bias, DENSE));
    const double tolerance = o->kind == MICA_SGD ? 2e-5 : 3e-4;
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(weights[i] - rw[i].w) < tolerance, "table[%zu] is %g, not %g", i,
            weights[i], rw[i].w);
    for (int i = 0; i < DENSE; i++)
        ck_assert_double_eq_tol(bias[i], rb[i].w, tolerance);
    free(in), free(weights), free(before), free(rw), free(g), free(drawn), free(used);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

/* ---- several lookups, several programs ---- */

/* Bayesian personalized ranking: each user (4 kinds) likes the items of one kind. A second table of
 * items is looked up apart for the two. */
static mica_value *rank_items(
    bool sparse, mica_value **user, mica_value **items, mica_value **other) {
    enum { N = 64, FACTORS = 8 };
    *user = mica_input(graph, "user", MICA_I32, MICA_SHAPE(N, 1));
    *items = mica_input(graph, "items", MICA_I32, MICA_SHAPE(N, 2));
    *other = mica_input(graph, "other", MICA_I32, MICA_SHAPE(N));
    mica_value *p = mica_embedding(table_of("p", 40, FACTORS, sparse), *user);
    mica_value *q = mica_embedding(table_of("q", 60, FACTORS, sparse), *items);
    mica_value *bias = table_of("bias", 60, 1, sparse);
    const int64_t first[] = {0, 0}, one[] = {-1, 1};
    mica_value *liked = mica_reshape(mica_slice(*items, first, one), 1, (const int64_t[]){N});
    mica_value *scores = mica_sum(mica_mul(p, q), (const int[]){2}, 1, false);
    const int64_t second[] = {0, 1};
    mica_value *item = mica_add(mica_slice(scores, first, one), mica_embedding(bias, liked));
    mica_value *rival = mica_add(mica_slice(scores, second, one), mica_embedding(bias, *other));
    return mica_mean(mica_softplus(mica_sub(rival, item)), NULL, 0, false);
}

static void rank(bool sparse, const mica_optimizer *optimizer, float *curve, int steps) {
    mica_value *user, *items, *other, *loss = rank_items(sparse, &user, &items, &other);
    mica_model *model = NULL;
    mica_program *program = NULL, *evaluation = NULL;
    OK(mica_model_create(graph, device, 3, &model));
    OK(mica_program_create(
        model, &(mica_program_options){.loss = loss, .optimizer = optimizer}, &program));
    OK(mica_program_create(
        model, &(mica_program_options){.loss = loss, .gradients = true}, &evaluation));
    int32_t u[64], pairs[128], rivals[64];
    float total, again;
    for (int step = 0; step < steps; step++) {
        draw_ids(u, 64, 40, (uint32_t)step);
        draw_ids(rivals, 64, 60, (uint32_t)step + 50);
        for (int i = 0; i < 64; i++) {
            pairs[2 * i] = (rivals[i] + step) / 4 % 15 * 4 + u[i] % 4;
            rivals[i] = rivals[i] / 4 * 4 + (u[i] + 1 + i % 3) % 4;
            pairs[2 * i + 1] = rivals[i];
        }
        mica_program *both[] = {evaluation, program};
        for (int k = 0; k < 2; k++) {
            OK(mica_program_write(both[k], user, u, sizeof u));
            OK(mica_program_write(both[k], items, pairs, sizeof pairs));
            OK(mica_program_write(both[k], other, rivals, sizeof rivals));
            OK(mica_program_run(both[k]));
            OK(mica_program_gradient_norms(both[k], NULL, 0, k ? &again : &total));
        }
        ck_assert_float_eq_tol(total, again, 1e-5f * total);
        OK(mica_program_read(program, loss, &curve[step], sizeof *curve));
    }
    mica_program_destroy(&evaluation);
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}

START_TEST(ranking_with_several_lookups_learns) {
    enum { RANKED = 150 };
    static float sparse[RANKED], dense[RANKED], adam[RANKED];
    rank(false, &(mica_optimizer){.learning_rate = 2}, dense, RANKED);
    mica_graph_destroy(&graph);
    OK(mica_graph_create(&graph));
    rank(true, &(mica_optimizer){.learning_rate = 2}, sparse, RANKED);
    for (int i = 0; i < RANKED; i++)
        ck_assert_float_eq_tol(sparse[i], dense[i], 1e-4f + 1e-3f * dense[i]);
    mica_graph_destroy(&graph);
    OK(mica_graph_create(&graph));
    rank(true, &(mica_optimizer){.kind = MICA_ADAM, .learning_rate = 0.05f}, adam, RANKED);
    ck_assert_float_gt(sparse[0], 1);
    ck_assert_float_lt(sparse[RANKED - 1], 0.3f);
    ck_assert_float_lt(adam[RANKED - 1], 0.3f);
}
END_TEST

/* ---- what goes wrong ---- */

/* An id that is not in the table makes the loss NaN, and the step is skipped. */
START_TEST(unknown_ids_skip_the_step) {
    factorization f = factorize(true);
    mica_model *model = NULL;
    mica_program *program = NULL;
    OK(mica_model_create(graph, device, 7, &model));
    const mica_optimizer adam = {.kind = MICA_ADAM, .learning_rate = 0.1f};
    OK(mica_program_create(
        model, &(mica_program_options){.loss = f.loss, .optimizer = &adam}, &program));
    static float before[ITEMS * WIDTH], after[ITEMS * WIDTH];
    int32_t ids[BATCH] = {0};
    float total;
    OK(mica_model_read(model, f.tables[1], before, ITEMS * WIDTH));
    for (int round = 0; round < 3; round++) {
        ids[3] = (int32_t[]){ITEMS, INT32_MIN, 1}[round];
        OK(mica_program_write(program, f.item, ids, sizeof ids));
        OK(mica_program_run(program));
        OK(mica_program_gradient_norms(program, NULL, 0, &total));
        OK(mica_model_read(model, f.tables[1], after, ITEMS * WIDTH));
        ck_assert_int_eq(isfinite(total) != 0, round == 2);
        ck_assert_int_eq(memcmp(before, after, sizeof before) == 0, round < 2);
    }
    mica_program_destroy(&program);
    mica_model_destroy(&model);
}
END_TEST

static void refused(mica_model *model, mica_value *loss, const char *words) {
    const mica_optimizer sgd = {.learning_rate = 1};
    mica_program *program = NULL;
    ck_assert_int_eq(mica_program_create(
                         model, &(mica_program_options){.loss = loss, .optimizer = &sgd}, &program),
        MICA_E_INVALID);
    ck_assert_msg(strstr(mica_last_error(), words) != NULL, "%s", mica_last_error());
}

START_TEST(too_many_ids_are_refused) {
    if (mica_device_get_info(device)->traits.vector_width == 1)
        return; /* sorted in another way there, for which the device has not the memory */
    mica_value *ids = mica_input(graph, "ids", MICA_I32, MICA_SHAPE((1 << 30) + 1));
    mica_value *loss = mica_sum(mica_embedding(table_of("table", 6, 1, true), ids), NULL, 0, false);
    mica_model *model = NULL;
    OK(mica_model_create(graph, device, 1, &model));
    const mica_optimizer sgd = {.learning_rate = 1};
    mica_program *program = NULL;
    ck_assert_int_eq(mica_program_create(
                         model, &(mica_program_options){.loss = loss, .optimizer = &sgd}, &program),
        MICA_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "at most 2^30 can be sorted"));
    mica_model_destroy(&model);
}
END_TEST

START_TEST(other_uses_are_refused) {
    mica_value *ids = mica_input(graph, "ids", MICA_I32, MICA_SHAPE(9));
    mica_value *table = table_of("table", 6, 4, true), *unused = table_of("unused", 6, 4, true);
    mica_value *found = mica_sum(mica_embedding(table, ids), NULL, 0, false);
    mica_value *penalty = mica_l2_penalty(table, 0.1f);
    mica_model *model = NULL;
    mica_parameter_freeze(unused, true);
    OK(mica_model_create(graph, device, 1, &model));
    refused(model, mica_add(found, penalty), "table is sparse, but sum_squares uses all of it");
    mica_program *program = NULL;
    const mica_optimizer sgd = {.learning_rate = 1};
    OK(mica_program_create(
        model, &(mica_program_options){.loss = found, .optimizer = &sgd}, &program));
    mica_program_destroy(&program);
    mica_parameter_sparse(table, false);
    refused(model, found, "after the model was made");
    mica_parameter_sparse(table, true);
    mica_model_destroy(&model);
    mica_parameter_freeze(unused, false);
    OK(mica_model_create(graph, device, 1, &model));
    mica_value *other = mica_scale(found, 2); /* not the loss that is differentiated already */
    refused(model, other, "does not depend on unused");
    mica_model_destroy(&model);
    mica_parameter_sparse(ids, true);
    ck_assert_int_eq(mica_graph_status(graph), MICA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "ids of shape (9) cannot be sparse"));
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
    Suite *suite = suite_create("sparse");
    TCase *tests = tcase_create("updates"), *longer = tcase_create("ranking");
    tcase_set_timeout(tests, 120);
    tcase_set_timeout(longer, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_checked_fixture(longer, setup, teardown);
    tcase_add_test(tests, sgd_is_the_dense_update);
    tcase_add_loop_test(tests, optimizers_match_the_double_reference, 0, (int)COUNT(cases));
    tcase_add_test(longer, ranking_with_several_lookups_learns);
    tcase_add_test(tests, unknown_ids_skip_the_step);
    tcase_add_test(tests, too_many_ids_are_refused);
    tcase_add_test(tests, other_uses_are_refused);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, longer);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
