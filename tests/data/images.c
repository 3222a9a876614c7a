/* Folders of pictures: what is found, what is left out, and that reading again and again gives what
 * keeping gives. */
#include "data/tar.h"
#include "tests/data/picture.h"

#include <math.h>
#include <mica/data.h>
#include <mica/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const mica_images_options small = {.set = {.sample = {3, {8, 12, 3}}}};

static mica_status open_set(mica_images_options options, mica_dataset **set) {
    return mica_dataset_from_images(temp_path("set"), &options, set);
}

/* Two classes of three and two pictures, of several shapes. */
static void set_write(void) {
    ck_assert_int_eq(mkdir(temp_path("set"), 0777), 0);
    ck_assert_int_eq(mkdir(temp_path("set/b"), 0777), 0);
    ck_assert_int_eq(mkdir(temp_path("set/a"), 0777), 0);
    jpeg_write("set/b/2.jpg", 60, 40, 3, 10);
    jpeg_write("set/b/10.JPEG", 8, 12, 3, 20);
    jpeg_write("set/b/3.jpg", 200, 300, 1, 30);
    jpeg_write("set/a/x.jpeg", 16, 24, 3, 40);
    jpeg_write("set/a/y.jpg", 33, 17, 4, 50);
}

static void check_sample(const mica_dataset *set, int64_t index, const char *file, int label) {
    float got[8 * 12 * 3], wanted[8 * 12 * 3];
    int32_t got_label;
    mica_image image;
    ck_ok(mica_image_read(temp_path(file), &image));
    ck_ok(mica_image_fit(&image, MICA_SHAPE(8, 12, 3), NULL, wanted));
    mica_image_free(&image);
    ck_ok(mica_dataset_sample(set, index, got, &got_label));
    ck_assert_int_eq(got_label, label);
    double error = 0; /* large JPEG files are decoded at half the size and less */
    for (int i = 0; i < 8 * 12 * 3; i++)
        error += fabs((double)got[i] * 255 - (double)wanted[i]) / (8 * 12 * 3);
    ck_assert_double_lt(error, 1);
}

