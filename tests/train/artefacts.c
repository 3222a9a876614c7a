/* The measures of upsampling's traces, on patterns whose numbers are known. */
#include "train/artefacts.h"
#include "base/philox.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { SIDE = 12, COUNT = SIDE * SIDE };

/* Noise, and the same with a pattern of `stride` at `strength`. */
static double checkerboard(int64_t stride, float blur, float strength) {
    float wanted[8 * COUNT], images[8 * COUNT];
    mica_rng rng = {.seed = 3};
    for (int i = 0; i < 8 * COUNT; i++) {
        int y = i / SIDE % SIDE, x = i % SIDE;
        wanted[i] = mica_rng_normal(&rng);
        images[i] = blur * wanted[i] + (y % stride == 0 && x % stride == 0 ? strength : 0);
    }
    mica_artefacts a = {.stride = stride};
    mica_artefacts_add(&a, images, wanted, MICA_SHAPE(8, SIDE, SIDE, 1));
    return mica_artefacts_checkerboard(&a);
}

START_TEST(repeats) {
    ck_assert_double_lt(checkerboard(2, 1, 0), 1e-6);
    ck_assert_double_lt(checkerboard(2, 0.1f, 0), 1e-6); /* blurred, not patterned */
    ck_assert_double_gt(checkerboard(2, 1, 1), 1);
    ck_assert_double_gt(checkerboard(3, 1, 1), 1);
    ck_assert_double_gt(checkerboard(2, 1, 2), 3 * checkerboard(2, 1, 1));
    mica_artefacts none = {0};
    ck_assert(isnan(mica_artefacts_checkerboard(&none)));
    ck_assert(isnan(mica_artefacts_border(&none)));
}
END_TEST

/* Colours are added up, not mixed up. */
START_TEST(border) {
    float wanted[COUNT * 3] = {0}, image[COUNT * 3];
    for (int i = 0; i < COUNT * 3; i++) {
        int y = i / 3 / SIDE, x = i / 3 % SIDE;
        bool outside = y < 2 || x < 2 || y >= SIDE - 2 || x >= SIDE - 2;
        image[i] = outside ? 3 : 1;
    }
    mica_artefacts a = {.stride = 2};
    mica_artefacts_add(&a, image, wanted, MICA_SHAPE(1, SIDE, SIDE, 3));
    ck_assert_double_eq_tol(mica_artefacts_border(&a), 9, 1e-9);
    mica_artefacts small = {.stride = 64}; /* larger than the image: nothing inside */
    mica_artefacts_add(&small, image, wanted, MICA_SHAPE(1, SIDE, SIDE, 3));
    ck_assert(isnan(mica_artefacts_border(&small)));
    ck_assert(isnan(mica_artefacts_checkerboard(&small)));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("artefacts");
    TCase *tests = tcase_create("artefacts");
    tcase_add_test(tests, repeats);
    tcase_add_test(tests, border);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
