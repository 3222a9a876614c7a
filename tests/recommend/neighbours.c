/* Neighbourhood models on a device (named by the first argument) against brute force on the host in
 * double precision: what is found, what is predicted from it, how it ranks, files, and what is
 * refused. */
#include "recommend/neighbours.h"

#include "base/philox.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *device_name;
static mica_device *device;

#define OK(call) ck_assert_msg((call) == MICA_OK, "%s", mica_last_error())

static void setup(void) {
    OK(mica_device_open(device_name, &device));
}

static void teardown(void) {
    mica_device_destroy(&device);
}

/* ---- ratings ---- */

enum { USERS = 67, ITEMS = 45 };

/* A table of ratings, 0: none. */
typedef struct table {
    int32_t users, items;
    float rating[USERS][ITEMS];
} table;

static mica_ratings *ratings_of(const table *t, bool implicit) {
    static int32_t user[USERS * ITEMS], item[USERS * ITEMS];
    static float value[USERS * ITEMS];
    int64_t count = 0;
    for (int32_t u = 0; u < t->users; u++)
        for (int32_t i = 0; i < t->items; i++)
            if (t->rating[u][i] > 0) {
                user[count] = u;
                item[count] = i;
                value[count++] = t->rating[u][i];
            }
    mica_ratings *ratings = NULL;
    OK(mica_ratings_from_arrays(user, item, value, NULL, count, t->users, t->items,
        &(mica_ratings_options){.implicit = implicit}, &ratings));
    return ratings;
}

/* Stars from 1 to 5, a part `density` of all pairs; two users and two items rate nothing, and items
 * 5 and 6 have the same ratings, as have 7 and 8. */
static void draw(table *t, int32_t users, int32_t items, float density, uint64_t seed) {
    mica_rng rng = {.seed = seed};
    *t = (table){.users = users, .items = items};
    for (int32_t u = 0; u < users; u++)
        for (int32_t i = 0; i < items; i++) {
            const bool rated = mica_rng_uniform(&rng) < density;
            const float stars = (float)(1 + mica_rng_below(&rng, 5));
            t->rating[u][i] = rated ? stars : 0;
        }
    for (int32_t u = 0; u < users && items > 9; u++) {
        t->rating[u][6] = t->rating[u][5];
        t->rating[u][8] = t->rating[u][7];
        t->rating[u][3] = t->rating[u][items - 1] = 0;
    }
    for (int32_t i = 0; i < items && users > 9; i++)
        t->rating[4][i] = t->rating[users - 1][i] = 0;
}

/* ---- the reference ---- */

static double rating(const table *t, bool users, int32_t row, int32_t other) {
    return (double)(users ? t->rating[row][other] : t->rating[other][row]);
}

static double mean_of_user(const table *t, int32_t u) {
    double sum = 0, n = 0;
    for (int32_t i = 0; i < t->items; i++)
        if (t->rating[u][i] > 0) {
            sum += (double)t->rating[u][i];
            n++;
        }
    return n > 0 ? sum / n : 0;
}