START_TEST(found_in_order) {
    mica_dataset *set;
    set_write();
    temp_write("set/readme.txt", "x", 1);
    temp_write("set/a/Thumbs.db", "x", 1);
    temp_write("set/a/.hidden.jpg", "x", 1);
    mkdir(temp_path("set/.git"), 0777);
    mkdir(temp_path("set/a/.deeper"), 0777);
    mkdir(temp_path("set/a/folder.jpg"), 0777);
    ck_ok(open_set(small, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 5);
    ck_assert_int_eq(info->classes, 2);
    ck_assert_str_eq(info->class_names[0], "a");
    ck_assert_str_eq(info->class_names[1], "b");
    ck_assert_int_eq(info->n_skipped, 1);
    ck_assert_str_eq(strrchr(info->skipped[0], '/'),
        "/Thumbs.db: not one of the kinds of pictures that are read");
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(8, 12, 3)));
    static const char *const files[] = {
        "set/a/x.jpeg", "set/a/y.jpg", "set/b/10.JPEG", "set/b/2.jpg", "set/b/3.jpg"};
    for (int i = 0; i < 5; i++)
        check_sample(set, i, files[i], i > 1);
    mica_dataset_destroy(&set);

    mica_images_options other = small;
    other.set.sample = MICA_SHAPE(5, 5, 1);
    other.set.classes = 2;
    other.set.class_names = (const char *const[]){"b", "a"};
    ck_ok(open_set(other, &set));
    int32_t label;
    ck_ok(mica_dataset_sample(set, 4, NULL, &label));
    ck_assert_int_eq(label, 1);
    ck_assert_str_eq(mica_dataset_get_info(set)->class_names[0], "b");
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(broken_are_named) {
    mica_dataset *set = NULL;
    set_write();
    size_t size;
    char *bytes = file_bytes(temp_path("set/b/2.jpg"), &size);
    temp_write("set/b/00cut.jpg", bytes, size / 2);
    free(bytes);
    temp_write("set/a/empty.png", "", 0);
    temp_write("set/a/text.jpg", "no picture", 10);
    ck_assert_int_eq(symlink("nowhere", temp_path("set/a/link.png")), 0);
    ck_ok(open_set(small, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 5);
    ck_assert_int_eq(info->n_skipped, 4);
    static const char *const wanted[] = {"set/a/empty.png: wanted a PNG, JPEG",
        "set/a/link.png: No such file", "set/a/text.jpg: wanted a PNG, JPEG",
        "set/b/00cut.jpg: a damaged JPEG"};
    for (int i = 0; i < 4; i++)
        ck_assert_msg(strstr(info->skipped[i], wanted[i]) != NULL, "%s", info->skipped[i]);
    check_sample(set, 1, "set/a/y.jpg", 0);
    check_sample(set, 2, "set/b/10.JPEG", 1);
    mica_dataset_destroy(&set);

    mica_images_options options = small;
    options.strict = true;
    for (int i = 0; i < 10; i++) /* the same one, whichever thread comes first */
        ck_refused(open_set(options, &set), MICA_E_FORMAT, "set/a/empty.png: wanted a PNG");
    remove(temp_path("set/a/x.jpeg"));
    remove(temp_path("set/a/y.jpg"));
    ck_refused(open_set(small, &set), MICA_E_FORMAT, "set/a: none of its pictures can be read: ");
    ck_assert_ptr_null(set);
}
END_TEST

/* Folders in a class's folder are of the class, however deep; links that lead round are noticed. */
START_TEST(nested) {
    mica_dataset *set = NULL;
    set_write();
    mkdir(temp_path("set/a/deep"), 0777);
    mkdir(temp_path("set/a/deep/deeper"), 0777);
    mkdir(temp_path("set/a/empty"), 0777);
    mkdir(temp_path("elsewhere"), 0777);
    jpeg_write("set/a/deep/deeper/1.jpg", 16, 24, 3, 60);
    jpeg_write("set/a/deep/2.jpg", 16, 24, 3, 70);
    jpeg_write("elsewhere/3.jpg", 16, 24, 3, 80);
    ck_assert_int_eq(symlink("../../elsewhere", temp_path("set/a/z")), 0);
    ck_ok(open_set(small, &set));
    ck_assert_int_eq(mica_dataset_get_info(set)->count, 8);
    ck_assert_int_eq(mica_dataset_get_info(set)->n_skipped, 0);
    static const char *const files[] = {"set/a/deep/2.jpg", "set/a/deep/deeper/1.jpg",
        "set/a/x.jpeg", "set/a/y.jpg", "set/a/z/3.jpg", "set/b/10.JPEG", "set/b/2.jpg",
        "set/b/3.jpg"};
    for (int i = 0; i < 8; i++) {
        const char *file = mica_dataset_file(set, i);
        ck_assert_str_eq(file + strlen(file) - strlen(files[i]), files[i]);
        check_sample(set, i, files[i], i > 4);
    }
    mica_dataset_destroy(&set);

    ck_assert_int_eq(symlink("..", temp_path("set/a/deep/round")), 0);
    ck_assert_int_eq(symlink("deep", temp_path("set/a/same")), 0);
    jpeg_write("set/outside.jpg", 8, 8, 3, 0);
    temp_write("set/b/1.gif", "GIF89a", 6);
    ck_ok(open_set(small, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 8);
    static const char *const left[] = {"set/outside.jpg: in no class's folder",
        "set/a/deep/round: a link to a folder that is read already",
        "set/a/same: a link to a folder that is read already",
        "set/b/1.gif: not one of the kinds of pictures that are read"};
    ck_assert_int_eq(info->n_skipped, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(strstr(info->skipped[i], left[i]) != NULL, "%s", info->skipped[i]);
    mica_dataset_destroy(&set);
    mica_images_options options = small;
    options.strict = true;
    ck_refused(open_set(options, &set), MICA_E_FORMAT, left[0]);
    remove(temp_path("set/outside.jpg"));
    ck_refused(open_set(options, &set), MICA_E_FORMAT, left[1]);
    remove(temp_path("set/a/deep/round"));
    remove(temp_path("set/a/same"));
    ck_refused(open_set(options, &set), MICA_E_FORMAT, left[3]);
    ck_assert_ptr_null(set);
}
END_TEST

START_TEST(refused) {
    mica_dataset *set = NULL;
    mica_images_options options = small;
    ck_refused(open_set(small, &set), MICA_E_NOT_FOUND, "cannot read ");
    mkdir(temp_path("set"), 0777);
    ck_refused(open_set(small, &set), MICA_E_FORMAT, "set: no folders in it");
    mkdir(temp_path("set/a"), 0777);
    ck_refused(open_set(small, &set), MICA_E_FORMAT,
        "set/a: no pictures (.jpg, .jpeg, .png, .webp, .bmp)");
    jpeg_write("set/a/1.jpg", 8, 8, 3, 0);
    options.set.classes = 2;
    ck_refused(open_set(options, &set), MICA_E_FORMAT, "1 folders in it, wanted one for each of 2");
    options.set.classes = 1;
    options.set.class_names = (const char *const[]){"c"};
    ck_refused(open_set(options, &set), MICA_E_NOT_FOUND, "no folder c in it");
    ck_refused(mica_dataset_from_images(temp_path("set"), NULL, &set), MICA_E_INVALID,
        "wanted a folder, and samples of (height, width, 3)");
    options = (mica_images_options){.set = {.sample = MICA_SHAPE(8, 8, 4)}};
    ck_refused(open_set(options, &set), MICA_E_INVALID, "(8, 8, 4)");
    ck_assert_ptr_null(set);
}
END_TEST

/* Keeping the samples and reading them again and again give the same bits, by any number of
 * threads. */
START_TEST(kept_or_read_again) {
    const float mean[] = {0.4f, 0.5f, 0.6f}, deviation[] = {0.2f, 0.3f, 0.4f};
    mica_dataset *kept, *again;
    mica_images_options options = small;
    options.set.mean = mean;
    options.set.deviation = deviation;
    options.set.channels = 3;
    set_write();
    temp_write("set/a/broken.jpg", "", 0);
    ck_ok(open_set(options, &kept));
    options.memory = 8 * 12 * 3 * 6 - 1;
    ck_ok(open_set(options, &again));
    ck_assert_int_eq(mica_dataset_get_info(again)->count, 5);
    ck_assert_int_eq(mica_dataset_get_info(again)->n_skipped, 1);
    mica_loader *a, *b;
    mica_loader_options how = {.batch = 2, .shuffle = true, .seed = 4, .augment = {.flip = true}};
    ck_ok(mica_loader_create(kept, &how, &a));
    for (int threads = 0; threads < 4; threads++) {
        how.threads = threads;
        ck_ok(mica_loader_create(again, &how, &b));
        ck_ok(mica_loader_seek(a, 0, 0));
        for (int turn = 0; turn < 20; turn++) {
            mica_batch one, two;
            ck_ok(mica_loader_next(a, &one));
            ck_ok(mica_loader_next(b, &two));
            ck_assert_mem_eq(one.labels, two.labels, 2 * sizeof *one.labels);
            ck_assert_mem_eq(one.features, two.features, 2 * 8 * 12 * 3 * sizeof(float));
        }
        mica_loader_destroy(&b);
    }
    mica_loader_destroy(&a);
    mica_dataset_destroy(&kept);

    /* a file that is gone is named, and no batch is left out unnoticed */
    remove(temp_path("set/b/2.jpg"));
    mica_batch batch;
    how = (mica_loader_options){.batch = 2};
    ck_ok(mica_loader_create(again, &how, &b));
    ck_ok(mica_loader_next(b, &batch));
    for (int i = 0; i < 3; i++)
        ck_refused(mica_loader_next(b, &batch), MICA_E_NOT_FOUND, "set/b/2.jpg: No such file");
    ck_ok(mica_loader_seek(b, 0, 2));
    ck_ok(mica_loader_next(b, &batch));
    ck_assert_int_eq(batch.index, 2);
    mica_loader_destroy(&b);
    ck_assert_ptr_null(mica_dataset_lost(again, 0));

    /* or the next that is there takes its place, and it is noted once, whoever meets it */
    for (int threads = 1; threads < 4; threads++) {
        how = (mica_loader_options){.batch = 2, .replace = true, .threads = threads};
        ck_ok(mica_loader_create(again, &how, &b));
        for (int turn = 0; turn < 6; turn++) {
            ck_ok(mica_loader_next(b, &batch));
            ck_assert_int_eq(batch.index, turn % 3);
            if (batch.index != 1) /* samples 2 and 3; 3 is lost, and 4 comes for it */
                continue;
            float wanted[8 * 12 * 3];
            ck_ok(mica_dataset_sample(again, 4, wanted, NULL));
            ck_assert_mem_eq(batch.features + 8 * 12 * 3, wanted, sizeof wanted);
            ck_assert_int_eq(batch.labels[1], 1);
            ck_assert_int_eq(batch.valid, 2);
        }
        mica_loader_destroy(&b);
    }
    ck_assert_ptr_nonnull(strstr(mica_dataset_lost(again, 0), "set/b/2.jpg: No such file"));
    ck_assert_ptr_null(mica_dataset_lost(again, 1));
    float values[8 * 12 * 3];
    ck_refused(mica_dataset_sample(again, 3, values, NULL), MICA_E_NOT_FOUND, "set/b/2.jpg");
    mica_dataset_destroy(&again);
}
END_TEST

/* ---- real photos, where they are ---- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Unpacks the training photos of a tar archive into the temporary folder. */
static void photos_unpack(const char *path) {
    static char data[1 << 20];
    mica_tar tar = {.path = path};
    ck_ok(mica_source_open(path, &tar.source));
    mkdir(temp_path("set"), 0777);
    mkdir(temp_path("set/ants"), 0777);
    mkdir(temp_path("set/bees"), 0777);
    for (;;) {
        char folder[16], file[64], name[96];
        size_t size;
        ck_ok(mica_tar_next(&tar));
        if (!tar.member)
            break;
        if (sscanf(tar.name, "hymenoptera-256/train/%15[a-z]/%63s", folder, file) != 2)
            continue;
        snprintf(name, sizeof name, "set/%s/%s", folder, file);
        ck_ok(mica_tar_read(&tar, data, sizeof data, &size));
        temp_write(name, data, size);
    }
    mica_source_close(&tar.source);
}

/* Decoding photos as they are needed keeps up with steps of `step` seconds: what the steps wait for
 * is little. The steps sleep, since what they would compute is not known here. */
START_TEST(photos) {
    const char *path = SHARED_DATA "/hymenoptera/hymenoptera-256.tar";
    if (access(path, F_OK))
        return;
    photos_unpack(path);
    mica_dataset *set;
    double start = now();
    ck_ok(open_set(
        (mica_images_options){.set = {.sample = MICA_SHAPE(64, 64, 3)}, .memory = 1}, &set));
    double opened = now() - start;
    ck_assert_int_eq(mica_dataset_get_info(set)->count, 244);
    ck_assert_int_eq(mica_dataset_get_info(set)->n_skipped, 0);
    int64_t ants = 0;
    for (int64_t i = 0; i < 244; i++) {
        int32_t label;
        ck_ok(mica_dataset_sample(set, i, NULL, &label));
        ants += label == 0;
    }
    ck_assert_int_eq(ants, 123);
    mica_loader *loader;
    mica_loader_options options = {
        .batch = 32, .shuffle = true, .drop_last = true, .augment = {.flip = true}};
    ck_ok(mica_loader_create(set, &options, &loader));
    mica_batch batch;
    start = now();
    for (int i = 0; i < 14; i++)
        ck_ok(mica_loader_next(loader, &batch));
    double alone = now() - start, step = 3 * alone / 14, before = mica_loader_waited(loader);
    start = now();
    for (int i = 0; i < 7; i++) {
        ck_ok(mica_loader_next(loader, &batch));
        usleep((useconds_t)(step * 1e6));
    }
    double waited = (mica_loader_waited(loader) - before) / (now() - start);
    printf("244 photos: opened in %.2f s, %.0f a second decoded, %.1f %% of steps of %.0f ms "
           "waited\n",
        opened, 14 * 32 / alone, 100 * waited, 1e3 * step);
    ck_assert_double_lt(waited, 0.25);
    mica_loader_destroy(&loader);
    mica_dataset_destroy(&set);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("images");
    TCase *tests = tcase_create("images");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, found_in_order);
    tcase_add_test(tests, broken_are_named);
    tcase_add_test(tests, nested);
    tcase_add_test(tests, refused);
    tcase_add_test(tests, kept_or_read_again);
    tcase_add_test(tests, photos);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
