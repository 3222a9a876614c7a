/* NumPy's array format (numpy.lib.format): what .npy files and the members of .npz files are. */
#ifndef MICA_IO_NPY_H
#define MICA_IO_NPY_H

#include "base/text.h"

#include <mica/io.h>

/* Adds the magic, the version and the header, padded so that the data begin at a multiple of 64
 * bytes. type: "<f4". */
void mica_npy_header(mica_text *text, const char *type, mica_shape shape);

/* What a header says of an array. */
typedef struct mica_npy_layout {
    char kind;    /* of the type: f, i, u, b, U, S */
    size_t width; /* bytes of an element */
    bool fortran;
    mica_shape shape;
} mica_npy_layout;

/* Where an array's bytes come from: `read` gives the next `size` of those `left`, or fails. */
typedef struct mica_npy_source {
    mica_status (*read)(void *user, void *data, size_t size);
    void *user;
    uint64_t left;
} mica_npy_source;

/* Reads the header and checks it: against the bytes behind it, the types that can be read, and the
 * memory of this machine. `where` begins errors. Little memory is taken. */
mica_status mica_npy_begin(const char *where, mica_npy_source *source, mica_npy_layout *layout);

/* Reads the data behind the header into `array`, whose name stays. */
mica_status mica_npy_data(
    const char *where, mica_npy_source *source, const mica_npy_layout *layout, mica_array *array);

/* Frees the name and the data. */
void mica_array_clear(mica_array *array);

#endif
