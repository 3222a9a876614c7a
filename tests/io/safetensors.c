/* Safetensors: round trips, conversions, and files that lie. */
#include "tests/io/temp.h"

#include <math.h>
#include <mica/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A file of a header and zeroed data. */
static const char *file_of(const char *header, size_t data_size) {
    static char bytes[8192];
    uint64_t length = strlen(header);
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    return temp_write("t.safetensors", bytes, 8 + length + data_size);
}

static mica_status open_of(const char *path) {
    mica_safetensors *file = NULL;
    mica_status status = mica_safetensors_open(path, &file);
    mica_safetensors_close(&file);
    return status;
}

static const char *sample_write(const char *name) {
    const mica_stored_tensor tensors[] = {
        {"step", MICA_STORED_I64, 0, NULL},
        {"dense/weight", MICA_STORED_F32, 2, (const int64_t[]){2, 3}},
        {"größe", MICA_STORED_F32, 1, (const int64_t[]){0}},
        {"mask", MICA_STORED_U8, 1, (const int64_t[]){3}},
    };
    const mica_metadata metadata[] = {{"format", "mica"}, {"note", "a \"quoted\"\nline"}};
    const char *path = temp_path(name);
    mica_safetensors_writer *writer;
    ck_ok(mica_safetensors_begin(path, tensors, 4, metadata, 2, &writer));
    int64_t step = 123456789012;
    ck_ok(mica_safetensors_write(writer, &step, sizeof step));
    const float weight[] = {1, -2, 0.5f, INFINITY, 1e-40f, 3};
    ck_ok(mica_safetensors_write(writer, weight, 10));
    ck_ok(mica_safetensors_write(writer, (const char *)weight + 10, sizeof weight - 10));
    ck_ok(mica_safetensors_write(writer, "\1\0\377", 3));
    ck_ok(mica_safetensors_commit(&writer));
    ck_assert_ptr_null(writer);
    return path;
}

START_TEST(round_trip) {
    mica_safetensors *file;
    ck_ok(mica_safetensors_open(sample_write("a.safetensors"), &file));
    ck_assert_uint_eq(mica_safetensors_count(file), 4);
    ck_assert_str_eq(mica_safetensors_metadata(file, "format"), "mica");
    ck_assert_str_eq(mica_safetensors_metadata(file, "note"), "a \"quoted\"\nline");
    ck_assert_ptr_null(mica_safetensors_metadata(file, "other"));
    ck_assert_str_eq(mica_safetensors_get(file, 0)->name, "step");
    ck_assert_ptr_null(mica_safetensors_get(file, 4));
    ck_assert_ptr_null(mica_safetensors_find(file, "dense"));

    int64_t step;
    ck_ok(mica_safetensors_read_bytes(file, mica_safetensors_find(file, "step"), &step));
    ck_assert_int_eq(step, 123456789012);
    const mica_stored_tensor *weight = mica_safetensors_find(file, "dense/weight");
    ck_assert_int_eq(weight->rank, 2);
    ck_assert_int_eq(weight->dim[1], 3);
    ck_assert_int_eq(mica_stored_count(weight), 6);
    ck_assert_str_eq(mica_stored_type_name(weight->type), "F32");
    float values[6];
    ck_ok(mica_safetensors_read_floats(file, weight, values));
    const float wanted[] = {1, -2, 0.5f, INFINITY, 1e-40f, 3};
    ck_assert_mem_eq(values, wanted, sizeof wanted);
    const mica_stored_tensor *nothing = mica_safetensors_find(file, "größe");
    ck_assert_int_eq(mica_stored_count(nothing), 0);
    ck_ok(mica_safetensors_read_floats(file, nothing, values));
    ck_ok(mica_safetensors_read_floats(file, mica_safetensors_find(file, "mask"), values));
    ck_assert_float_eq(values[2], 255);
    ck_refused(mica_safetensors_read_floats(file, mica_safetensors_find(file, "step"), values),
        MICA_E_UNSUPPORTED, "I64 does not fit into float32");
    mica_safetensors_close(&file);
    ck_assert_ptr_null(file);
    mica_safetensors_close(&file);
}
END_TEST

