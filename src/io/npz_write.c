/* Writing NumPy's archives. libzip lays them out, base/file.h puts them in their place. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

mica_status mica_zip_failed(const char *path, zip_error_t *error) {
    mica_status status = zip_error_code_zip(error) == ZIP_ER_MEMORY   ? MICA_E_MEMORY
                         : zip_error_code_zip(error) == ZIP_ER_NOENT  ? MICA_E_NOT_FOUND
                         : zip_error_system_type(error) == ZIP_ET_SYS ? MICA_E_IO
                                                                      : MICA_E_FORMAT;
    return mica_fail(status, "%s: %s", path, zip_error_strerror(error));
}

mica_status mica_zip_failed_code(const char *path, int code) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    mica_status status = mica_zip_failed(path, &error);
    zip_error_fini(&error);
    return status;
}

/* ---- where libzip writes to ---- */

typedef struct sink {
    mica_file_writer *writer;
    mica_status status; /* of the first call that failed */
    uint64_t at, end;
    zip_error_t error;
} sink;

static zip_int64_t sink_result(sink *s, mica_status status, zip_int64_t result) {
    if (status == MICA_OK)
        return result;
    if (s->status == MICA_OK)
        s->status = status;
    zip_error_set(&s->error, ZIP_ER_WRITE, 0);
    return -1;
}

/* A source as libzip wants one (zip_source_function) that is not there yet, and only written. */
static zip_int64_t sink_call(void *user, void *data, zip_uint64_t size, zip_source_cmd_t command) {
    sink *s = user;
    zip_int64_t offset;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_WRITABLE;
    case ZIP_SOURCE_STAT:
        zip_error_set(&s->error, ZIP_ER_READ, ENOENT);
        return -1;
    case ZIP_SOURCE_WRITE:
        s->at += size;
        s->end = s->at > s->end ? s->at : s->end;
        return sink_result(s, mica_file_write(s->writer, data, size), (zip_int64_t)size);
    case ZIP_SOURCE_SEEK_WRITE:
        offset = zip_source_seek_compute_offset(s->at, s->end, data, size, &s->error);
        if (offset < 0)
            return -1;
        s->at = (uint64_t)offset;
        return sink_result(s, mica_file_seek(s->writer, s->at), 0);
    case ZIP_SOURCE_TELL_WRITE:
        return (zip_int64_t)s->at;
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&s->error, data, size);
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE: /* mica_file_commit's part */
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_REMOVE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        zip_error_set(&s->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* ---- the arrays ---- */

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
    mica_status status = !source     ? mica_zip_failed(path, &error)
                         : index < 0 ? mica_zip_failed(path, zip_get_error(archive))
                                     : MICA_OK;
    zip_error_fini(&error);
    if (status == MICA_OK) {
        zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0);
        /* the same arrays make the same file: 1980-01-01, as NumPy has it */
        zip_file_set_dostime(archive, (zip_uint64_t)index, 0, 1 << 5 | 1, 0);
    }
    return status;
}

static mica_status archive_write(
    const char *path, sink *s, const mica_array *arrays, size_t count, mica_text *texts) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(sink_call, s, &error);
    zip_t *archive =
        source ? zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
    mica_status status = archive ? MICA_OK : mica_zip_failed(path, &error);
    if (source && !archive)
        zip_source_free(source);
    zip_error_fini(&error);
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        status = array_add(path, archive, &arrays[i], &texts[i]);
    if (status == MICA_OK && zip_close(archive)) /* what failed below libzip has left its text */
        status = s->status != MICA_OK ? s->status : mica_zip_failed(path, zip_get_error(archive));
    else if (status == MICA_OK)
        archive = NULL;
    if (archive)
        zip_discard(archive);
    return status;
}

mica_status mica_npz_write(const char *path, const mica_array *arrays, size_t count) {
    mica_text *texts = mica_alloc(count, sizeof *texts); /* must live until the archive is closed */
    sink s = {0};
    zip_error_init(&s.error);
    mica_status status = texts ? mica_file_begin(path, &s.writer) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = archive_write(path, &s, arrays, count, texts);
    if (status == MICA_OK)
        status = mica_file_commit(&s.writer);
    mica_file_abort(&s.writer);
    zip_error_fini(&s.error);
    for (size_t i = 0; i < count && texts; i++)
        free(texts[i].data);
    free(texts);
    return status;
}
