/* IDX files: what is read, and every way in which one is refused. */
#include "tests/io/temp.h"

#include <mica/data.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Three pictures of 2 x 2 and their labels. */
static const uint8_t images[] = {
    0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9};

static void check_three(mica_dataset *set) {
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 3);
    ck_assert_int_eq(info->classes, 10);
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(2, 2, 1)));
    float values[4];
    int32_t label;
    ck_ok(mica_dataset_sample(set, 2, values, &label));
    ck_assert_int_eq(label, 9);
    ck_assert_float_eq(values[0], 8 * (1.0f / 255));
    ck_assert_float_eq(values[3], 1);
}

START_TEST(plain_and_gzip) {
    mica_dataset *set;
    const char *plain = temp_write("labels", labels, sizeof labels);
    ck_ok(mica_dataset_from_idx(temp_write("i", images, sizeof images), plain, NULL, &set));
    check_three(set);
    mica_dataset_destroy(&set);
    ck_ok(mica_dataset_from_idx(temp_gzip("i.gz", images, sizeof images), plain, NULL, &set));
    check_three(set);
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(other_ranks) {
    const uint8_t rows[] = {0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
    const uint8_t colour[] = {
        0, 0, 8, 4, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    const char *plain = temp_write("labels", labels, sizeof labels);
    mica_dataset *set;
    ck_ok(mica_dataset_from_idx(temp_write("r", rows, sizeof rows), plain, NULL, &set));
    ck_assert(mica_shape_equal(mica_dataset_get_info(set)->sample, MICA_SHAPE(2)));
    mica_dataset_destroy(&set);
    ck_ok(mica_dataset_from_idx(temp_write("c", colour, sizeof colour), plain, NULL, &set));
    ck_assert(mica_shape_equal(mica_dataset_get_info(set)->sample, MICA_SHAPE(1, 1, 3)));
    mica_dataset_destroy(&set);
}
END_TEST

static mica_status read_images(const char *path) {
    mica_dataset *set = NULL;
    mica_status status =
        mica_dataset_from_idx(path, temp_write("labels", labels, sizeof labels), NULL, &set);
    mica_dataset_destroy(&set);
    return status;
}

static mica_status read_labels(const void *data, size_t size) {
    mica_dataset *set = NULL;
    mica_status status = mica_dataset_from_idx(temp_write("images", images, sizeof images),
        temp_write("labels", data, size), &(mica_dataset_options){.classes = 10}, &set);
    mica_dataset_destroy(&set);
    return status;
}

/* The images with one byte of the header replaced. */
static const char *changed(size_t at, uint8_t byte) {
    uint8_t copy[sizeof images];
    memcpy(copy, images, sizeof copy);
    copy[at] = byte;
    return temp_write("images", copy, sizeof copy);
}

START_TEST(refused) {
    ck_refused(read_images(temp_path("nothing")), MICA_E_NOT_FOUND, "nothing: No such file");
    ck_refused(read_images(temp_write("images", "", 0)), MICA_E_FORMAT, "came 0 bytes");
    ck_refused(
        read_images(temp_write("images", images, 9)), MICA_E_FORMAT, "cut off in its header");
    ck_refused(read_images(temp_write("images", "<!DOCTYPE html>", 15)), MICA_E_FORMAT,
        "another kind of file");
    ck_refused(read_images(temp_write("images", labels, sizeof labels)), MICA_E_FORMAT, "swapped?");
    ck_refused(read_labels(images, sizeof images), MICA_E_FORMAT, "wanted labels (magic 2049)");
    ck_refused(read_images(changed(3, 7)), MICA_E_FORMAT, "magic 2055 (0x00000807)");
    ck_refused(read_images(changed(2, 9)), MICA_E_FORMAT, "magic 2307");
    ck_refused(read_images(changed(7, 0)), MICA_E_FORMAT, "empty: dimension 1 of 3");
    ck_refused(read_images(changed(11, 0)), MICA_E_FORMAT, "empty: dimension 2 of 3");
    ck_refused(read_images(changed(4, 255)), MICA_E_FORMAT, "dimension 1 of 3");
    ck_refused(read_images(changed(8, 127)), MICA_E_FORMAT, "room for at most 28");
    ck_refused(
        read_images(changed(7, 4)), MICA_E_FORMAT, "announces 16 bytes of data, the file has 12");
    ck_refused(read_images(changed(7, 2)), MICA_E_FORMAT, "too long: the header announces 8 bytes");
    const uint8_t two[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 0};
    ck_refused(
        read_labels(two, sizeof two), MICA_E_FORMAT, "2 labels: they do not belong together");
    const uint8_t wrong[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 10, 0};
    ck_refused(read_labels(wrong, sizeof wrong), MICA_E_INVALID,
        "label 10 of sample 1 is out of range: wanted 0 to 9");
    ck_refused(read_labels(labels, sizeof labels - 1), MICA_E_FORMAT, "labels: cut off");
}
END_TEST

START_TEST(every_prefix) {
    for (size_t size = 0; size < sizeof images; size++)
        ck_refused(read_images(temp_write("images", images, size)), MICA_E_FORMAT, "images: ");
}
END_TEST

START_TEST(gzip_refused) {
    uint8_t packed[256];
    FILE *file = fopen(temp_gzip("good.gz", images, sizeof images), "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(packed, 1, sizeof packed, file);
    fclose(file);
    for (size_t cut = 3; cut < size; cut++)
        ck_refused(read_images(temp_write("cut.gz", packed, cut)), MICA_E_FORMAT, "cut.gz: ");
    ck_refused(read_images(temp_write("cut.gz", packed, size - 4)), MICA_E_FORMAT, "cut off");
    packed[size - 6] ^= 1; /* of the check sum */
    ck_refused(read_images(temp_write("sum.gz", packed, size)), MICA_E_FORMAT, "damaged");
    packed[size - 6] ^= 1;
    for (size_t at = 0; at < size; at++) {
        packed[at] ^= 0x55;
        mica_status status = read_images(temp_write("flip.gz", packed, size));
        packed[at] ^= 0x55;
        ck_assert(status == MICA_E_FORMAT || status == MICA_OK);
        ck_assert(status == MICA_E_FORMAT || (at >= 4 && at < 10)); /* time, flags, system */
    }
}
END_TEST

/* A megabyte of zeros behind a small set, and a header that announces far more than there is. */
START_TEST(gzip_bomb) {
    size_t size = 1 << 20;
    uint8_t *bomb = calloc(1, size);
    memcpy(bomb, images, sizeof images);
    ck_refused(read_images(temp_gzip("bomb.gz", bomb, size)), MICA_E_FORMAT, "too long");
    memcpy(bomb + 4, (const uint8_t[]){127, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0}, 12);
    ck_refused(read_images(temp_gzip("bomb.gz", bomb, size)), MICA_E_FORMAT, "room for at most");
    free(bomb);
}
END_TEST

START_TEST(mnist_folder) {
    const char *folder = temp_path("");
    mica_dataset *set = NULL;
    ck_refused(mica_dataset_from_mnist(folder, "mnist", true, NULL, &set), MICA_E_NOT_FOUND,
        "mnist: no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in");
    ck_refused(mica_dataset_from_mnist(folder, "mnsit", true, NULL, &set), MICA_E_NOT_FOUND,
        "wanted mnist or fashion-mnist");
    temp_gzip("train-images-idx3-ubyte.gz", images, sizeof images);
    ck_refused(mica_dataset_from_mnist(folder, "mnist", true, NULL, &set), MICA_E_NOT_FOUND,
        "no train-labels-idx1-ubyte");
    temp_write("train-labels-idx1-ubyte", labels, sizeof labels);
    ck_ok(mica_dataset_from_mnist(folder, "mnist", true, NULL, &set));
    check_three(set);
    mica_dataset_destroy(&set);

    ck_assert_int_eq(mkdir(temp_path("fashion-mnist"), 0777), 0);
    temp_write("fashion-mnist/t10k-images-idx3-ubyte", images, sizeof images);
    temp_gzip("fashion-mnist/t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
    ck_ok(mica_dataset_from_mnist(folder, "fashion-mnist", false, NULL, &set));
    check_three(set);
    ck_assert_str_eq(mica_dataset_get_info(set)->class_names[9], "ankle boot");
    mica_dataset_destroy(&set);
    ck_refused(
        mica_dataset_from_mnist(folder, "mnist", true, &(mica_dataset_options){.classes = 5}, &set),
        MICA_E_INVALID, "train-labels-idx1-ubyte: label 7 of sample 0 is out of range");

    setenv("XDG_CACHE_HOME", temp_path("cache"), 1);
    ck_refused(mica_dataset_from_mnist(NULL, "mnist", true, NULL, &set), MICA_E_NOT_FOUND,
        "cache/mica/data/mnist or ");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("idx");
    TCase *tests = tcase_create("idx");
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, plain_and_gzip);
    tcase_add_test(tests, other_ranks);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, every_prefix);
    tcase_add_test(tests, gzip_refused);
    tcase_add_test(tests, gzip_bomb);
    tcase_add_test(tests, mnist_folder);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