START_TEST(data_begin_aligned) {
    FILE *file = fopen(sample_write("a.safetensors"), "rb");
    ck_assert_ptr_nonnull(file);
    uint64_t length;
    ck_assert_uint_eq(fread(&length, 8, 1, file), 1);
    ck_assert_uint_eq(length % 8, 0);
    fclose(file);
}
END_TEST

START_TEST(no_tensors) {
    mica_safetensors_writer *writer;
    ck_ok(mica_safetensors_begin(temp_path("e.safetensors"), NULL, 0, NULL, 0, &writer));
    ck_ok(mica_safetensors_commit(&writer));
    ck_ok(open_of(temp_path("e.safetensors")));
}
END_TEST

START_TEST(widening) {
    /* 1, -2, the largest half, the smallest half, -0, infinity */
    const uint16_t half[] = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0x7e00};
    const uint16_t brain[] = {0x3f80, 0xc000, 0x7f7f, 0x0001, 0x8000, 0x7f80, 0x7fc0};
    const double wide[] = {1, -2, 0.1, 1e300, 5e-324};
    const int16_t whole[] = {-32768, 7};
    const mica_stored_tensor tensors[] = {
        {"wide", MICA_STORED_F64, 1, (const int64_t[]){5}},
        {"half", MICA_STORED_F16, 1, (const int64_t[]){7}},
        {"brain", MICA_STORED_BF16, 1, (const int64_t[]){7}},
        {"whole", MICA_STORED_I16, 1, (const int64_t[]){2}},
    };
    const char *path = temp_path("w.safetensors");
    mica_safetensors_writer *writer;
    ck_ok(mica_safetensors_begin(path, tensors, 4, NULL, 0, &writer));
    ck_ok(mica_safetensors_write(writer, wide, sizeof wide));
    ck_ok(mica_safetensors_write(writer, half, sizeof half));
    ck_ok(mica_safetensors_write(writer, brain, sizeof brain));
    ck_ok(mica_safetensors_write(writer, whole, sizeof whole));
    ck_ok(mica_safetensors_commit(&writer));
    mica_safetensors *file;
    ck_ok(mica_safetensors_open(path, &file));
    float v[7];
    ck_ok(mica_safetensors_read_floats(file, mica_safetensors_find(file, "half"), v));
    ck_assert(v[0] == 1 && v[1] == -2 && v[2] == 65504 && v[3] == 0x1p-24f);
    ck_assert(v[4] == 0 && signbit(v[4]) && isinf(v[5]) && isnan(v[6]));
    ck_ok(mica_safetensors_read_floats(file, mica_safetensors_find(file, "brain"), v));
    ck_assert(v[0] == 1 && v[1] == -2 && v[2] == 0x1.fep127f && v[3] == 0x1p-133f);
    ck_assert(v[4] == 0 && signbit(v[4]) && isinf(v[5]) && isnan(v[6]));
    ck_ok(mica_safetensors_read_floats(file, mica_safetensors_find(file, "wide"), v));
    ck_assert(v[0] == 1 && v[1] == -2 && v[2] == 0.1f && isinf(v[3]) && v[4] == 0);
    ck_ok(mica_safetensors_read_floats(file, mica_safetensors_find(file, "whole"), v));
    ck_assert(v[0] == -32768 && v[1] == 7);
    mica_safetensors_close(&file);
}
END_TEST

/* More than one piece of the conversion's buffer, and a length that does not divide it. */
START_TEST(large_conversion) {
    enum { COUNT = 20001 };
    static uint16_t stored[COUNT];
    static float values[COUNT];
    for (int i = 0; i < COUNT; i++)
        stored[i] = (uint16_t)(3 * i);
    mica_safetensors_writer *writer;
    const char *path = temp_path("l.safetensors");
    ck_ok(mica_safetensors_begin(path,
        &(mica_stored_tensor){"x", MICA_STORED_U16, 1, (const int64_t[]){COUNT}}, 1, NULL, 0,
        &writer));
    ck_ok(mica_safetensors_write(writer, stored, sizeof stored));
    ck_ok(mica_safetensors_commit(&writer));
    mica_safetensors *file;
    ck_ok(mica_safetensors_open(path, &file));
    ck_ok(mica_safetensors_read_floats(file, mica_safetensors_get(file, 0), values));
    for (int i = 0; i < COUNT; i++)
        ck_assert_float_eq(values[i], (float)stored[i]);
    mica_safetensors_close(&file);
}
END_TEST

