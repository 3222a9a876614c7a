/* IDX files: a big-endian header (two zero bytes, a type, the rank, then a 32-bit size a dimension)
 * and the values row by row. Only unsigned bytes (type 8) are read: what images and labels are. */
#include "base/error.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/source.h"

#include <limits.h>
#include <stdlib.h>

#define IDX_BYTES   0x0800 /* the magic number is this plus the rank */
#define IDX_LABELS  (IDX_BYTES + 1)
#define IDX_IMAGES  (IDX_BYTES + 3)
#define SAMPLE_DIMS (MICA_MAX_RANK - 1) /* a batch of samples has one more */

typedef struct idx {
    int rank;
    int64_t dim[1 + SAMPLE_DIMS];
    uint8_t *data; /* malloc; the product of dim bytes */
} idx;

static uint32_t big_endian(const uint8_t byte[4]) {
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

static mica_status magic_check(const char *path, bool labels, uint32_t magic) {
    const char *what = labels ? "labels" : "images";
    uint32_t wanted = labels ? IDX_LABELS : IDX_IMAGES;
    if (magic == wanted || (!labels && magic > IDX_LABELS && magic <= IDX_LABELS + SAMPLE_DIMS))
        return MICA_OK;
    if (magic == IDX_LABELS || magic == IDX_IMAGES)
        return mica_fail(MICA_E_FORMAT,
            "%s: wanted %s (magic %u), came %s (magic %u): are the two files swapped?", path, what,
            wanted, labels ? "images" : "labels", magic);
    return mica_fail(MICA_E_FORMAT,
        "%s: wanted an IDX file of %s (magic %u), came magic %u (0x%08x): this is another kind of "
        "file",
        path, what, wanted, magic, magic);
}

/* Reads the header and checks it against what the file can hold. *size is the data's in bytes. */
static mica_status header_read(
    mica_source *source, const char *path, bool labels, idx *out, size_t *size) {
    uint8_t byte[4 * (1 + 1 + SAMPLE_DIMS)];
    size_t got;
    MICA_TRY(mica_source_read(source, byte, 4, &got));
    if (got < 4)
        return mica_fail(MICA_E_FORMAT,
            "%s: wanted an IDX file, came %zu byte%s: empty or cut off; get it again", path, got,
            got == 1 ? "" : "s");
    MICA_TRY(magic_check(path, labels, big_endian(byte)));
    out->rank = byte[3];
    size_t header = 4 * (size_t)out->rank;
    MICA_TRY(mica_source_read(source, byte, header, &got));
    if (got < header)
        return mica_fail(MICA_E_FORMAT, "%s: cut off in its header of %zu bytes; get it again",
            path, header + 4);
    uint64_t bytes = 1;
    for (int i = 0; i < out->rank; i++) {
        uint32_t dim = big_endian(byte + 4 * i);
        out->dim[i] = dim;
        if (!dim)
            return mica_fail(MICA_E_FORMAT,
                "%s: empty: dimension %d of %d in its header is 0, wanted at least 1", path, i + 1,
                out->rank);
        if (dim > INT32_MAX || bytes > UINT64_MAX / dim)
            return mica_fail(MICA_E_FORMAT,
                "%s: dimension %d of %d in its header is %u, which no data set can have", path,
                i + 1, out->rank, dim);
        bytes *= dim;
    }
    if (bytes > mica_source_most(source) || bytes > SIZE_MAX)
        return mica_fail(MICA_E_FORMAT,
            "%s: cut off, or a wrong header: it announces %llu bytes, the file has room for at most "
            "%llu; get it again",
            path, (unsigned long long)bytes, (unsigned long long)mica_source_most(source));
    *size = (size_t)bytes;
    return MICA_OK;
}

static mica_status body_read(mica_source *source, const char *path, size_t size, uint8_t *data) {
    size_t got;
    MICA_TRY(mica_source_read(source, data, size, &got));
    if (got < size)
        return mica_fail(MICA_E_FORMAT,
            "%s: cut off: the header announces %zu bytes of data, the file has %zu; get it again",
            path, size, got);
    uint8_t more;
    MICA_TRY(mica_source_read(source, &more, 1, &got));
    return got ? mica_fail(MICA_E_FORMAT,
                     "%s: too long: the header announces %zu bytes of data, the file goes on; get "
                     "it again",
                     path, size)
               : MICA_OK;
}

static mica_status idx_read(const char *path, bool labels, idx *out) {
    mica_source *source;
    MICA_TRY(mica_source_open(path, &source));
    idx made = {0};
    size_t size = 0;
    mica_status status = header_read(source, path, labels, &made, &size);
    if (status == MICA_OK) {
        made.data = malloc(size);
        status = made.data ? body_read(source, path, size, made.data)
                           : mica_fail(MICA_E_MEMORY, "out of host memory: %s announces %zu bytes",
                                 path, size);
    }
    mica_source_close(&source);
    if (status != MICA_OK)
        free(made.data);
    else
        *out = made;
    return status;
}

static mica_shape sample_shape(const idx *images) {
    if (images->rank == 3)
        return MICA_SHAPE(images->dim[1], images->dim[2], 1);
    return mica_shape_of(images->rank - 1, images->dim + 1);
}

mica_status mica_dataset_from_idx(const char *images_path, const char *labels_path,
    const mica_dataset_options *options, mica_dataset **dataset) {
    idx images, labels;
    MICA_TRY(idx_read(images_path, false, &images));
    mica_status status = idx_read(labels_path, true, &labels);
    if (status != MICA_OK) {
        free(images.data);
        return status;
    }
    mica_samples samples = {
        .count = images.dim[0], .sample = sample_shape(&images), .bytes = images.data};
    if (images.dim[0] != labels.dim[0])
        status = mica_fail(MICA_E_FORMAT,
            "%s has %lld images but %s has %lld labels: they do not belong together", images_path,
            (long long)images.dim[0], labels_path, (long long)labels.dim[0]);
    else if (!(samples.labels = mica_alloc((size_t)samples.count, sizeof *samples.labels)))
        status = MICA_E_MEMORY;
    if (status == MICA_OK) {
        for (int64_t i = 0; i < samples.count; i++)
            samples.labels[i] = labels.data[i];
        status = mica_dataset_adopt(&samples, options, dataset);
        if (status != MICA_OK)
            mica_fail_in(status, "%s", labels_path);
    }
    free(labels.data);
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}
