/* The files of a run: metrics, checkpoints, folders, locks. No driver needed. */
#include "base/file.h"
#include "base/mem.h"
#include "tests/io/temp.h"
#include "train/checkpoint.h"
#include "train/folder.h"

#include <math.h>
#include <mica/mica.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *slurp(const char *name) {
    char *data;
    size_t size;
    ck_ok(mica_file_read(temp_path(name), 1 << 20, &data, &size));
    return data;
}

static bool has(const char *folder, const char *name) {
    bool there;
    ck_ok(mica_folder_has(temp_path(folder), name, &there));
    return there;
}

START_TEST(metrics_files) {
    mica_metrics metrics = {0};
    int epoch, loss, accuracy;
    ck_ok(mica_metrics_column(&metrics, &epoch, "epoch"));
    ck_ok(mica_metrics_column(&metrics, &loss, "%s_loss", "train"));
    ck_ok(mica_metrics_column(&metrics, &accuracy, "accuracy"));
    for (int i = 1; i <= 2; i++) {
        double *row = mica_metrics_row(&metrics);
        row[epoch] = i;
        row[loss] = i == 1 ? 0.1 : INFINITY;
    }
    metrics.values[accuracy] = 12345678;
    ck_ok(mica_metrics_save(&metrics, temp_path("")));
    char *csv = slurp("metrics.csv"), *lines = slurp("metrics.jsonl");
    ck_assert_str_eq(csv, "epoch,train_loss,accuracy\n1,0.1,12345678\n2,,\n");
    ck_assert_str_eq(lines, "{\"epoch\": 1, \"train_loss\": 0.1, \"accuracy\": 12345678}\n"
                            "{\"epoch\": 2, \"train_loss\": null, \"accuracy\": null}\n");
    free(csv);
    free(lines);
    mica_metrics_clear(&metrics);
}
END_TEST

START_TEST(doubles_survive) {
    const double values[] = {0, -0.0, 1.0 / 3, 5e-324, INFINITY, NAN};
    double back[6];
    mica_text text = {0};
    mica_doubles_pack(values, 6, &text);
    ck_assert(mica_doubles_unpack(text.data, back, 6));
    ck_assert_mem_eq(values, back, sizeof values);
    ck_assert(!mica_doubles_unpack(text.data, back, 5));
    text.data[3] = 'g';
    ck_assert(!mica_doubles_unpack(text.data, back, 6));
    free(text.data);
    ck_assert(mica_doubles_unpack("", back, 0));
}
END_TEST

/* More epochs than the header of a safetensors file has room for (it ended at 892,850). */
START_TEST(checkpoint_keeps_a_million_epochs) {
    const size_t epochs = 1000000;
    mica_graph *graph;
    ck_ok(mica_graph_create(&graph));
    ck_assert_ptr_nonnull(mica_parameter(graph, "w", MICA_SHAPE(2), (mica_init){0}));
    mica_device *device;
    mica_model *model;
    ck_ok(mica_device_open("null", &device));
    ck_ok(mica_model_create(graph, device, 1, &model));
    mica_metrics metrics = {0}, back = {0};
    for (int j = 0; j < 7; j++) {
        int column;
        ck_ok(mica_metrics_column(&metrics, &column, "metric%d", j));
        ck_ok(mica_metrics_column(&back, &column, "metric%d", j));
    }
    metrics.n_rows = epochs;
    ck_assert_ptr_nonnull(metrics.values = mica_alloc(epochs * 7, sizeof *metrics.values));
    for (size_t i = 0; i < epochs * 7; i++)
        metrics.values[i] = i % 5 ? 1.0 / (double)i : NAN;
    const mica_position position = {.epoch = (int64_t)epochs, .step = 3};
    const double sums[7] = {1, 2, 3, 4, 5, 6, 7};
    double sums_back[7];
    const char *path = temp_path("checkpoint");
    ck_ok(mica_checkpoint_save(path, model, &position, &metrics, sums));
    mica_position position_back;
    ck_ok(mica_checkpoint_load(path, model, &position_back, &back, sums_back));
    ck_assert_int_eq(position_back.epoch, position.epoch);
    ck_assert_uint_eq(back.n_rows, epochs);
    ck_assert_mem_eq(back.values, metrics.values, epochs * 7 * sizeof *back.values);
    ck_assert_mem_eq(sums_back, sums, sizeof sums);
    mica_metrics_clear(&metrics);
    mica_metrics_clear(&back);
    mica_model_destroy(&model);
    mica_graph_destroy(&graph);
    mica_device_destroy(&device);
}
END_TEST

