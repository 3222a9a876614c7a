/* NumPy's archives: zip files of arrays. libzip does the zip. */
#include "io/npy.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#define FILE_LIMIT  ((size_t)1 << 40) /* bytes */
#define ARRAYS_MOST 4096
#define RATIO_MOST  1032 /* what Deflate can make of a byte */

struct mica_npz {
    size_t count;
    mica_array *arrays;
};

static mica_status zip_failed(const char *path, zip_error_t *error) {
    mica_status status = zip_error_code_zip(error) == ZIP_ER_MEMORY   ? MICA_E_MEMORY
                         : zip_error_code_zip(error) == ZIP_ER_NOENT  ? MICA_E_NOT_FOUND
                         : zip_error_system_type(error) == ZIP_ET_SYS ? MICA_E_IO
                                                                      : MICA_E_FORMAT;
    return mica_fail(status, "%s: %s", path, zip_error_strerror(error));
}

static mica_status archive_open(const char *path, int flags, zip_t **archive) {
    int code;
    *archive = zip_open(path, flags, &code);
    if (*archive)
        return MICA_OK;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    mica_status status = zip_failed(path, &error);
    zip_error_fini(&error);
    return status;
}

/* ---- writing ---- */

/* The longest text in characters, at least 1; 0 where one is not UTF-8. */
static size_t texts_width(const mica_array *array, int64_t count) {
    size_t width = 1;
    int32_t point;
    const char *why;
    for (int64_t i = 0; i < count; i++) {
        size_t length = 0;
        for (const char *c = array->texts[i]; *c; length++) {
            int n = mica_utf8_read(c, strnlen(c, 4), &point, &why);
            if (!n)
                return 0;
            c += n;
        }
        width = length > width ? length : width;
    }
    return width;
}

/* Texts as characters of 32 bits, each padded with zeros to the same width. */
static void texts_add(mica_text *text, const mica_array *array, int64_t count, size_t width) {
    const char *why;
    for (int64_t i = 0; i < count; i++) {
        const char *c = array->texts[i];
        for (size_t k = 0; k < width; k++) {
            int32_t point = 0;
            c += *c ? mica_utf8_read(c, strnlen(c, 4), &point, &why) : 0;
            mica_text_bytes(text, &point, sizeof point);
        }
    }
}

/* Header and data of an array, the data where they lie but for texts. */
static mica_status array_add(
    const char *path, zip_t *archive, const mica_array *array, mica_text *text) {
    int64_t count = mica_shape_count(array->shape);
    size_t width = array->texts && count > 0 ? texts_width(array, count) : 1;
    char type[32], *member = NULL;
    if (count < 1 || !width)
        return mica_fail(MICA_E_INVALID, "%s: %s: %s", path, array->name,
            count < 1 ? "the shape of the array is not valid" : "a text is not UTF-8");
    snprintf(type, sizeof type, array->texts ? "<U%zu" : array->floats ? "<f4" : "<i4", width);
    mica_npy_header(text, type, array->shape);
    if (array->texts)
        texts_add(text, array, count, width);
    if (text->failed || !(member = mica_format("%s.npy", array->name)))
        return mica_fail(MICA_E_MEMORY, "out of host memory");
    const zip_buffer_fragment_t parts[] = {{(zip_uint8_t *)text->data, text->size},
        {(zip_uint8_t *)(array->floats ? (const void *)array->floats
                                       : (const void *)array->integers),
            (zip_uint64_t)count * 4}};
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source =
        zip_source_buffer_fragment_create(parts, array->texts ? 1 : 2, 0, &error);
    zip_int64_t index = source ? zip_file_add(archive, member, source, ZIP_FL_ENC_UTF_8) : -1;
    free(member);
    if (source && index < 0)
        zip_source_free(source);
    mica_status status = !source     ? zip_failed(path, &error)
                         : index < 0 ? zip_failed(path, zip_get_error(archive))
                                     : MICA_OK;
    zip_error_fini(&error);
    if (status == MICA_OK) {
        zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0);
        /* the same arrays make the same file: 1980-01-01, as NumPy has it */
        zip_file_set_dostime(archive, (zip_uint64_t)index, 0, 1 << 5 | 1, 0);
    }
    return status;
}

mica_status mica_npz_write(const char *path, const mica_array *arrays, size_t count) {
    zip_t *archive = NULL;
    mica_text *texts = mica_alloc(count, sizeof *texts); /* must live until the archive is closed */
    mica_status status =
        texts ? archive_open(path, ZIP_CREATE | ZIP_TRUNCATE, &archive) : MICA_E_MEMORY;
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = array_add(path, archive, &arrays[i], &texts[i]);
    if (status == MICA_OK && zip_close(archive))
        status = zip_failed(path, zip_get_error(archive));
    else if (status == MICA_OK)
        archive = NULL;
    if (archive)
        zip_discard(archive);
    for (size_t i = 0; i < count && texts; i++)
        free(texts[i].data);
    free(texts);
    return status;
}