/* -inf where two rows have too little in common. */
static double similarity(const table *t, const mica_neighbours_options *o, int32_t a, int32_t b) {
    const bool users = o->by == MICA_BY_USERS;
    const int32_t others = users ? t->items : t->users;
    double n = 0, mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0, all_a = 0, all_b = 0;
    for (int32_t c = 0; c < others; c++) {
        const double x = rating(t, users, a, c), y = rating(t, users, b, c);
        all_a += x * x;
        all_b += y * y;
        if (x > 0 && y > 0) {
            mean_a += x;
            mean_b += y;
            n++;
        }
    }
    if (n < (double)(o->min_overlap ? o->min_overlap : 2))
        return -INFINITY;
    mean_a /= n;
    mean_b /= n;
    for (int32_t c = 0; c < others; c++) {
        double x = rating(t, users, a, c), y = rating(t, users, b, c);
        if (x <= 0 || y <= 0)
            continue;
        if (o->similarity == MICA_PEARSON) {
            x -= mean_a;
            y -= mean_b;
        } else if (o->similarity == MICA_ADJUSTED_COSINE) {
            x -= mean_of_user(t, c);
            y -= mean_of_user(t, c);
        }
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    const double below = o->similarity == MICA_COSINE ? all_a * all_b : aa * bb;
    return below > 1e-12 ? ab / sqrt(below) * n / (n + (double)o->shrinkage) : 0;
}

static int descending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Each row's list holds distinct others with their similarities in order, of equals the lower
 * first, and no row is left out that is more similar. */
static void check_table(
    const table *t, const mica_neighbours_options *o, const mica_neighbours *model) {
    const mica_neighbours_info *info = mica_neighbours_get_info(model);
    const double close = 2e-5;
    for (int32_t row = 0; row < info->rows; row++) {
        double best[USERS];
        bool seen[USERS] = {false};
        int32_t n = 0;
        for (int32_t other = 0; other < info->rows; other++) {
            const double s = other == row ? -INFINITY : similarity(t, o, row, other);
            if (s > -2)
                best[n++] = s;
        }
        qsort(best, (size_t)n, sizeof *best, descending);
        for (int32_t i = 0; i < info->k; i++) {
            const int32_t id = info->ids[row * info->k + i];
            const double got = (double)info->similarity_of[row * info->k + i];
            if (i >= n) {
                ck_assert_int_eq(id, -1);
                ck_assert(got == 0);
                continue;
            }
            ck_assert_int_ge(id, 0);
            ck_assert(id != row && !seen[id]);
            seen[id] = true;
            ck_assert_double_eq_tol(got, best[i], close);
            ck_assert_double_eq_tol(got, similarity(t, o, row, id), close);
            if (i > 0) {
                const double last = (double)info->similarity_of[row * info->k + i - 1];
                ck_assert(last > got || (last == got && info->ids[row * info->k + i - 1] < id));
            }
        }
    }
}

/* mean + user's bias + item's bias, damped: <mica/ratings.h>. */
static void find_baseline(const table *t, double damping, double out[USERS][ITEMS]) {
    double sum = 0, n = 0, item[ITEMS], user[USERS];
    for (int32_t u = 0; u < t->users; u++)
        for (int32_t i = 0; i < t->items; i++) {
            sum += (double)t->rating[u][i];
            n += t->rating[u][i] > 0;
        }
    const double mean = sum / n;
    for (int32_t i = 0; i < t->items; i++) {
        for (int32_t u = sum = n = 0; u < t->users; u++)
            if (t->rating[u][i] > 0) {
                sum += (double)t->rating[u][i] - mean;
                n++;
            }
        item[i] = sum / (damping + n);
    }
    for (int32_t u = 0; u < t->users; u++) {
        for (int32_t i = sum = n = 0; i < t->items; i++)
            if (t->rating[u][i] > 0) {
                sum += (double)t->rating[u][i] - mean - item[i];
                n++;
            }
        user[u] = sum / (damping + n);
    }
    for (int32_t u = 0; u < t->users; u++)
        for (int32_t i = 0; i < t->items; i++)
            out[u][i] = mean + user[u] + item[i];
}

static void check_use(const table *t, mica_neighbours *model) {
    static double baseline[USERS][ITEMS];
    const mica_neighbours_info *info = mica_neighbours_get_info(model);
    const bool users = info->by == MICA_BY_USERS;
    find_baseline(t, (double)MICA_NEIGHBOURS_DAMPING, baseline);
    for (int32_t u = 0; u < t->users; u++) {
        float scores[ITEMS], predicted[ITEMS];
        int32_t user[ITEMS], item[ITEMS];
        double expected[ITEMS] = {0};
        for (int32_t i = 0; i < t->items; i++) {
            user[i] = u;
            item[i] = i;
        }
        OK(mica_neighbours_score(model, &u, 1, scores));
        OK(mica_neighbours_predict(model, user, item, t->items, predicted));
        for (int32_t i = 0; i < t->items; i++) {
            const int32_t row = users ? u : i;
            double above = 0, below = 0;
            for (int32_t n = 0; n < info->k && info->ids[row * info->k + n] >= 0; n++) {
                const int32_t id = info->ids[row * info->k + n];
                const int32_t v = users ? id : u, j = users ? i : id;
                const double s = (double)info->similarity_of[row * info->k + n];
                if (t->rating[v][j] <= 0)
                    continue;
                above += s * ((double)t->rating[v][j] - baseline[v][j]);
                below += fabs(s);
                if (users)
                    expected[i] += fmax(s, 0) * (double)t->rating[v][j];
            }
            ck_assert_double_eq_tol(
                (double)predicted[i], baseline[u][i] + (below > 0 ? above / below : 0), 1e-4);
        }
        for (int32_t j = 0; j < t->items && !users; j++)
            for (int32_t i = 0; i < t->items; i++)
                for (int32_t n = 0; n < info->k; n++)
                    if (info->ids[j * info->k + n] == i)
                        expected[j] += fmax((double)info->similarity_of[j * info->k + n], 0) *
                                       (double)t->rating[u][i];
        for (int32_t i = 0; i < t->items; i++)
            ck_assert_double_eq_tol((double)scores[i], expected[i], 1e-3);
    }
}

static void check(const table *t, const mica_neighbours_options *o, int32_t tile, int32_t block) {
    mica_ratings *ratings = ratings_of(t, false);
    mica_neighbours *model = NULL;
    OK(mica_neighbours_tiled(ratings, device, o, tile, block, &model));
    check_table(t, o, model);
    check_use(t, model);
    mica_neighbours_destroy(&model);
    mica_ratings_destroy(&ratings);
}

/* ---- the tests ---- */

static const mica_neighbours_options kinds[] = {
    {.similarity = MICA_COSINE, .k = 7},
    {.similarity = MICA_COSINE, .k = 10, .shrinkage = 20, .min_overlap = 1},
    {.similarity = MICA_ADJUSTED_COSINE, .k = 7, .min_overlap = 3},
    {.similarity = MICA_PEARSON, .k = 10, .shrinkage = 5},
    {.by = MICA_BY_USERS, .similarity = MICA_COSINE, .k = 9, .shrinkage = 3},
    {.by = MICA_BY_USERS, .similarity = MICA_PEARSON, .k = 5, .min_overlap = 3},
};

/* One tile holds all. */
START_TEST(finds_what_brute_force_does) {
    table t;
    draw(&t, USERS, ITEMS, 0.3f, 1);
    check(&t, &kinds[_i], 0, 0);
}
END_TEST

/* Several tiles in each direction, the last not full, and several blocks of the other side. */
START_TEST(tiles_change_nothing) {
    table t;
    draw(&t, USERS, ITEMS, 0.3f, 2);
    check(&t, &kinds[_i], 17, 13);
}
END_TEST

START_TEST(more_neighbours_than_rows) {
    table t;
    draw(&t, 12, 11, 0.7f, 3);
    check(&t, &(mica_neighbours_options){.k = 1000, .similarity = MICA_PEARSON}, 4, 5);
    check(&t, &(mica_neighbours_options){.k = 1000, .by = MICA_BY_USERS}, 5, 4);
}
END_TEST

/* Everything alike: the lower numbers are the neighbours, through all tiles. */
START_TEST(ties_go_to_the_lower_number) {
    table t = {.users = 20, .items = 31};
    for (int32_t u = 0; u < t.users; u++)
        for (int32_t i = 0; i < t.items; i++)
            t.rating[u][i] = 3;
    mica_ratings *ratings = ratings_of(&t, true);
    mica_neighbours *model = NULL;
    OK(mica_neighbours_tiled(ratings, device, &(mica_neighbours_options){.k = 5}, 7, 6, &model));
    const mica_neighbours_info *info = mica_neighbours_get_info(model);
    for (int32_t row = 0; row < info->rows; row++)
        for (int32_t i = 0; i < 5; i++)
            ck_assert_int_eq(info->ids[row * 5 + i], i < row ? i : i + 1);
    mica_neighbours_destroy(&model);
    mica_ratings_destroy(&ratings);
}
END_TEST

/* Equal ratings vary in nothing, so that there is no correlation and no rounding made into one. */
START_TEST(what_does_not_vary_is_not_similar) {
    table t = {.users = 30, .items = 8};
    mica_rng rng = {.seed = 4};
    for (int32_t u = 0; u < t.users; u++)
        for (int32_t i = 0; i < t.items; i++)
            t.rating[u][i] = i % 2 ? 3.3f : (float)(1 + mica_rng_below(&rng, 5));
    t.rating[0][1] = 1; /* and where the one that differs has no counterpart */
    t.rating[0][3] = 0;
    check(&t, &(mica_neighbours_options){.similarity = MICA_PEARSON}, 0, 0);
}
END_TEST

START_TEST(files_keep_it) {
    table t;
    char path[] = "/tmp/mica_neighbours_XXXXXX";
    const int descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    close(descriptor);
    draw(&t, USERS, ITEMS, 0.3f, 5);
    mica_ratings *ratings = ratings_of(&t, false), *other = NULL;
    mica_neighbours *model = NULL, *loaded = NULL;
    OK(mica_neighbours_create(ratings, device, &kinds[3], &model));
    OK(mica_neighbours_save(model, path));
    OK(mica_neighbours_load(ratings, path, &loaded));
    const mica_neighbours_info *a = mica_neighbours_get_info(model);
    const mica_neighbours_info *b = mica_neighbours_get_info(loaded);
    const size_t size = (size_t)a->rows * (size_t)a->k;
    ck_assert(a->by == b->by && a->similarity == b->similarity && a->k == b->k &&
              a->shrinkage == b->shrinkage && a->min_overlap == b->min_overlap);
    ck_assert_mem_eq(a->ids, b->ids, size * sizeof *a->ids);
    ck_assert_mem_eq(a->similarity_of, b->similarity_of, size * sizeof *a->similarity_of);
    check_use(&t, loaded);
    mica_neighbours_destroy(&loaded);
    t.items--;
    other = ratings_of(&t, false);
    ck_assert_int_eq(mica_neighbours_load(other, path, &loaded), MICA_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "45 items"));
    ck_assert_ptr_null(loaded);
    mica_ratings_destroy(&other);
    mica_ratings_destroy(&ratings);
    mica_neighbours_destroy(&model);
    unlink(path);
}
END_TEST

