/* What a run will be used for is tried on its recipe: what fails, what becomes a note, and that
 * good recipes have none. Needs no device. */
#include "train/uses.h"
#include "tests/io/temp.h"

#include <stdio.h>

static mica_status check(const char *text, mica_texts *notes) {
    mica_recipe *recipe = NULL;
    mica_network *network = NULL;
    *notes = (mica_texts){0};
    ck_ok(mica_recipe_load(temp_write("r.yaml", text, strlen(text)), NULL, 0, &recipe));
    ck_ok(mica_recipe_complete(&recipe, temp_path("")));
    ck_ok(mica_recipe_build(recipe, recipe->batch, &network));
    mica_status status = mica_uses_check(recipe, network, notes);
    mica_network_destroy(&network);
    mica_recipe_destroy(&recipe);
    return status;
}

#define TEXT                                                                                       \
    "input: [4]\nbatch: 2\ndata: {set: text, files: [t.txt], test: 0}\n"                           \
    "loss: softmax_cross_entropy\nlayers:\n"
#define FACTORS                                                                                    \
    "layers:\n"                                                                                    \
    "  - {type: embedding, name: u, from: input, rows: users, width: 2, column: 0, columns: 1}\n"  \
    "  - {type: embedding, name: i, from: input, rows: items, width: 2, column: 1}\n"              \
    "  - {type: mul, name: m, from: [u, i]}\n"

/* Behind the note's command; NULL: no note. */
static const struct {
    const char *recipe, *note;
} cases[] = {
    {TEXT "  - {type: gru, units: 3, classes: classes, stateful: true}\n"
          "  - {type: dense, units: classes}\n",
        NULL},
    /* a model of windows, whose weights do not fit a single character */
    {TEXT "  - {type: gru, name: g, units: 3, classes: classes, stateful: true}\n"
          "  - {type: layer_norm}\n  - {type: flatten}\n  - {type: dense, name: d, units: 20}\n"
          "  - {type: reshape, shape: [-1, 5]}\n  - {type: dense, units: classes}\n",
        "mica sample will not work with this run: "},
    {"input: [2]\ndata: {set: ratings}\nloss: mean_squared_error\n" FACTORS
     "  - {type: sum, name: s}\n",
        NULL},
};

START_TEST(notes_of_uses) {
    mica_texts notes;
    ck_ok(check(cases[_i].recipe, &notes));
    ck_assert_msg(
        notes.count == (cases[_i].note != NULL), "%s", notes.count ? notes.item[0] : "none");
    if (cases[_i].note)
        ck_assert_msg(strstr(notes.item[0], cases[_i].note) != NULL, "%s", notes.item[0]);
    mica_texts_clear(&notes);
}
END_TEST

static void setup(void) {
    static const char text[] = "abcdeabcdeabcdeabcdeabcdeabcde";
    temp_make();
    temp_write("t.txt", text, strlen(text));
}

int main(void) {
    Suite *suite = suite_create("uses");
    TCase *tests = tcase_create("uses");
    tcase_add_checked_fixture(tests, setup, temp_remove);
    tcase_add_loop_test(tests, notes_of_uses, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