/* ---- reading ---- */

void mica_npz_destroy(mica_npz **owner) {
    mica_npz *npz = *owner;
    if (!npz)
        return;
    *owner = NULL;
    for (size_t i = 0; i < npz->count; i++)
        mica_array_clear(&npz->arrays[i]);
    free(npz->arrays);
    free(npz);
}

/* A member's size is believed only as far as its compressed size allows. */
static mica_status member_read(
    const char *path, zip_t *archive, const zip_stat_t *member, mica_array *array) {
    size_t length = strlen(member->name);
    if (length > 4 && !strcmp(member->name + length - 4, ".npy"))
        length -= 4;
    if (member->size > FILE_LIMIT || member->size / RATIO_MOST > member->comp_size)
        return mica_fail(MICA_E_FORMAT, "%s: %.100s: its size is not credible", path, member->name);
    zip_file_t *file = zip_fopen_index(archive, member->index, 0);
    if (!file)
        return zip_failed(path, zip_get_error(archive));
    char *name = mica_format("%.*s", (int)length, member->name);
    char *data = malloc(member->size + 1);
    mica_status status =
        name && data ? MICA_OK : mica_fail(MICA_E_MEMORY, "%s: out of host memory", path);
    if (status == MICA_OK && zip_fread(file, data, member->size) != (zip_int64_t)member->size)
        status = mica_fail(MICA_E_FORMAT, "%s: %.100s is damaged", path, member->name);
    if (status == MICA_OK)
        status = mica_npy_parse(path, name, data, member->size, array);
    zip_fclose(file);
    free(data);
    free(name);
    return status;
}

static mica_status archive_read(const char *path, zip_t *archive, mica_npz *npz) {
    zip_int64_t count = zip_get_num_entries(archive, 0);
    if (count < 1 || count > ARRAYS_MOST)
        return mica_fail(
            MICA_E_FORMAT, "%s: %lld arrays: wanted 1 to %d", path, (long long)count, ARRAYS_MOST);
    if (!(npz->arrays = mica_alloc((size_t)count, sizeof *npz->arrays)))
        return MICA_E_MEMORY;
    const zip_uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    struct stat file;
    if (stat(path, &file))
        return mica_fail(MICA_E_IO, "cannot read %s: %s", path, strerror(errno));
    uint64_t left = (uint64_t)file.st_size; /* members do not share bytes */
    for (; npz->count < (size_t)count; npz->count++) {
        zip_stat_t member;
        if (zip_stat_index(archive, npz->count, 0, &member))
            return zip_failed(path, zip_get_error(archive));
        if ((member.valid & wanted) != wanted || member.comp_size > left)
            return mica_fail(MICA_E_FORMAT, "%s: array %zu is damaged", path, npz->count);
        left -= member.comp_size;
        MICA_TRY(member_read(path, archive, &member, &npz->arrays[npz->count]));
    }
    return MICA_OK;
}

static mica_status one_read(const char *path, mica_npz *npz) {
    char *data;
    size_t size;
    MICA_TRY(mica_file_read(path, FILE_LIMIT, &data, &size));
    mica_status status = MICA_E_MEMORY;
    if ((npz->arrays = mica_alloc(1, sizeof *npz->arrays)))
        status = mica_npy_parse(path, "", data, size, npz->arrays);
    npz->count = status == MICA_OK;
    free(data);
    return status;
}

mica_status mica_npz_read(const char *path, mica_npz **out) {
    size_t length = strlen(path);
    bool one = length > 4 && !strcmp(path + length - 4, ".npy");
    mica_npz *npz = mica_alloc(1, sizeof *npz);
    if (!npz)
        return MICA_E_MEMORY;
    zip_t *archive = NULL;
    mica_status status = one ? one_read(path, npz) : archive_open(path, ZIP_RDONLY, &archive);
    if (archive) {
        status = archive_read(path, archive, npz);
        zip_discard(archive);
    }
    if (status == MICA_OK)
        *out = npz;
    else
        mica_npz_destroy(&npz);
    return status;
}

const mica_array *mica_npz_get(const mica_npz *npz, size_t index) {
    return index < npz->count ? &npz->arrays[index] : NULL;
}

const mica_array *mica_npz_find(const mica_npz *npz, const char *name) {
    for (size_t i = 0; i < npz->count; i++)
        if (!strcmp(npz->arrays[i].name, name))
            return &npz->arrays[i];
    return NULL;
}
