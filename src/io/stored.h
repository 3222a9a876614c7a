/* What the reader and the writer of safetensors share. */
#ifndef MICA_IO_STORED_H
#define MICA_IO_STORED_H

#include <mica/io.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian; reading and writing copies bytes as they are"
#endif

#define MICA_HEADER_LIMIT 100000000 /* bytes of JSON, as the format says */
#define MICA_METADATA_KEY "__metadata__"
#define MICA_NAME_LIMIT   4096 /* bytes of a tensor's name */

/* Finds a type by its name in the file. */
bool mica_stored_type_find(const char *name, mica_stored_type *type);

/* The bytes of a tensor's data, or -1 if they are too many to count. */
int64_t mica_stored_bytes(const mica_stored_tensor *tensor);

/* Whether a name can be shown on one line and is of a fair length. */
bool mica_stored_name_ok(const char *name);

/* Fails if a tensor of the file `path` is of a type that mica_stored_floats does not know. */
mica_status mica_stored_widens(const char *path, const mica_stored_tensor *tensor);

/* Widens `count` elements to float32; false for a type that has no such conversion. */
bool mica_stored_floats(mica_stored_type type, const void *data, size_t count, float *values);

#endif
