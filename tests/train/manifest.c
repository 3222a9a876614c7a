/* The manifest of a run: what it says of data, its file, and what is refused or noted. */
#include "train/manifest.h"

#include "base/error.h"
#include "base/mem.h"
#include "tests/io/temp.h"
#include "train/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char text[] = "input: [2]\nlayers: [{type: dense, units: 3}]\nbatch: 4\n"
                           "loss: softmax_cross_entropy\n"
                           "data: {set: csv, files: [d.csv], class_names: [a, b, c], test: 0.5}\n";

static mica_recipe *recipe;

static void rows_write(int first, int count) {
    mica_text rows = {0};
    for (int i = first; i < first + count; i++)
        mica_text_add(&rows, "%d,%d,%d\n", i, i * i, i % 3);
    temp_write("d.csv", rows.data, rows.size);
    free(rows.data);
}

static void make(mica_manifest *manifest) {
    mica_dataset *sets[3] = {NULL, NULL, NULL};
    ck_ok(mica_recipe_open_data(recipe, NULL, &sets[0], &sets[1], &sets[2]));
    ck_ok(mica_manifest_make(recipe, NULL, sets, manifest));
    for (int i = 0; i < 3; i++)
        mica_dataset_destroy(&sets[i]);
}

static void setup(void) {
    temp_make();
    rows_write(0, 60);
    ck_ok(mica_recipe_load(temp_write("r.yaml", text, strlen(text)), NULL, 0, &recipe));
}

static void teardown(void) {
    mica_recipe_destroy(&recipe);
    temp_remove();
}

START_TEST(kept) {
    mica_manifest made = {0}, read = {0}, none = {0};
    char *note;
    make(&made);
    ck_assert_int_eq(made.parts[0].count + made.parts[2].count, 60);
    ck_assert_int_eq(made.parts[1].count, 0);
    ck_assert_uint_eq(made.n_files, 1);
    ck_ok(mica_manifest_read(temp_path(""), &none));
    ck_assert_ptr_null(none.recipe);
    ck_ok(mica_manifest_save(&made, temp_path("")));
    ck_ok(mica_manifest_read(temp_path(""), &read));
    ck_assert_str_eq(read.recipe, text);
    for (int i = 0; i < 3; i++) {
        const mica_manifest_part *a = &read.parts[i], *b = &made.parts[i];
        ck_assert_int_eq(a->count, b->count);
        ck_assert_uint_eq(a->digest, b->digest);
        ck_assert_int_eq((int64_t)a->n_samples, i == 1 ? 0 : a->count);
        if (a->n_samples)
            ck_assert_mem_eq(a->samples, b->samples, a->n_samples * sizeof *a->samples);
    }
    ck_assert_uint_eq(read.classes.count, 3);
    ck_assert_str_eq(read.classes.item[2], "c");
    ck_assert_str_eq(read.files[0].name, "d.csv");
    ck_assert_uint_eq(read.files[0].digest, made.files[0].digest);
    ck_ok(mica_manifest_continues(&read, &made, "RUN"));
    ck_ok(mica_manifest_fits(&read, &made, recipe, "RUN", true, &note));
    ck_assert_ptr_null(note);
    ck_refused(mica_manifest_continues(&none, &made, "RUN"), MICA_E_INVALID, "train anew");
    ck_refused(mica_manifest_fits(&none, &made, recipe, "RUN", true, &note), MICA_E_INVALID,
        "an earlier version");
    ck_ok(mica_manifest_fits(&none, &made, recipe, "RUN", false, &note));
    ck_assert_ptr_nonnull(note);
    free(note);
    mica_manifest_clear(&made);
    mica_manifest_clear(&read);
}
END_TEST

START_TEST(compared) {
    mica_manifest begun = {0}, now = {0};
    char *note;
    make(&begun);
    rows_write(10, 80); /* some gone and others new: they may be the same, edited */
    make(&now);
    ck_refused(mica_manifest_fits(&begun, &now, recipe, "RUN", true, &note), MICA_E_INVALID,
        "may have been trained on what are now test samples");
    mica_manifest_clear(&now);
    rows_write(0, 80);
    make(&now);
    ck_ok(mica_manifest_fits(&begun, &now, recipe, "RUN", true, &note));
    ck_assert_msg(
        strstr(note, "training samples: ") && strstr(note, "d.csv has changed"), "%s", note);
    free(note);
    ck_refused(mica_manifest_continues(&begun, &now, "RUN"), MICA_E_INVALID, "d.csv has changed");
    recipe->data.test = 0; /* as with a test part of its own, or by place: it may have moved */
    now.parts[2].digest++;
    ck_refused(mica_manifest_fits(&begun, &now, recipe, "RUN", true, &note), MICA_E_INVALID,
        "may have been trained on what are now test samples");
    ck_ok(mica_manifest_fits(&begun, &now, recipe, "RUN", false, &note));
    free(note);
    now.classes.item[1][0] = 'x';
    ck_refused(mica_manifest_fits(&begun, &now, recipe, "RUN", false, &note), MICA_E_INVALID,
        "class 1 was b when it was trained, in its data it is x");
    now.ids = 7;
    ck_refused(
        mica_manifest_continues(&begun, &now, "RUN"), MICA_E_INVALID, "other users or items");
    mica_manifest_clear(&begun);
    mica_manifest_clear(&now);
}
END_TEST

/* Every prefix of the file, and every byte of it changed, is read or refused. */
START_TEST(damaged) {
    mica_manifest made = {0};
    make(&made);
    ck_ok(mica_manifest_save(&made, temp_path("")));
    mica_manifest_clear(&made);
    char whole[1 << 14];
    FILE *file = fopen(temp_path(MICA_RUN_MANIFEST), "rb");
    ck_assert_ptr_nonnull(file);
    const size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    const size_t head = (size_t)(strstr(whole, "recipe\n") - whole);
    for (size_t i = 0; i < size; i++) {
        mica_manifest read = {0};
        temp_write(MICA_RUN_MANIFEST, whole, i);
        if (i < head + strlen("recipe\n"))
            ck_refused(mica_manifest_read(temp_path(""), &read), MICA_E_FORMAT, "damaged");
        const char byte = whole[i];
        whole[i] = (char)(byte ^ 0x15);
        temp_write(MICA_RUN_MANIFEST, whole, size);
        if (mica_manifest_read(temp_path(""), &read) == MICA_OK)
            mica_manifest_clear(&read);
        whole[i] = byte;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("manifest");
    TCase *tests = tcase_create("manifest");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, kept);
    tcase_add_test(tests, compared);
    tcase_add_test(tests, damaged);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
