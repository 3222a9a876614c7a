/* NumPy's arrays: what is written is read again, NumPy's own files are read, bad ones are refused.
 */
#include "tests/io/temp.h"

#include <mica/mica.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

static mica_npz *file;

static void setup(void) {
    temp_make();
}

static void teardown(void) {
    mica_npz_destroy(&file);
    temp_remove();
}

/* A .npy file with that header and data behind it. */
static const char *npy(const char *header, const void *data, size_t size) {
    static char bytes[4096];
    size_t length = strlen(header);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (char)length;
    bytes[9] = (char)(length >> 8);
    memcpy(bytes + 10, header, length);
    if (size)
        memcpy(bytes + 10 + length, data, size);
    return temp_write("a.npy", bytes, 10 + length + size);
}

#define HEADER(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }\n"

static const float codes[] = {1, 2, 3, 4, 5, -6};
static const int32_t labels[] = {1, 0, 1};
static const char *const names[] = {"ants", "b\xc3\xa9"
                                            "es \xf0\x9f\x90\x9d"};
static const mica_array arrays[] = {{.name = "codes", .shape = {2, {3, 2}}, .floats = codes},
    {.name = "labels", .shape = {1, {3}}, .integers = labels},
    {.name = "class_names", .shape = {1, {2}}, .texts = names}};

START_TEST(comes_back) {
    ck_ok(mica_npz_write(temp_path("a.npz"), arrays, 3));
    ck_ok(mica_npz_write(temp_path("a.npz"), arrays, 3)); /* over the former one */
    ck_ok(mica_npz_read(temp_path("a.npz"), &file));
    const mica_array *read = mica_npz_find(file, "codes");
    ck_assert_ptr_nonnull(read);
    ck_assert(read->floats && read->shape.rank == 2 && read->shape.dim[0] == 3);
    ck_assert_int_eq(memcmp(read->floats, codes, sizeof codes), 0);
    read = mica_npz_get(file, 1);
    ck_assert_str_eq(read->name, "labels");
    ck_assert_int_eq(memcmp(read->integers, labels, sizeof labels), 0);
    read = mica_npz_find(file, "class_names");
    for (int i = 0; i < 2; i++)
        ck_assert_str_eq(read->texts[i], names[i]);
    ck_assert_ptr_null(mica_npz_get(file, 3));
    ck_assert_ptr_null(mica_npz_find(file, "other"));
}
END_TEST

