/* CIFAR-10's binary version, in files and in its archive, and tar archives themselves. */
#include "data/tar.h"
#include "tests/io/temp.h"

#include <mica/data.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLANE = 1024, RECORD = 1 + 3 * PLANE };

/* What byte i of plane c of record n of a batch is. */
static uint8_t stored(int batch, int n, int c, int i) {
    return (uint8_t)(batch * 50 + n * 7 + c * 31 + i);
}

/* Batch 1 to 5, or 6: the test's; `count` records with labels batch + n. */
static uint8_t *batch_make(int batch, int count) {
    uint8_t *records = malloc((size_t)count * RECORD), *out = records;
    for (int n = 0; n < count; n++) {
        *out++ = (uint8_t)((batch + n) % 10);
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < PLANE; i++)
                *out++ = stored(batch, n, c, i);
    }
    return records;
}

static const char *const file_names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
    "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

/* Writes all six into a folder of the temporary one; batch b has b records. */
static void batches_write(const char *folder) {
    mkdir(temp_path(folder), 0777);
    for (int b = 1; b <= 6; b++) {
        char name[64];
        uint8_t *records = batch_make(b, b);
        snprintf(name, sizeof name, "%s/%s%s", folder, file_names[b - 1], b == 4 ? ".gz" : "");
        if (b == 4)
            temp_gzip(name, records, (size_t)b * RECORD);
        else
            temp_write(name, records, (size_t)b * RECORD);
        free(records);
    }
}

static void check_record(const mica_dataset *set, int64_t index, int batch, int n) {
    static float values[3 * PLANE];
    int32_t label;
    ck_ok(mica_dataset_sample(set, index, values, &label));
    ck_assert_int_eq(label, (batch + n) % 10);
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++)
            ck_assert_float_eq(values[3 * i + c], (float)stored(batch, n, c, i) * (1.0f / 255));
}

static void check_train(const mica_dataset *set) {
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert_int_eq(info->count, 15);
    ck_assert_int_eq(info->classes, 10);
    ck_assert(mica_shape_equal(info->sample, MICA_SHAPE(32, 32, 3)));
    int64_t index = 0;
    for (int b = 1; b <= 5; b++)
        for (int n = 0; n < b; n++)
            check_record(set, index++, b, n);
}

START_TEST(folders) {
    static const char *const roots[] = {"a", "b", "c"};
    static const char *const places[] = {"a/cifar10", "b/cifar-10-batches-bin", "c"};
    for (int i = 0; i < 3; i++) {
        mica_dataset *set;
        mkdir(temp_path(roots[i]), 0777);
        batches_write(places[i]);
        ck_ok(mica_dataset_from_cifar10(temp_path(roots[i]), true, NULL, &set));
        check_train(set);
        ck_assert_str_eq(mica_dataset_get_info(set)->class_names[9], "truck");
        mica_dataset_destroy(&set);
        ck_ok(mica_dataset_from_cifar10(temp_path(roots[i]), false, NULL, &set));
        ck_assert_int_eq(mica_dataset_get_info(set)->count, 6);
        check_record(set, 5, 6, 5);
        mica_dataset_destroy(&set);
    }
}
END_TEST

