/* Reading NumPy's archives: zip files of arrays. libzip does the zip. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARRAYS_MOST 4096
#define RATIO_MOST  1032 /* what Deflate can make of a byte */

typedef struct member {
    mica_array array; /* the first, so that it leads back to the member */
    mica_npy_layout layout;
    char *where; /* the file and the array, for errors */
    uint64_t size;
} member;

struct mica_npz {
    char *path;
    zip_t *archive; /* NULL: a .npy file, */
    int fd;         /* which is open here */
    size_t count;
    member *members;
};

/* ---- the bytes of an array ---- */

static mica_status file_read(void *user, void *data, size_t size) {
    const mica_npz *npz = user;
    for (char *at = data; size;) {
        ssize_t n = TEMP_FAILURE_RETRY(read(npz->fd, at, size));
        if (n < 0)
            return mica_fail(MICA_E_IO, "cannot read %s: %s", npz->path, strerror(errno));
        if (n == 0)
            return mica_fail(MICA_E_IO, "%s: became shorter while it was open", npz->path);
        at += n;
        size -= (size_t)n;
    }
    return MICA_OK;
}

typedef struct unzipping {
    const member *m;
    zip_file_t *file;
} unzipping;

static mica_status zip_read(void *user, void *data, size_t size) {
    unzipping *u = user;
    if (zip_fread(u->file, data, size) != (zip_int64_t)size)
        return mica_fail(MICA_E_FORMAT, "%s is damaged", u->m->where);
    return MICA_OK;
}

/* The header, and the data where they are wanted. The end of a zipped array is read too: only there
 * its check sum is compared. */
static mica_status member_read(mica_npz *npz, member *m, mica_npy_source *source, bool with_data) {
    MICA_TRY(mica_npy_begin(m->where, source, &m->layout));
    m->array.shape = m->layout.shape;
    if (!with_data)
        return MICA_OK;
    MICA_TRY(mica_npy_data(m->where, source, &m->layout, &m->array));
    unzipping *u = npz->archive ? source->user : NULL;
    char more;
    return u && zip_fread(u->file, &more, 1) != 0
               ? mica_fail(MICA_E_FORMAT, "%s is damaged", m->where)
               : MICA_OK;
}

static mica_status member_open(mica_npz *npz, member *m, bool with_data) {
    if (!npz->archive) {
        if (lseek(npz->fd, 0, SEEK_SET) < 0)
            return mica_fail(MICA_E_IO, "cannot read %s: %s", npz->path, strerror(errno));
        return member_read(npz, m, &(mica_npy_source){file_read, npz, m->size}, with_data);
    }
    unzipping u = {m, zip_fopen_index(npz->archive, (zip_uint64_t)(m - npz->members), 0)};
    if (!u.file)
        return mica_zip_failed(npz->path, zip_get_error(npz->archive));
    mica_status status = member_read(npz, m, &(mica_npy_source){zip_read, &u, m->size}, with_data);
    zip_fclose(u.file);
    return status;
}

/* ---- opening ---- */

/* A member's size is believed only as far as its compressed size allows. */
static mica_status member_find(mica_npz *npz, size_t index, uint64_t *left) {
    const zip_uint64_t wanted = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    zip_stat_t found;
    member *m = &npz->members[index];
    if (zip_stat_index(npz->archive, index, 0, &found))
        return mica_zip_failed(npz->path, zip_get_error(npz->archive));
    if ((found.valid & wanted) != wanted || found.comp_size > *left)
        return mica_fail(MICA_E_FORMAT, "%s: array %zu is damaged", npz->path, index);
    *left -= found.comp_size;
    size_t length = strlen(found.name);
    if (length > 4 && !strcmp(found.name + length - 4, ".npy"))
        length -= 4;
    m->size = found.size;
    m->array.name = mica_format("%.*s", (int)length, found.name);
    m->where = mica_format("%s: %.100s", npz->path, m->array.name ? m->array.name : "");
    if (!m->array.name || !m->where)
        return MICA_E_MEMORY;
    if (found.size / RATIO_MOST > found.comp_size)
        return mica_fail(MICA_E_FORMAT, "%s: its size is not credible", m->where);
    return member_open(npz, m, false);
}