START_TEST(becomes_a_data_set) {
    mica_dataset *set = NULL;
    ck_ok(mica_npz_write(temp_path("a.npz"), arrays, 3));
    ck_ok(mica_dataset_from_npz(temp_path("a.npz"), NULL, NULL, &set));
    const mica_dataset_info *info = mica_dataset_get_info(set);
    ck_assert(info->count == 3 && info->classes == 2 && info->sample.dim[0] == 2);
    ck_assert_str_eq(info->class_names[1], names[1]);
    float sample[2];
    int32_t label;
    ck_ok(mica_dataset_sample(set, 2, sample, &label));
    ck_assert(sample[0] == 5 && sample[1] == -6 && label == 1);
    mica_dataset_destroy(&set);
    const mica_dataset_options other = {
        .classes = 2, .class_names = (const char *const[]){"ants", "wasps"}};
    ck_refused(mica_dataset_from_npz(temp_path("a.npz"), NULL, &other, &set), MICA_E_FORMAT,
        "class_names are not those");
    ck_ok(mica_npz_write(temp_path("b.npz"), arrays, 1));
    ck_refused(mica_dataset_from_npz(temp_path("b.npz"), NULL, NULL, &set), MICA_E_FORMAT,
        "wanted an array labels (3)");
    ck_ok(mica_npz_write(temp_path("b.npz"), arrays + 1, 2));
    ck_refused(mica_dataset_from_npz(temp_path("b.npz"), NULL, NULL, &set), MICA_E_FORMAT,
        "wanted an array codes");
    ck_ok(mica_npy_write(temp_path("c.npy"), MICA_SHAPE(3, 2), codes));
    ck_ok(mica_dataset_from_npz(temp_path("c.npy"),
        npy(HEADER("<i8", "(3,)"), (const int64_t[]){0, 1, 2}, 24), NULL, &set));
    ck_assert_int_eq(mica_dataset_get_info(set)->classes, 3);
    mica_dataset_destroy(&set);

    /* what came is said with its type */
    ck_refused(mica_dataset_from_npz(temp_path("c.npy"),
                   npy(HEADER("<f8", "(3,)"), (const double[]){0, 1, 2}, 24), NULL, &set),
        MICA_E_FORMAT, "labels (3) of integers, one a sample, came (3) of float64");
    ck_refused(
        mica_dataset_from_npz(temp_path("c.npy"), npy(HEADER("|S1", "(3,)"), "abc", 3), NULL, &set),
        MICA_E_FORMAT, "came (3) of text");
    ck_refused(mica_dataset_from_npz(npy(HEADER("|u1", "(3, 2)"), "abcdef", 6), NULL, NULL, &set),
        MICA_E_FORMAT, "wanted an array codes");
    mica_array three[3] = {arrays[0], arrays[1], arrays[1]};
    three[2].name = "class_names";
    ck_ok(mica_npz_write(temp_path("b.npz"), three, 3));
    ck_refused(mica_dataset_from_npz(temp_path("b.npz"), NULL, NULL, &set), MICA_E_FORMAT,
        "wanted an array class_names of texts, came (3) of int32");
}
END_TEST

START_TEST(reads_types) {
    ck_ok(mica_npz_read(npy(HEADER("<f8", "()"), (const double[]){2.5}, 8), &file));
    ck_assert_float_eq(mica_npz_get(file, 0)->floats[0], 2.5f);
    mica_npz_destroy(&file);
    ck_ok(mica_npz_read(npy(HEADER("<f2", "(2,)"), "\x00\x3c\x00\xc0", 4), &file));
    ck_assert_float_eq(mica_npz_get(file, 0)->floats[1], -2);
    mica_npz_destroy(&file);
    ck_ok(mica_npz_read(npy(HEADER("|i1", "(2,)"), "\x7f\xff", 2), &file));
    ck_assert_int_eq(mica_npz_get(file, 0)->integers[1], -1);
    mica_npz_destroy(&file);
    ck_ok(mica_npz_read(npy(HEADER("|u1", "(2,)"), "\x7f\xff", 2), &file));
    ck_assert_int_eq(mica_npz_get(file, 0)->integers[1], 255);
    mica_npz_destroy(&file);
    ck_ok(mica_npz_read(npy(HEADER("|b1", "(2, 1)"), "\0\1", 2), &file));
    ck_assert_int_eq(mica_npz_get(file, 0)->integers[1], 1);
    mica_npz_destroy(&file);
    ck_ok(mica_npz_read(npy(HEADER("|S3", "(2,)"), "ab\0xyz", 6), &file));
    ck_assert_str_eq(mica_npz_get(file, 0)->texts[0], "ab");
    ck_assert_str_eq(mica_npz_get(file, 0)->texts[1], "xyz");
}
END_TEST