static void refuse(const table *t, bool implicit, mica_neighbours_options o, const char *words) {
    mica_ratings *ratings = ratings_of(t, implicit);
    mica_neighbours *model = NULL;
    ck_assert_int_eq(mica_neighbours_create(ratings, device, &o, &model), MICA_E_INVALID);
    ck_assert_msg(strstr(mica_last_error(), words) != NULL, "%s", mica_last_error());
    ck_assert_ptr_null(model);
    mica_ratings_destroy(&ratings);
}

START_TEST(refuses_what_has_no_neighbours) {
    table t = {.users = 1, .items = 4, .rating = {{1, 2, 3, 4}}};
    refuse(&t, false, (mica_neighbours_options){.by = MICA_BY_USERS}, "2 to");
    refuse(&t, false, (mica_neighbours_options){0}, "no two items have 2 users in common");
    table apart = {.users = 3, .items = 3, .rating = {{5}, {0, 4}, {0, 0, 3}}};
    refuse(&apart, false, (mica_neighbours_options){.min_overlap = 1}, "no two items");
    refuse(&apart, false, (mica_neighbours_options){.by = MICA_BY_USERS, .min_overlap = 1},
        "no two users have 1 items in common");
    refuse(&apart, true, (mica_neighbours_options){.similarity = MICA_PEARSON}, "cosine");
    refuse(&apart, false,
        (mica_neighbours_options){.by = MICA_BY_USERS, .similarity = MICA_ADJUSTED_COSINE},
        "adjusted cosine compares items");
    refuse(&apart, false, (mica_neighbours_options){.k = 2000}, "1024");
    refuse(&apart, false, (mica_neighbours_options){.shrinkage = -1}, "shrinkage");
    refuse(&apart, false, (mica_neighbours_options){.shrinkage = NAN}, "shrinkage");
    refuse(&apart, false, (mica_neighbours_options){.min_overlap = -1}, "min_overlap");
}
END_TEST