START_TEST(names) {
    static const char meta[] = "a\r\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n";
    mica_dataset *set;
    batches_write("cifar10");
    temp_write("cifar10/batches.meta.txt", meta, strlen(meta));
    ck_ok(mica_dataset_from_cifar10(temp_path(""), true, NULL, &set));
    ck_assert_str_eq(mica_dataset_get_info(set)->class_names[0], "a");
    ck_assert_str_eq(mica_dataset_get_info(set)->class_names[9], "j");
    mica_dataset_destroy(&set);
    temp_write("cifar10/batches.meta.txt", meta, 8);
    ck_ok(mica_dataset_from_cifar10(temp_path(""), true, NULL, &set));
    ck_assert_str_eq(mica_dataset_get_info(set)->class_names[0], "airplane");
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(one_file) {
    uint8_t *records = batch_make(3, 4);
    mica_dataset *set;
    ck_ok(
        mica_dataset_from_cifar10(temp_write("some.bin", records, 4 * RECORD), false, NULL, &set));
    ck_assert_int_eq(mica_dataset_get_info(set)->count, 4);
    check_record(set, 3, 3, 3);
    mica_dataset_destroy(&set);
    ck_ok(
        mica_dataset_from_cifar10(temp_gzip("some.bin.gz", records, 4 * RECORD), true, NULL, &set));
    check_record(set, 0, 3, 0);
    mica_dataset_destroy(&set);

    ck_refused(
        mica_dataset_from_cifar10(temp_write("cut.bin", records, 3 * RECORD - 1), true, NULL, &set),
        MICA_E_FORMAT, "cut.bin: 2 records of 3073 bytes and then 3072 bytes");
    ck_refused(mica_dataset_from_cifar10(temp_write("none.bin", "", 0), true, NULL, &set),
        MICA_E_FORMAT, "none.bin: 0 records");
    records[2 * RECORD] = 10;
    ck_refused(
        mica_dataset_from_cifar10(temp_write("label.bin", records, 4 * RECORD), true, NULL, &set),
        MICA_E_FORMAT, "label.bin: record 2 has label 10, wanted 0 to 9");
    ck_refused(mica_dataset_from_cifar10(temp_path("nowhere"), true, NULL, &set), MICA_E_NOT_FOUND,
        "cifar10: no data_batch_1.bin and no cifar-10-binary.tar.gz in");
    free(records);

    batches_write("cifar10");
    remove(temp_path("cifar10/data_batch_3.bin"));
    ck_refused(mica_dataset_from_cifar10(temp_path(""), true, NULL, &set), MICA_E_NOT_FOUND,
        "cifar10 has no data_batch_3.bin, though other batches");
}
END_TEST

/* ---- archives ---- */

typedef struct archive {
    char data[1 << 18];
    size_t size;
} archive;

static void sum_write(char *header) {
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
}

/* Adds a member; prefix as POSIX has it. */
static void member_add(
    archive *tar, const char *prefix, const char *name, char type, const void *data, size_t size) {
    char *header = tar->data + tar->size;
    memset(header, 0, 512);
    memcpy(header, name, strlen(name));
    snprintf(header + 100, 8, "%07o", 0644u);
    snprintf(header + 124, 12, "%011o", (unsigned)size);
    header[156] = type;
    memcpy(header + 257,
        "ustar\0"
        "00",
        8);
    memcpy(header + 345, prefix, strlen(prefix));
    sum_write(header);
    size_t filled = (size + 511) / 512 * 512;
    memset(header + 512, 0, filled);
    if (size)
        memcpy(header + 512, data, size);
    tar->size += 512 + filled;
    ck_assert_uint_lt(tar->size, sizeof tar->data - 2048);
}

static void archive_end(archive *tar) {
    memset(tar->data + tar->size, 0, 1024);
    tar->size += 1024;
}

/* As published: another order, a folder before and other files between. */
static archive *archive_make(void) {
    static const int order[] = {1, 3, 4, 6, 5, 2};
    static archive tar;
    tar.size = 0;
    member_add(&tar, "", "cifar-10-batches-bin/", '5', NULL, 0);
    for (int i = 0; i < 6; i++) {
        uint8_t *records = batch_make(order[i], order[i]);
        char name[64];
        snprintf(name, sizeof name, "cifar-10-batches-bin/%s", file_names[order[i] - 1]);
        if (i == 2)
            member_add(&tar, "cifar-10-batches-bin", file_names[order[i] - 1], '0', records,
                (size_t)order[i] * RECORD);
        else
            member_add(&tar, "", name, i ? '0' : 0, records, (size_t)order[i] * RECORD);
        free(records);
        if (i == 0)
            member_add(&tar, "", "cifar-10-batches-bin/readme.html", '0', "<html>", 6);
    }
    member_add(&tar, "", "PaxHeaders/x", 'x', "20 path=../../other\n", 20);
    member_add(&tar, "", "cifar-10-batches-bin/batches.meta.txt", '0',
        "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", 20);
    archive_end(&tar);
    return &tar;
}

START_TEST(archives) {
    archive *tar = archive_make();
    mica_dataset *set;
    mkdir(temp_path("cifar10"), 0777);
    temp_gzip("cifar10/cifar-10-binary.tar.gz", tar->data, tar->size);
    ck_ok(mica_dataset_from_cifar10(temp_path(""), true, NULL, &set));
    check_train(set);
    ck_assert_str_eq(mica_dataset_get_info(set)->class_names[3], "d");
    mica_dataset_destroy(&set);
    ck_ok(
        mica_dataset_from_cifar10(temp_path("cifar10/cifar-10-binary.tar.gz"), false, NULL, &set));
    check_record(set, 5, 6, 5);
    mica_dataset_destroy(&set);
    ck_ok(mica_dataset_from_cifar10(temp_write("x.tar", tar->data, tar->size), true, NULL, &set));
    check_train(set);
    mica_dataset_destroy(&set);
    ck_assert_int_ne(access(temp_path("cifar-10-batches-bin"), F_OK), 0);
}
END_TEST

START_TEST(archives_refused) {
    mica_dataset *set = NULL;
    archive *tar = archive_make();
    for (size_t cut = 0; cut < tar->size - 1024; cut += cut < 2000 ? 101 : 4999)
        ck_refused(
            mica_dataset_from_cifar10(temp_write("cut.tar", tar->data, cut), true, NULL, &set),
            MICA_E_FORMAT, "cut.tar: ");
    for (size_t at = 0; at < tar->size - 1024; at += at % 512 < 350 ? 5 : 8000) {
        tar->data[at] ^= 0x15;
        mica_status status = mica_dataset_from_cifar10(
            temp_write("flip.tar", tar->data, tar->size), true, NULL, &set);
        tar->data[at] ^= 0x15;
        ck_assert(status == MICA_OK || status == MICA_E_FORMAT);
        mica_dataset_destroy(&set);
    }
    static archive other;
    uint8_t *records = batch_make(1, 1);
    other.size = 0;
    for (int i = 0; i < 2; i++)
        member_add(&other, "", "a/data_batch_1.bin", '0', records, RECORD);
    archive_end(&other);
    ck_refused(mica_dataset_from_cifar10(
                   temp_write("twice.tar", other.data, other.size), true, NULL, &set),
        MICA_E_FORMAT, "twice.tar: a/data_batch_1.bin is there twice");
    other.size = 512 + 3584;
    archive_end(&other);
    ck_refused(
        mica_dataset_from_cifar10(temp_write("few.tar", other.data, other.size), true, NULL, &set),
        MICA_E_FORMAT, "few.tar: there is no data_batch_2.bin in it");
    memcpy(other.data + 124, "77777777777", 12);
    sum_write(other.data);
    ck_refused(
        mica_dataset_from_cifar10(temp_write("huge.tar", other.data, other.size), true, NULL, &set),
        MICA_E_FORMAT, "huge.tar: a member of 8589934591 bytes");
    memcpy(other.data + 124, "\x80\0\0\0\0\0\0\0\0\0\x0c", 12);
    sum_write(other.data);
    ck_refused(mica_dataset_from_cifar10(
                   temp_write("other.tar", other.data, other.size), true, NULL, &set),
        MICA_E_FORMAT, "a header that is none");
    free(records);
}
END_TEST

/* Many members without content must not pile up. */
START_TEST(folders_only) {
    size_t size = 512 * 20000;
    char *data = calloc(1, size + 1024);
    static archive tar;
    tar.size = 0;
    member_add(&tar, "", "folder/", '5', NULL, 0);
    for (size_t i = 0; i < size; i += 512)
        memcpy(data + i, tar.data, 512);
    const char *path = temp_gzip("folders.tar.gz", data, size + 1024);
    mica_tar reading = {.path = path};
    ck_ok(mica_source_open(path, &reading.source));
    ck_ok(mica_tar_next(&reading));
    ck_assert(!reading.member);
    mica_source_close(&reading.source);
    free(data);
}
END_TEST

/* ---- the real ones, where they are ---- */

START_TEST(first_4000) {
    if (access(CIFAR10_4000, F_OK))
        return;
    static const int counts[] = {396, 366, 420, 384, 422, 393, 414, 385, 407, 413};
    static float values[3 * PLANE];
    int seen[10] = {0};
    mica_dataset *set;
    ck_ok(mica_dataset_from_cifar10(CIFAR10_4000, true, NULL, &set));
    ck_assert_int_eq(mica_dataset_get_info(set)->count, 4000);
    for (int64_t i = 0; i < 4000; i++) {
        int32_t label;
        ck_ok(mica_dataset_sample(set, i, NULL, &label));
        seen[label]++;
    }
    ck_assert_mem_eq(seen, counts, sizeof counts);
    int32_t label;
    ck_ok(mica_dataset_sample(set, 0, values, &label));
    ck_assert_int_eq(label, 6);
    ck_assert_float_eq(values[0], 59 * (1.0f / 255));
    ck_assert_float_eq(values[1], 62 * (1.0f / 255));
    ck_assert_float_eq(values[2], 63 * (1.0f / 255));
    mica_dataset_destroy(&set);
}
END_TEST

START_TEST(whole_set) {
    if (access(CIFAR10_MADE "/test_batch.bin", F_OK))
        return;
    for (int train = 0; train < 2; train++) {
        int seen[10] = {0};
        mica_dataset *set;
        ck_ok(mica_dataset_from_cifar10(CIFAR10_MADE, train, NULL, &set));
        int64_t count = mica_dataset_get_info(set)->count;
        ck_assert_int_eq(count, train ? 50000 : 10000);
        for (int64_t i = 0; i < count; i++) {
            int32_t label;
            ck_ok(mica_dataset_sample(set, i, NULL, &label));
            seen[label]++;
        }
        for (int i = 0; i < 10; i++)
            ck_assert_int_eq(seen[i], train ? 5000 : 1000);
        mica_dataset_destroy(&set);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cifar10");
    TCase *tests = tcase_create("cifar10");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, folders);
    tcase_add_test(tests, names);
    tcase_add_test(tests, one_file);
    tcase_add_test(tests, archives);
    tcase_add_test(tests, archives_refused);
    tcase_add_test(tests, folders_only);
    tcase_add_test(tests, first_4000);
    tcase_add_test(tests, whole_set);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