START_TEST(refuses) {
    static const struct {
        const char *header;
        size_t size;
        const char *words;
    } bad[] = {
        {HEADER("<f4", "(3,)"), 8, "8 bytes of data"},
        {HEADER("<f4", "(1,)"), 8, "8 bytes of data"},
        {HEADER("<f4", "(0,)"), 0, "header was not understood"},
        {HEADER("<f4", "(-1,)"), 8, "header was not understood"},
        {HEADER("<f4", "(99999999999,)"), 8, "header was not understood"},
        {HEADER("<f4", "(2147483647, 2147483647, 2147483647)"), 8, "header was not understood"},
        {HEADER("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), 4, "header was not understood"},
        {HEADER(">f4", "(2,)"), 8, "big-endian numbers (>f4), wanted little-endian"},
        {HEADER("|O", "(2,)"), 8, "pickled Python objects, which are not read"},
        {HEADER("<c8", "(1,)"), 8, "elements of type <c8, wanted floats"},
        {HEADER("<f16", "(1,)"), 16, "elements of type f16"},
        {HEADER("<i3", "(2,)"), 6, "elements of type i3"},
        {HEADER("<U1", "(2,)"), 8, "is not UTF"},
        {HEADER("<u4", "(2,)"), 8, "does not fit into int32"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }\n", 8, "Fortran's order"},
        {"{'descr': '<f4', 'shape': (2,), }\n", 8, "header was not understood"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8,
            "header was not understood"},
        {"{}", 0, "header was not understood"},
        {"", 0, "not an array"},
        {"__import__('os')", 0, "header was not understood"},
    };
    static const uint8_t data[16] = {255, 255, 255, 255, 255, 255, 255, 255};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mica_status status = mica_npz_read(npy(bad[i].header, data, bad[i].size), &file);
        ck_assert_msg(status == MICA_E_FORMAT || status == MICA_E_UNSUPPORTED, "case %zu", i);
        ck_assert_msg(
            strstr(mica_last_error(), bad[i].words) != NULL, "case %zu: %s", i, mica_last_error());
    }
    ck_refused(mica_npz_read(temp_path("none.npz"), &file), MICA_E_NOT_FOUND, "none.npz");
    ck_refused(mica_npz_read(temp_path("none.npy"), &file), MICA_E_NOT_FOUND, "none.npy");
    ck_refused(mica_npz_read(temp_write("x.npz", "PK", 2), &file), MICA_E_FORMAT, "x.npz");
    ck_refused(mica_npz_read(temp_write("x.npy", "\x93NUMPY", 6), &file), MICA_E_FORMAT, "x.npy");
    ck_refused(mica_npz_write(temp_path("no/a.npz"), arrays, 3), MICA_E_IO, "no/a.npz");
}
END_TEST

START_TEST(long_text_comes_back) {
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE + 1);
    memset(text, 'x', SIZE);
    text[SIZE] = 0;
    const char *const texts[] = {text};
    const mica_array array = {.name = "class_names", .shape = {1, {1}}, .texts = texts};
    clock_t begin = clock();
    ck_ok(mica_npz_write(temp_path("a.npz"), &array, 1));
    ck_ok(mica_npz_read(temp_path("a.npz"), &file));
    ck_assert_str_eq(mica_npz_get(file, 0)->texts[0], text);
    ck_assert_int_lt((clock() - begin) / CLOCKS_PER_SEC, 5);
    free(text);
}
END_TEST

/* A header that ends anywhere in it, said to be whole. */
START_TEST(refuses_cut_headers) {
    static const char whole[] = HEADER("<f4", "(2, 1)");
    for (size_t i = 0; i < sizeof whole - 2; i++) {
        char cut[sizeof whole] = "";
        memcpy(cut, whole, i);
        ck_refused(mica_npz_read(npy(cut, codes, 8), &file), MICA_E_FORMAT, "array");
    }
}
END_TEST

static uint8_t *put(uint8_t *at, uint32_t number, int bytes) {
    for (int i = 0; i < bytes; i++)
        *at++ = (uint8_t)(number >> 8 * i);
    return at;
}

/* What the header of a member (a, b, ...) and its entry in the directory have in common. */
static uint8_t *put_member(uint8_t *at, int method, uint32_t sum, uint32_t packed, uint32_t size) {
    const uint8_t version_to_date[] = {20, 0, 0, 0, (uint8_t)method, 0, 0, 0, 0x21, 0};
    memcpy(at, version_to_date, sizeof version_to_date);
    at = put(put(put(at + sizeof version_to_date, sum, 4), packed, 4), size, 4);
    return put(put(at, 5, 2), 0, 2); /* sizes of the name and of what follows it */
}