static mica_status archive_open(mica_npz *npz) {
    int code;
    struct stat file;
    npz->archive = zip_open(npz->path, ZIP_RDONLY, &code);
    if (!npz->archive)
        return mica_zip_failed_code(npz->path, code);
    zip_int64_t count = zip_get_num_entries(npz->archive, 0);
    if (count < 1 || count > ARRAYS_MOST)
        return mica_fail(MICA_E_FORMAT, "%s: %lld arrays: wanted 1 to %d", npz->path,
            (long long)count, ARRAYS_MOST);
    if (!(npz->members = mica_alloc((size_t)count, sizeof *npz->members)))
        return MICA_E_MEMORY;
    if (stat(npz->path, &file))
        return mica_fail(MICA_E_IO, "cannot read %s: %s", npz->path, strerror(errno));
    npz->count = (size_t)count;
    uint64_t left = (uint64_t)file.st_size; /* members do not share bytes */
    for (size_t i = 0; i < npz->count; i++)
        MICA_TRY(member_find(npz, i, &left));
    return MICA_OK;
}

static mica_status file_open(mica_npz *npz) {
    struct stat file;
    npz->fd = (int)TEMP_FAILURE_RETRY(open(npz->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (npz->fd < 0)
        return mica_open_failed(npz->path);
    if (fstat(npz->fd, &file) || !S_ISREG(file.st_mode))
        return mica_fail(MICA_E_INVALID, "cannot read %s: it is not a regular file", npz->path);
    if (!(npz->members = mica_alloc(1, sizeof *npz->members)))
        return MICA_E_MEMORY;
    npz->count = 1;
    member *m = npz->members;
    m->size = (uint64_t)file.st_size;
    m->array.name = mica_strdup("");
    m->where = mica_strdup(npz->path);
    return m->array.name && m->where ? member_open(npz, m, false) : MICA_E_MEMORY;
}

mica_status mica_npz_open(const char *path, mica_npz **out) {
    const size_t length = strlen(path);
    const bool one = length > 4 && !strcmp(path + length - 4, ".npy");
    mica_npz *npz = mica_alloc(1, sizeof *npz);
    if (!npz)
        return MICA_E_MEMORY;
    npz->fd = -1;
    npz->path = mica_strdup(path);
    mica_status status = !npz->path ? MICA_E_MEMORY : one ? file_open(npz) : archive_open(npz);
    if (status == MICA_OK)
        *out = npz;
    else
        mica_npz_destroy(&npz);
    return status;
}

void mica_npz_destroy(mica_npz **owner) {
    mica_npz *npz = *owner;
    if (!npz)
        return;
    *owner = NULL;
    for (size_t i = 0; i < npz->count; i++) {
        mica_array_clear(&npz->members[i].array);
        free(npz->members[i].where);
    }
    free(npz->members);
    if (npz->archive)
        zip_discard(npz->archive);
    if (npz->fd >= 0)
        close(npz->fd);
    free(npz->path);
    free(npz);
}

char mica_npz_kind(const mica_array *array) {
    return ((const member *)array)->layout.kind;
}

const char *mica_npz_type(const mica_array *array, char *text, size_t size) {
    const mica_npy_layout *layout = &((const member *)array)->layout;
    const bool texts = layout->kind == 'U' || layout->kind == 'S', one = layout->kind == 'b';
    snprintf(text, size,
        texts ? "text"
        : one ? "bool"
              : "%s%zu",
        layout->kind == 'f'   ? "float"
        : layout->kind == 'i' ? "int"
                              : "uint",
        8 * layout->width);
    return text;
}

mica_status mica_npz_load(mica_npz *npz, const mica_array *array) {
    member *m = &npz->members[(const member *)array - npz->members];
    const bool there = m->array.floats || m->array.integers || m->array.texts;
    return there ? MICA_OK : member_open(npz, m, true);
}

mica_status mica_npz_read(const char *path, mica_npz **out) {
    mica_npz *npz;
    MICA_TRY(mica_npz_open(path, &npz));
    for (size_t i = 0; i < npz->count; i++) {
        mica_status status = mica_npz_load(npz, &npz->members[i].array);
        if (status != MICA_OK) {
            mica_npz_destroy(&npz);
            return status;
        }
    }
    *out = npz;
    return MICA_OK;
}

const mica_array *mica_npz_get(const mica_npz *npz, size_t index) {
    return index < npz->count ? &npz->members[index].array : NULL;
}

const mica_array *mica_npz_find(const mica_npz *npz, const char *name) {
    for (size_t i = 0; i < npz->count; i++)
        if (!strcmp(npz->members[i].array.name, name))
            return &npz->members[i].array;
    return NULL;
}
