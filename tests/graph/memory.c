/* The memory planner and the schedules: pure functions, no device. */
#include "graph/memory.h"

#include "base/philox.h"

#include <check.h>
#include <math.h>
#include <mica/optim.h>
#include <stdlib.h>

static bool overlap(const mica_block *a, const mica_block *b) {
    return a->arena == b->arena && a->first <= b->last && b->first <= a->last &&
           a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

START_TEST(blocks_alive_together_never_overlap) {
    mica_rng rng = {.seed = 5};
    for (int round = 0; round < 200; round++) {
        mica_block blocks[40];
        size_t n = 1 + mica_rng_below(&rng, 40), arenas;
        uint64_t limit = 64 * 64, *sizes, total = 0, used = 0;
        for (size_t i = 0; i < n; i++) {
            int first = (int)mica_rng_below(&rng, 30);
            blocks[i] = (mica_block){.bytes = mica_rng_below(&rng, 2000),
                .first = first,
                .last = first + (int)mica_rng_below(&rng, 10)};
        }
        ck_assert_int_eq(mica_memory_place(blocks, n, 64, limit, &sizes, &arenas), MICA_OK);
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(blocks[i].offset % 64, 0);
            ck_assert_uint_le(blocks[i].offset + blocks[i].bytes, sizes[blocks[i].arena]);
            total += blocks[i].bytes;
            for (size_t k = 0; k < i; k++)
                ck_assert(!overlap(&blocks[i], &blocks[k]));
        }
        for (size_t i = 0; i < arenas; i++) {
            ck_assert_uint_le(sizes[i], limit);
            used += sizes[i];
        }
        ck_assert_uint_le(used, total);
        free(sizes);
    }
}
END_TEST

START_TEST(a_chain_needs_two_places) {
    mica_block blocks[10];
    uint64_t *sizes;
    size_t arenas;
    for (int i = 0; i < 10; i++)
        blocks[i] = (mica_block){.bytes = 1024, .first = i, .last = i + 1};
    ck_assert_int_eq(mica_memory_place(blocks, 10, 64, 1 << 20, &sizes, &arenas), MICA_OK);
    ck_assert_uint_eq(arenas, 1);
    ck_assert_uint_eq(sizes[0], 2048);
    free(sizes);
    blocks[3].bytes = 2 << 20;
    ck_assert_int_eq(mica_memory_place(blocks, 10, 64, 1 << 20, &sizes, &arenas), MICA_E_MEMORY);
}
END_TEST

START_TEST(schedules_follow_their_formulas) {
    mica_optimizer o = {.learning_rate = 0.1f};
    ck_assert_float_eq_tol(mica_learning_rate(&o, 12345), 0.1f, 1e-9f);
    o.schedule = (mica_schedule){.kind = MICA_SCHEDULE_STEP, .every = 10, .gamma = 0.5f};
    ck_assert_float_eq_tol(mica_learning_rate(&o, 9), 0.1f, 1e-8f);
    ck_assert_float_eq_tol(mica_learning_rate(&o, 10), 0.05f, 1e-8f);
    ck_assert_float_eq_tol(mica_learning_rate(&o, 29), 0.025f, 1e-8f);
    o.schedule =
        (mica_schedule){.kind = MICA_SCHEDULE_COSINE, .warmup = 4, .total = 104, .final = 0.01f};
    ck_assert_float_eq_tol(mica_learning_rate(&o, 0), 0.025f, 1e-8f);
    ck_assert_float_eq_tol(mica_learning_rate(&o, 3), 0.1f, 1e-8f);
    ck_assert_float_eq_tol(mica_learning_rate(&o, 4), 0.1f, 1e-8f);
    ck_assert_float_eq_tol(mica_learning_rate(&o, 54), 0.055f, 1e-7f);
    ck_assert_float_eq_tol(mica_learning_rate(&o, 104), 0.01f, 1e-8f);
    ck_assert_float_eq_tol(mica_learning_rate(&o, 999), 0.01f, 1e-8f);
}
END_TEST

START_TEST(options_that_cannot_be_are_refused) {
    const mica_optimizer bad[] = {
        {.learning_rate = 0},
        {.learning_rate = NAN},
        {.learning_rate = 1, .momentum = 1},
        {.learning_rate = 1, .nesterov = true},
        {.learning_rate = 1, .kind = MICA_ADAM, .beta2 = 1},
        {.learning_rate = 1, .weight_decay = -1},
        {.learning_rate = 1, .clip_norm = NAN},
        {.learning_rate = 1, .kind = (mica_optimizer_kind)9},
        {.learning_rate = 1, .schedule = {.kind = MICA_SCHEDULE_STEP}},
        {.learning_rate = 1, .schedule = {.kind = MICA_SCHEDULE_COSINE, .warmup = 5, .total = 5}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(mica_optimizer_check(&bad[i]), MICA_E_INVALID);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, blocks_alive_together_never_overlap);
    tcase_add_test(tests, a_chain_needs_two_places);
    tcase_add_test(tests, schedules_follow_their_formulas);
    tcase_add_test(tests, options_that_cannot_be_are_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