/* The end of an archive: a directory of so many members, all of them the one at its beginning. */
static uint8_t *put_end(uint8_t *const bytes, uint8_t *const directory, int members, int method,
    uint32_t sum, uint32_t packed, uint32_t size) {
    uint8_t *at = directory;
    for (int i = 0; i < members; i++) {
        at = put_member(put(put(at, 0x02014b50, 4), 20, 2), method, sum, packed, size);
        at = put(put(put(at, 0, 4), 0, 2), 0, 4); /* comment and disk, kinds */
        at = put(at, 0, 4);                       /* where it lies */
        *at++ = (uint8_t)('a' + i);
        at = mempcpy(at, ".npy", 4);
    }
    const uint32_t listed = (uint32_t)(at - directory);
    at = put(put(put(put(at, 0x06054b50, 4), 0, 4), (uint32_t)members, 2), (uint32_t)members, 2);
    return put(put(put(at, listed, 4), (uint32_t)(directory - bytes), 4), 0, 2);
}

/* An archive whose members are all the same bytes of it. */
START_TEST(refuses_shared_bytes) {
    enum { MEMBERS = 20 };
    static uint8_t bytes[4096];
    npy(HEADER("<f4", "(200,)"), bytes, 800); /* zeros */
    FILE *stream = fopen(temp_path("a.npy"), "rb");
    uint8_t array[2048];
    const uint32_t size = (uint32_t)fread(array, 1, sizeof array, stream);
    fclose(stream);
    const uint32_t sum = (uint32_t)crc32(0, array, size);
    uint8_t *at = put_member(put(bytes, 0x04034b50, 4), 0, sum, size, size);
    memcpy(mempcpy(at, "a.npy", 5), array, size);
    at = put_end(bytes, at + 5 + size, MEMBERS, 0, sum, size, size);
    const char *path = temp_write("a.npz", bytes, (size_t)(at - bytes));
    ck_refused(mica_npz_read(path, &file), MICA_E_FORMAT, "array 2 is damaged");
}
END_TEST

/* a.npz with one compressed array a: that header, and so many megabytes of zeros. */
static const char *compressed(const char *header, int megabytes) {
    enum { ROOM = 1 << 20 };
    static uint8_t bytes[ROOM], zeros[ROOM];
    npy(header, NULL, 0);
    FILE *stream = fopen(temp_path("a.npy"), "rb");
    const uint32_t begin = (uint32_t)fread(zeros, 1, 4096, stream);
    fclose(stream);
    z_stream z = {.next_out = bytes + 35, .avail_out = ROOM - 35};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uint32_t sum = 0;
    for (int i = 0; i <= megabytes; i++) { /* the first is the header */
        z.next_in = zeros;
        z.avail_in = i ? ROOM : begin;
        sum = (uint32_t)crc32(sum, zeros, z.avail_in);
        deflate(&z, i < megabytes ? Z_NO_FLUSH : Z_FINISH);
        ck_assert_uint_eq(z.avail_in, 0);
        memset(zeros, 0, begin);
    }
    const uint32_t packed = (uint32_t)z.total_out, size = begin + (uint32_t)megabytes * ROOM;
    deflateEnd(&z);
    memcpy(put_member(put(bytes, 0x04034b50, 4), 8, sum, packed, size), "a.npy", 5);
    uint8_t *end = put_end(bytes, bytes + 35 + packed, 1, 8, sum, packed, size);
    return temp_write("a.npz", bytes, (size_t)(end - bytes));
}

/* Most memory that the process has had, in megabytes. */
static long peak(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss >> 10;
}

