/* The cache of compiled kernels: entries that are missing, cut off, damaged, of another key or
 * refused by the driver are made anew; a folder that cannot be written harms nothing. */
#include "device/cache.h"
#include "base/file.h"
#include "base/hash.h"
#include "tests/device/probe.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/mica-test-XXXXXX";
static char ids[MAX_DEVICES][32];
static int n_devices;

static bool load(const char *key, const char *wanted) {
    void *data;
    size_t size;
    if (mica_cache_load(key, &data, &size) != MICA_OK)
        return false;
    ck_assert_uint_eq(size, strlen(wanted));
    ck_assert_mem_eq(data, wanted, size);
    free(data);
    return true;
}

static glob_t entries(void) {
    char pattern[64];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/mica/kernels/*", folder);
    int result = glob(pattern, 0, NULL, &found);
    ck_assert(result == 0 || result == GLOB_NOMATCH);
    return found;
}

static void clear(void) {
    glob_t found = entries();
    for (size_t i = 0; i < found.gl_pathc; i++)
        unlink(found.gl_pathv[i]);
    globfree(&found);
}

static void replace(const char *path, const void *data, size_t size) {
    ok(mica_file_replace(path, data, size));
}

START_TEST(keeps_and_drops) {
    clear();
    ck_assert(!load("key", ""));
    mica_cache_store("key", "binary", 6);
    mica_cache_store("other", "text", 4);
    ck_assert(load("key", "binary"));
    ck_assert(load("other", "text"));
    mica_cache_store("key", "newer", 5);
    ck_assert(load("key", "newer"));
    mica_cache_drop("key");
    ck_assert(!load("key", ""));
    mica_cache_drop("key");
    ck_assert(load("other", "text"));
    mica_cache_store("empty", "", 0);
    ck_assert(!load("empty", ""));
}
END_TEST

START_TEST(sees_every_damage) {
    clear();
    mica_cache_store("key", "binary", 6);
    glob_t found = entries();
    ck_assert_uint_eq(found.gl_pathc, 1);
    const char *path = found.gl_pathv[0];
    char *data;
    size_t size;
    ok(mica_file_read(path, 1000, &data, &size));
    for (size_t i = 0; i < size; i++) {
        replace(path, data, i);
        ck_assert(!load("key", ""));
        data[i] ^= 0x10;
        replace(path, data, size);
        ck_assert(!load("key", ""));
        data[i] ^= 0x10;
    }
    char *longer = calloc(size + 1, 1);
    memcpy(longer, data, size);
    replace(path, longer, size + 1);
    ck_assert(!load("key", ""));
    replace(path, data, size);
    ck_assert(load("key", "binary"));
    free(longer);
    free(data);
    globfree(&found);
}
END_TEST

START_TEST(without_a_folder) {
    setenv("XDG_CACHE_HOME", "/proc/nonexistent", 1);
    mica_cache_store("key", "binary", 6);
    ck_assert(!load("key", ""));
    unsetenv("XDG_CACHE_HOME");
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    unsetenv("HOME");
    mica_cache_store("key", "binary", 6);
    ck_assert(!load("key", ""));
    mica_cache_drop("key");
    if (home)
        setenv("HOME", home, 1);
    free(home);
    setenv("XDG_CACHE_HOME", folder, 1);
}
END_TEST

/* Opens the device afresh, so that the kernel is built or loaded, and uses it. */
static void use(const char *id, int32_t scale) {
    mica_device *device = NULL;
    mica_buffer *buffer;
    mica_commands *commands;
    float got;
    ok(mica_device_open(id, &device));
    ok(mica_buffer_create(device, 256, MICA_MEMORY_DEVICE, &buffer));
    mica_launch launch = probe_launch(device, scale, 2, 64, buffer, 0, buffer, 0);
    ok(mica_commands_create(device, &launch, 1, false, &commands));
    ok(mica_commands_submit(commands));
    ok(mica_commands_submit(commands));
    ok(mica_buffer_read(buffer, 252, &got, 4));
    ck_assert_float_eq(got, 2.0f * (float)scale + 2);
    mica_commands_destroy(&commands);
    mica_buffer_destroy(&buffer);
    mica_device_destroy(&device);
    ck_assert_ptr_null(device);
}

enum { HEADER = 40, BODY = 100, SIZE_AT = 24, CHECKSUM_AT = 32 };

/* From the second use on, at the latest, a kernel is kept. */
static void use_twice(const char *id) {
    use(id, 3);
    use(id, 3);
    glob_t found = entries();
    ck_assert_uint_ge(found.gl_pathc, 1);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat of;
        ck_assert_int_eq(stat(found.gl_pathv[i], &of), 0);
        ck_assert_int_gt(of.st_size, HEADER + BODY);
    }
    globfree(&found);
}

/* Changes every entry that is there by `change`, then the kernel still works and is kept again. */
static void use_damaged(const char *id, void (*change)(char *data, size_t *size)) {
    glob_t found = entries();
    ck_assert_uint_ge(found.gl_pathc, 1);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *data;
        size_t size;
        ok(mica_file_read(found.gl_pathv[i], (size_t)64 << 20, &data, &size));
        change(data, &size);
        replace(found.gl_pathv[i], data, size);
        free(data);
    }
    globfree(&found);
    use_twice(id);
}

static void cut(char *data, size_t *size) {
    (void)data;
    *size /= 2;
}

static void flip(char *data, size_t *size) {
    data[*size / 2] ^= 1;
}

static void empty(char *data, size_t *size) {
    (void)data;
    *size = 0;
}

/* A whole entry, of the right key, with a binary that no driver takes. */
static void refuse(char *data, size_t *size) {
    ck_assert_uint_gt(*size, HEADER + BODY);
    uint64_t body = BODY;
    memset(data + HEADER, 'x', body);
    uint64_t checksum = mica_hash(MICA_HASH_START, data + HEADER, body);
    memcpy(data + SIZE_AT, &body, sizeof body);
    memcpy(data + CHECKSUM_AT, &checksum, sizeof checksum);
    *size = HEADER + body;
}

START_TEST(damaged_kernels_are_built_anew) {
    const char *id = ids[_i];
    clear();
    use_twice(id);
    use_damaged(id, cut);
    use_damaged(id, flip);
    use_damaged(id, empty);
    use_damaged(id, refuse);
}
END_TEST

START_TEST(kernels_without_a_folder) {
    setenv("XDG_CACHE_HOME", "/proc/nonexistent", 1);
    use(ids[_i], 3);
    setenv("XDG_CACHE_HOME", folder, 1);
}
END_TEST

int main(void) {
    char pocl[64];
    if (!mkdtemp(folder))
        return 1;
    snprintf(pocl, sizeof pocl, "%s/pocl", folder);
    mkdir(pocl, 0777);
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("POCL_CACHE_DIR", pocl, 1); /* PoCL's own cache would hide what ours does */
    n_devices = list_devices("opencl", ids);
    Suite *suite = suite_create("cache");
    TCase *tests = tcase_create("cache");
    tcase_add_test(tests, keeps_and_drops);
    tcase_add_test(tests, sees_every_damage);
    tcase_add_test(tests, without_a_folder);
    tcase_add_loop_test(tests, damaged_kernels_are_built_anew, 0, n_devices);
    tcase_add_loop_test(tests, kernels_without_a_folder, 0, n_devices);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers start threads, which a fork loses */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failed != 0;
}