static void count_calls(void *user, double done) {
    double *last = user;
    ck_assert(done >= *last && done <= 1);
    *last = done;
}

START_TEST(tells_and_stops) {
    table t;
    draw(&t, USERS, ITEMS, 0.3f, 6);
    mica_ratings *ratings = ratings_of(&t, false);
    mica_neighbours *model = NULL;
    double last = 0;
    int stop = 0;
    mica_neighbours_options o = {.progress = count_calls, .user = &last, .stop = &stop};
    OK(mica_neighbours_tiled(ratings, device, &o, 20, 30, &model));
    ck_assert(last == 1);
    mica_neighbours_destroy(&model);
    stop = 1;
    last = 0;
    ck_assert_int_eq(
        mica_neighbours_tiled(ratings, device, &o, 20, 30, &model), MICA_E_INTERRUPTED);
    ck_assert_ptr_null(model);
    mica_ratings_destroy(&ratings);
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
    const int n_kinds = (int)(sizeof kinds / sizeof *kinds);
    Suite *suite = suite_create("neighbours");
    TCase *tests = tcase_create("kinds"), *small = tcase_create("small");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_checked_fixture(small, setup, teardown);
    tcase_add_loop_test(tests, finds_what_brute_force_does, 0, n_kinds);
    tcase_add_loop_test(tests, tiles_change_nothing, 0, n_kinds);
    tcase_add_test(small, more_neighbours_than_rows);
    tcase_add_test(small, ties_go_to_the_lower_number);
    tcase_add_test(small, what_does_not_vary_is_not_similar);
    tcase_add_test(small, files_keep_it);
    tcase_add_test(small, refuses_what_has_no_neighbours);
    tcase_add_test(small, tells_and_stops);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, small);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers' threads do not survive a fork */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