/* 128 MB of zeros are some 130 KB compressed. */
START_TEST(refuses_before_memory_is_taken) {
    const char *path = compressed(HEADER("<f4", "(1000, 2)"), 128);
    const long before = peak();
    ck_refused(mica_npz_read(path, &file), MICA_E_FORMAT, "134217728 bytes of data");
    path = compressed(HEADER("<f4", "(1048576, 32)"), 128);
    mica_dataset *set;
    ck_refused(mica_dataset_from_npz(path, NULL, NULL, &set), MICA_E_FORMAT, "an array codes");
    ck_refused(mica_dataset_from_npz(path, path, NULL, &set), MICA_E_FORMAT, "an array codes");
    ck_assert_int_lt(peak() - before, 32);
    ck_ok(mica_npz_read(path, &file));
    ck_assert_int_eq(mica_npz_get(file, 0)->shape.dim[0], 1048576);
    ck_assert_int_lt(peak() - before, 192); /* the array, and not its bytes beside it */
    mica_npz_destroy(&file);
    /* a file of zeros that has no blocks: texts larger than the machine's memory */
    char header[128];
    const int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    const int64_t rows = 1 << 24, width = machine / rows / 4 + 1;
    snprintf(header, sizeof header, "{'descr': '<U%lld', 'fortran_order': False, 'shape': (%lld,)}",
        (long long)width, (long long)rows);
    path = npy(header, NULL, 0);
    ck_assert_int_eq(truncate(path, 10 + (off_t)strlen(header) + rows * width * 4), 0);
    ck_refused(mica_npz_read(path, &file), MICA_E_MEMORY, "this machine has");
}
END_TEST

/* A limit of the size of files stands for a full disk. */
START_TEST(a_full_disk_leaves_the_former_archive) {
    ck_ok(mica_npz_write(temp_path("a.npz"), arrays, 3));
    const struct rlimit none = {100, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &none);
    mica_status status = mica_npz_write(temp_path("a.npz"), arrays, 2);
    setrlimit(RLIMIT_FSIZE, &all);
    ck_refused(status, MICA_E_IO, "File too large");
    ck_ok(mica_npz_read(temp_path("a.npz"), &file));
    ck_assert_ptr_nonnull(mica_npz_get(file, 2));
    ck_assert_int_eq(remove(temp_path("a.npz")), 0);
    ck_assert_int_eq(remove(temp_path("")), 0); /* nothing else was left */
    temp_make();
}
END_TEST

/* Every prefix of an archive and every byte of it changed: an error or arrays, nothing else. */
START_TEST(survives_damage) {
    ck_ok(mica_npz_write(temp_path("a.npz"), arrays, 3));
    FILE *stream = fopen(temp_path("a.npz"), "rb");
    static uint8_t whole[8192];
    size_t size = fread(whole, 1, sizeof whole, stream);
    fclose(stream);
    ck_assert_uint_lt(size, sizeof whole);
    for (size_t i = 0; i < size; i += 1 + size / 400) {
        ck_assert_int_ne(mica_npz_read(temp_write("p.npz", whole, i), &file), MICA_OK);
        uint8_t kept = whole[i];
        whole[i] ^= 0x55;
        if (mica_npz_read(temp_write("p.npz", whole, size), &file) == MICA_OK)
            mica_npz_destroy(&file);
        whole[i] = kept;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("npz");
    TCase *tests = tcase_create("npz");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, comes_back);
    tcase_add_test(tests, becomes_a_data_set);
    tcase_add_test(tests, reads_types);
    tcase_add_test(tests, long_text_comes_back);
    tcase_add_test(tests, refuses);
    tcase_add_test(tests, refuses_cut_headers);
    tcase_add_test(tests, refuses_shared_bytes);
    tcase_add_test(tests, refuses_before_memory_is_taken);
    tcase_add_test(tests, a_full_disk_leaves_the_former_archive);
    tcase_add_test(tests, survives_damage);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
