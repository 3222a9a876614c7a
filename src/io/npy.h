/* NumPy's array format (numpy.lib.format): what .npy files and the members of .npz files are. */
#ifndef MICA_IO_NPY_H
#define MICA_IO_NPY_H

#include "base/text.h"

#include <mica/io.h>

/* Adds the magic, the version and the header, padded so that the data begin at a multiple of 64
 * bytes. type: "<f4". */
void mica_npy_header(mica_text *text, const char *type, mica_shape shape);

/* Makes an array of a whole file in memory; name, which is copied, goes before errors and into the
 * array. Nothing is allocated that the size does not allow for. */
mica_status mica_npy_parse(
    const char *path, const char *name, const void *data, size_t size, mica_array *array);

/* Frees what parsing made. */
void mica_array_clear(mica_array *array);

#endif