static mica_status begin(const mica_stored_tensor *tensors, size_t count) {
    mica_safetensors_writer *writer = NULL;
    mica_status status =
        mica_safetensors_begin(temp_path("x.safetensors"), tensors, count, NULL, 0, &writer);
    mica_safetensors_abort(&writer);
    return status;
}

#define ONE(...) (&(mica_stored_tensor){__VA_ARGS__}), 1

START_TEST(writer_refuses) {
    const int64_t two[] = {2}, odd[] = {3}, huge[] = {1LL << 40, 1LL << 40}, below[] = {-1};
    ck_refused(begin(ONE("", MICA_STORED_F32, 1, two)), MICA_E_INVALID, "empty");
    ck_refused(begin(ONE("a\nb", MICA_STORED_F32, 1, two)), MICA_E_INVALID, "control characters");
    ck_refused(begin(ONE("__metadata__", MICA_STORED_F32, 1, two)), MICA_E_INVALID, "taken");
    ck_refused(begin(ONE("\xff", MICA_STORED_F32, 1, two)), MICA_E_INVALID, "UTF-8");
    ck_refused(begin(ONE("a", MICA_STORED_F32, 2, huge)), MICA_E_INVALID, "shape");
    ck_refused(begin(ONE("a", MICA_STORED_F32, 1, below)), MICA_E_INVALID, "shape");
    ck_refused(begin(ONE("a", (mica_stored_type)99, 1, two)), MICA_E_INVALID, "type");
    const mica_stored_tensor twice[] = {
        {"a", MICA_STORED_F32, 1, two}, {"a", MICA_STORED_F32, 1, two}};
    ck_refused(begin(twice, 2), MICA_E_INVALID, "tensor \"a\": this name is taken");
    const mica_stored_tensor narrow[] = {
        {"a", MICA_STORED_U8, 1, odd}, {"b", MICA_STORED_F32, 1, two}};
    ck_refused(begin(narrow, 2), MICA_E_INVALID, "wider types first");
    ck_assert_int_ne(access(temp_path("x.safetensors"), F_OK), 0);
}
END_TEST

START_TEST(former_file_stays) {
    const char *path = sample_write("a.safetensors");
    mica_safetensors_writer *writer;
    ck_ok(mica_safetensors_begin(
        path, ONE("w", MICA_STORED_F32, 1, (const int64_t[]){2}), NULL, 0, &writer));
    ck_ok(mica_safetensors_write(writer, "1234", 4));
    ck_refused(mica_safetensors_write(writer, "123456", 6), MICA_E_INVALID, "4 left");
    ck_refused(mica_safetensors_commit(&writer), MICA_E_INVALID, "wanted 8 bytes of data, came 4");
    mica_safetensors *file;
    ck_ok(mica_safetensors_open(path, &file));
    ck_assert_uint_eq(mica_safetensors_count(file), 4);
    mica_safetensors_close(&file);
}
END_TEST

#define A(type, shape, offsets)                                                                    \
    "{\"a\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define B(offsets_a, offsets_b)                                                                    \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets_a                           \
    "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets_b "}}"

START_TEST(headers) {
    ck_ok(open_of(file_of(A("F32", "[2]", "[0,8]"), 8)));
    ck_ok(open_of(file_of(A("F32", "[2]", "[0,8]") "   ", 8)));
    ck_ok(open_of(file_of(A("F32", "[]", "[0,4]"), 4)));
    ck_ok(open_of(file_of(A("F32", "[0,3]", "[0,0]"), 0)));
    ck_ok(open_of(file_of(A("F8_E4M3", "[1,1,1,1,1,1,1,1,3]", "[0,3]"), 3)));
    ck_ok(open_of(file_of(B("[0,4]", "[4,8]"), 8)));
    ck_ok(open_of(file_of(B("[4,8]", "[0,4]"), 8)));
    ck_ok(open_of(file_of("{}", 0)));
    ck_ok(open_of(file_of("{\"__metadata__\":{}}", 0)));
}
END_TEST