START_TEST(folder_refuses_what_is_there) {
    mica_folder folder = {0};
    ck_ok(mica_folder_open(temp_path("a/b"), "n", 1, false, &folder));
    mica_folder_close(&folder);
    temp_write("a/b/" MICA_RUN_RECIPE, "x", 1); /* begun and killed: nothing is lost */
    ck_ok(mica_folder_open(temp_path("a/b"), "n", 1, false, &folder));
    mica_folder_close(&folder);
    temp_write("a/b/" MICA_RUN_CHECKPOINT, "x", 1);
    ck_refused(
        mica_folder_open(temp_path("a/b"), "n", 1, false, &folder), MICA_E_INVALID, "--resume");
    ck_ok(mica_folder_open(temp_path("a/b"), "n", 1, true, &folder));
    mica_folder_close(&folder);
    temp_write("file", "x", 1);
    ck_refused(mica_folder_open(temp_path("file"), "n", 1, false, &folder), MICA_E_IO, "file");
}
END_TEST

START_TEST(folder_is_locked) {
    mica_folder folder = {0};
    ck_ok(mica_folder_open(temp_path("a"), "n", 1, true, &folder));
    pid_t child = fork();
    if (!child) {
        mica_folder other = {0};
        _exit(mica_folder_open(temp_path("a"), "n", 1, true, &other) == MICA_E_INVALID ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    mica_folder_close(&folder);
    ck_ok(mica_folder_open(temp_path("a"), "n", 1, true, &folder));
    mica_folder_close(&folder);
}
END_TEST

START_TEST(folder_is_swept) {
    mica_folder folder = {0};
    ck_ok(mica_folder_open(temp_path("a"), "n", 1, false, &folder));
    mica_folder_close(&folder);
    temp_write("a/.mica-tmp-0123456789abcdef", "x", 1);
    temp_write("a/notes.tmp2024", "mine", 4);
    ck_ok(mica_folder_open(temp_path("a"), "n", 1, false, &folder));
    mica_folder_close(&folder);
    ck_assert(!has("a", ".mica-tmp-0123456789abcdef"));
    ck_assert(has("a", "notes.tmp2024"));
}
END_TEST

START_TEST(folder_is_named) {
    mica_folder first = {0}, second = {0}, last = {0};
    ck_assert_int_eq(chdir(temp_path("")), 0);
    ck_ok(mica_folder_open(NULL, "net", 7, false, &first));
    ck_assert_str_eq(first.path, "runs/net-seed7");
    ck_ok(mica_folder_open(NULL, "net", 7, false, &second));
    ck_assert_str_eq(second.path, "runs/net-seed7-2");
    mica_folder_close(&first);
    mica_folder_close(&second);
    ck_ok(mica_folder_open(NULL, "net", 7, true, &last));
    ck_assert_str_eq(last.path, "runs/net-seed7-2");
    mica_folder_close(&last);
    ck_ok(mica_folder_open(NULL, "net", 8, true, &last));
    ck_assert_str_eq(last.path, "runs/net-seed8");
    mica_folder_close(&last);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("files");
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, metrics_files);
    tcase_add_test(tests, doubles_survive);
    tcase_add_test(tests, checkpoint_keeps_a_million_epochs);
    tcase_add_test(tests, folder_refuses_what_is_there);
    tcase_add_test(tests, folder_is_locked);
    tcase_add_test(tests, folder_is_swept);
    tcase_add_test(tests, folder_is_named);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
