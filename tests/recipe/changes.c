/* Which keys of a recipe may change while its run goes on: every key of the tables, one at a time.
 */
#include "recipe/changes.h"

#include "base/error.h"
#include "base/text.h"
#include "recipe/connect.h"
#include "recipe/data.h"
#include "recipe/loss.h"
#include "recipe/neighbours.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that may; what is new in a table is refused until it stands here and is marked there. */
static const char *const may_change[] = {"name", "epochs", "patience", "optimizer.learning_rate",
    "optimizer.momentum", "optimizer.nesterov", "optimizer.beta1", "optimizer.beta2",
    "optimizer.epsilon", "optimizer.weight_decay", "optimizer.clip_norm", "optimizer.schedule",
    "data.files", "data.titles", "data.memory", "data.strict"};

static int walked, taken;

static bool allowed(const char *path) {
    for (size_t i = 0; i < sizeof may_change / sizeof *may_change; i++) {
        const size_t n = strlen(may_change[i]);
        if (!strncmp(path, may_change[i], n) && (!path[n] || path[n] == '.'))
            return true;
    }
    return false;
}

static void check(const char *path, const char *before, const char *now) {
    char wanted[256];
    mica_status status = mica_recipe_same("RUN", before, now);
    walked++;
    if (allowed(path)) {
        taken++;
        ck_assert_msg(status == MICA_OK, "%s: %s", path, mica_last_error());
        return;
    }
    snprintf(wanted, sizeof wanted, "RUN was begun with another recipe: %s was ", path);
    ck_assert_msg(status == MICA_E_INVALID && !strncmp(mica_last_error(), wanted, strlen(wanted)),
        "%s: wanted \"%s\", came \"%s\"", path, wanted,
        status == MICA_OK ? "nothing" : mica_last_error());
}

/* Changes each key of a block from one value to another, and from nothing to a value. head and tail
 * are what stands around the block's keys, `path` what names it. */
static void walk(mica_block block, const char *head, const char *tail, const char *path) {
    for (size_t i = 0; i < block.count; i++) {
        const mica_key *key = &block.keys[i];
        char at[128], begin[256], end[64], before[512], now[512];
        snprintf(at, sizeof at, "%s%s%s", path, *path ? "." : "", key->name);
        if (key->kind == MICA_KEY_BLOCK) {
            snprintf(begin, sizeof begin, "%s%s: {", head, key->name);
            snprintf(end, sizeof end, "}%s", tail);
            walk(key->block, begin, end, at);
            continue;
        }
        snprintf(before, sizeof before, "%s%s: 7%s", head, key->name, tail);
        snprintf(now, sizeof now, "%s%s: 8%s", head, key->name, tail);
        check(at, before, now);
        snprintf(before, sizeof before, "%sother: 1%s", head, tail);
        check(at, before, now);
        check(at, now, before);
        ck_assert_int_eq(mica_recipe_same("RUN", now, now), MICA_OK);
    }
}

START_TEST(every_key) {
    mica_block blocks[MICA_RECIPE_BLOCKS];
    mica_recipe_blocks(blocks);
    for (size_t i = 0; i < MICA_RECIPE_BLOCKS; i++)
        walk(blocks[i], "{", "}", "");
    walk(mica_recipe_data_block, "{data: {", "}}", "data");
    walk(mica_recipe_preprocess_block, "{preprocess: {", "}}", "preprocess");
    walk(mica_recipe_neighbours_keys, "{neighbours: {", "}}", "neighbours");
    walk(mica_loss_block, "{loss: {", "}}", "loss");
    walk(mica_loss_block, "{loss: [{kind: a}, {", "}]}", "loss.1");
    walk(mica_layer_common, "{layers: [{", "}]}", "layers.0");
    for (size_t i = 0; i < mica_layer_types_count; i++) {
        char head[128];
        snprintf(head, sizeof head, "{layers: [{type: %s, ", mica_layer_types[i]->name);
        walk(mica_layer_types[i]->block, head, "}]}", "layers.0");
    }
    ck_assert_int_gt(walked, 3 * 150);
    ck_assert_int_gt(taken, 3 * 16);
}
END_TEST

static void same(const char *before, const char *now) {
    ck_assert_msg(mica_recipe_same("RUN", before, now) == MICA_OK, "%s and %s: %s", before, now,
        mica_last_error());
}

static void differs(const char *before, const char *now, const char *words) {
    mica_status status = mica_recipe_same("RUN", before, now);
    ck_assert_msg(status == MICA_E_INVALID && strstr(mica_last_error(), words),
        "%s and %s: wanted \"%s\", came \"%s\"", before, now, words,
        status == MICA_OK ? "nothing" : mica_last_error());
}

/* What is written in another way, or says what would be so anyway, is no change. */
START_TEST(defaults) {
    same("{l2: 0.10, batch: 32}", "{l2: 1e-1}");
    same("{input: [2]}", "{gradient_norms: false, input: [2], l2: 0, seed: 1}");
    same("{optimizer: {kind: sgd}}", "{optimizer: {momentum: 0.5}}");
    same("{data: {set: csv}}", "{data: {set: csv, split: random, augment: {flip: false}}}");
    same("{layers: [{type: dense, units: 2}]}",
        "{layers: [{units: 2, type: dense, activation: linear, bias: true}]}");
    differs("{layers: [{type: dense, units: 2}]}",
        "{layers: [{type: dense, units: 2, activation: relu}]}",
        "layers.0.activation was linear and is relu");
    differs("{data: {set: csv, std: [1, 2]}}", "{data: {set: csv, std: [1, 3]}}",
        "data.std was [1, 2] and is [1, 3]: give what it was, or start another run");
    differs("{layers: [{type: dense, name: a, units: 2}, {type: relu}]}",
        "{layers: [{type: dense, name: a, units: 2}]}", "layers was [{type: dense, ");
    differs("{layers: [{type: dense, name: out, units: 2}]}",
        "{layers: [{type: dense, name: out, units: 3}]}", "layers.out.units was 2 and is 3");
    differs("{loss: mean_squared_error}", "{loss: mean_absolute_error}",
        "loss was mean_squared_error and is mean_absolute_error");
    differs("{preprocess: vgg}", "{preprocess: {size: 256}}", "preprocess was vgg and is {size");
    differs("{data: {set: csv}}", "{data: {set: csv, augment: {flip: true}}}",
        "data.augment.flip was false and is true");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("changes");
    TCase *cases = tcase_create("changes");
    tcase_add_test(cases, every_key);
    tcase_add_test(cases, defaults);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