START_TEST(headers_refused) {
    static const struct {
        const char *header;
        size_t data;
        const char *text;
    } cases[] = {
        {"", 0, "no JSON: it does not begin with {"},
        {" {}", 0, "does not begin with {"},
        {"[]", 0, "does not begin with {"},
        {"{", 0, "no JSON"},
        {"{}x", 0, "no JSON"},
        {"{} {}", 0, "no JSON"},
        {"{\"a\":1,\"a\":1}", 0, "duplicate"},
        {"{\"\xff\":{}}", 0, "no JSON"},
        {"{\"a\":1}", 0, "unknown dtype"},
        {"{\"a\":{}}", 0, "unknown dtype"},
        {"{\"\":{}}", 0, "name is empty"},
        {"{\"a\\u000a\":{}}", 0, "control characters"},
        {"{\"a\\u0000\":{}}", 0, "no JSON"},
        {"{\"__metadata__\":1}", 0, "object of strings"},
        {"{\"__metadata__\":[]}", 0, "object of strings"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "object of strings"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate"},
        {"{}", 1, "too long: the tensors end at byte 0"},
        {A("F31", "[2]", "[0,8]"), 8, "unknown dtype \"F31\""},
        {A("F32", "2", "[0,8]"), 8, "a list as shape"},
        {A("F32", "[-2]", "[0,8]"), 8, "in its shape"},
        {A("F32", "[2.0]", "[0,8]"), 8, "in its shape"},
        {A("F32", "[\"2\"]", "[0,8]"), 8, "in its shape"},
        {A("F32", "[99999999999999999999]", "[0,8]"), 8, "no JSON"},
        {A("F32", "[4611686018427387904]", "[0,0]"), 0, "do not fit"},
        {A("F32", "[4294967296,4294967296]", "[0,0]"), 0, "do not fit"},
        {A("F32", "[2]", "8"), 8, "two integers"},
        {A("F32", "[2]", "[0]"), 8, "two integers"},
        {A("F32", "[2]", "[0,8,9]"), 8, "two integers"},
        {A("F32", "[2]", "[-8,0]"), 8, "two integers"},
        {A("F32", "[2]", "[0,8.0]"), 8, "two integers"},
        {A("F32", "[2]", "[8,0]"), 8, "do not fit"},
        {A("F32", "[2]", "[0,4]"), 8, "do not fit"},
        {A("F32", "[2]", "[0,9223372036854775807]"), 8, "do not fit"},
        {A("F32", "[2]", "[0,8]"), 7,
            "cut off: tensor \"a\" ends at byte 8 of data, the file has 7"},
        {A("F32", "[2]", "[0,8]"), 9,
            "too long: the tensors end at byte 8 of data, the file has 9"},
        {A("F32", "[2]", "[4,12]"), 12, "begins at byte 4 of data, wanted 0"},
        {B("[0,4]", "[5,9]"), 9, "tensor \"b\" begins at byte 5 of data, wanted 4"},
        {B("[0,4]", "[3,7]"), 7, "tensor \"b\" begins at byte 3 of data, wanted 4"},
        {B("[0,4]", "[0,4]"), 4, "without hole or overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_refused(open_of(file_of(cases[i].header, cases[i].data)), MICA_E_FORMAT, cases[i].text);
    static char deep[8000];
    memset(deep, '[', sizeof deep - 1);
    memcpy(deep, "{\"a\":", 5);
    ck_refused(open_of(file_of(deep, 0)), MICA_E_FORMAT, "no JSON");
    static char name[5200] = "{\"";
    memset(name + 2, 'n', 5000);
    strcpy(name + 5002, "\":{}}");
    ck_refused(open_of(file_of(name, 0)), MICA_E_FORMAT, "over 4096 bytes");
}
END_TEST

START_TEST(lengths_refused) {
    ck_refused(open_of(temp_path("none")), MICA_E_NOT_FOUND, "none: No such file");
    ck_refused(open_of(temp_path("")), MICA_E_INVALID, "not a regular file");
    ck_refused(open_of(temp_write("t", "", 0)), MICA_E_FORMAT, "came 0 bytes");
    ck_refused(open_of(temp_write("t", "\2\0\0\0\0\0\0\0", 8)), MICA_E_FORMAT, "cut off: a header");
    ck_refused(
        open_of(temp_write("t", "\0\0\0\0\0\1\0\0{}", 10)), MICA_E_FORMAT, "the format allows 100");
    ck_refused(
        open_of(temp_write("t", "\0\0\0\0\0\0\0\200{}", 10)), MICA_E_FORMAT, "the format allows");
}
END_TEST

/* Whatever opens must also read. */
static void open_and_read(const char *path) {
    mica_safetensors *file;
    if (mica_safetensors_open(path, &file) != MICA_OK) {
        ck_assert_ptr_null(strchr(mica_last_error(), '\n'));
        return;
    }
    for (size_t i = 0; i < mica_safetensors_count(file); i++) {
        const mica_stored_tensor *tensor = mica_safetensors_get(file, i);
        int64_t count = mica_stored_count(tensor);
        ck_assert(count >= 0 && count < 100);
        float values[100];
        mica_status status = mica_safetensors_read_floats(file, tensor, values);
        ck_assert(status == MICA_OK || status == MICA_E_UNSUPPORTED);
    }
    mica_safetensors_close(&file);
}

START_TEST(damage) {
    char bytes[1024];
    FILE *file = fopen(sample_write("a.safetensors"), "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ck_assert_uint_lt(size, sizeof bytes);
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_eq(open_of(temp_write("t", bytes, cut)), MICA_E_FORMAT);
    for (size_t at = 0; at < size; at++)
        for (int flip = 0; flip < 9; flip++) {
            char kept = bytes[at];
            bytes[at] = (char)(flip < 8 ? kept ^ 1 << flip : kept ^ 0xff);
            open_and_read(temp_write("t", bytes, size));
            bytes[at] = kept;
        }
    ck_ok(open_of(temp_write("t", bytes, size)));
}
END_TEST

START_TEST(shrinks_while_open) {
    const char *path = sample_write("a.safetensors");
    mica_safetensors *file;
    ck_ok(mica_safetensors_open(path, &file));
    ck_assert_int_eq(truncate(path, 100), 0);
    float values[6];
    ck_refused(mica_safetensors_read_floats(file, mica_safetensors_find(file, "mask"), values),
        MICA_E_IO, "became shorter");
    mica_safetensors_close(&file);
}
END_TEST

START_TEST(views) {
    mica_safetensors *file;
    const char *path = sample_write("a.safetensors");
    const float *values, weight[] = {1, -2, 0.5f, INFINITY, 1e-40f, 3};
    ck_ok(mica_safetensors_open(path, &file));
    ck_ok(mica_safetensors_view(file, mica_safetensors_find(file, "dense/weight"), &values));
    ck_assert_mem_eq(values, weight, sizeof weight);
    ck_ok(mica_safetensors_view(file, mica_safetensors_find(file, "mask"), &values));
    ck_assert_float_eq(values[2], 255);
    ck_ok(mica_safetensors_view(file, mica_safetensors_find(file, "größe"), &values));
    ck_refused(mica_safetensors_view(file, mica_safetensors_find(file, "step"), &values),
        MICA_E_UNSUPPORTED, "I64 does not fit into float32");
    ck_ok(mica_safetensors_view(file, mica_safetensors_find(file, "dense/weight"), &values));
    ck_assert_float_eq(values[5], 3);
    ck_assert_int_eq(truncate(path, 100), 0);
    ck_refused(mica_safetensors_view(file, mica_safetensors_find(file, "dense/weight"), &values),
        MICA_E_IO, "became shorter");
    mica_safetensors_close(&file);
    /* A header of an odd length: the numbers are not where floats may lie. */
    ck_ok(mica_safetensors_open(file_of(A("F32", "[2]", "[0,8]") " ", 8), &file));
    ck_ok(mica_safetensors_view(file, mica_safetensors_get(file, 0), &values));
    ck_assert(values[0] == 0 && values[1] == 0);
    mica_safetensors_close(&file);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, data_begin_aligned);
    tcase_add_test(tests, no_tensors);
    tcase_add_test(tests, widening);
    tcase_add_test(tests, large_conversion);
    tcase_add_test(tests, writer_refuses);
    tcase_add_test(tests, former_file_stays);
    tcase_add_test(tests, headers);
    tcase_add_test(tests, headers_refused);
    tcase_add_test(tests, lengths_refused);
    tcase_add_test(tests, damage);
    tcase_add_test(tests, shrinks_while_open);
    tcase_add_test(tests, views);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
