/* Writing NumPy's array files. */
#include "io/npy.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>

#define MAGIC "\x93NUMPY\x01\x00"

void mica_npy_header(mica_text *text, const char *type, mica_shape shape) {
    mica_text header = {0};
    mica_text_add(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (int i = 0; i < shape.rank; i++)
        mica_text_add(&header, "%lld,%s", (long long)shape.dim[i], i + 1 < shape.rank ? " " : "");
    mica_text_add(&header, "), }");
    while ((sizeof MAGIC - 1 + 2 + header.size + 1) % 64 && !header.failed)
        mica_text_add(&header, " ");
    mica_text_add(&header, "\n");
    uint8_t size[2] = {(uint8_t)header.size, (uint8_t)(header.size >> 8)};
    mica_text_bytes(text, MAGIC, sizeof MAGIC - 1);
    mica_text_bytes(text, size, sizeof size);
    mica_text_bytes(text, header.data, header.size);
    text->failed = text->failed || header.failed;
    free(header.data);
}

mica_status mica_npy_write(const char *path, mica_shape shape, const float *values) {
    int64_t count = mica_shape_count(shape);
    if (count < 1)
        return mica_fail(MICA_E_INVALID, "%s: the shape of the array is not valid", path);
    mica_text header = {0};
    mica_npy_header(&header, "<f4", shape);
    mica_file_writer *writer = NULL;
    mica_status status = header.failed ? MICA_E_MEMORY : mica_file_begin(path, &writer);
    if (status == MICA_OK)
        status = mica_file_write(writer, header.data, header.size);
    if (status == MICA_OK)
        status = mica_file_write(writer, values, (size_t)count * sizeof *values);
    free(header.data);
    if (status == MICA_OK)
        return mica_file_commit(&writer);
    mica_file_abort(&writer);
    return status;
}
