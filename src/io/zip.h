/* What reading and writing NumPy's archives share. */
#ifndef MICA_IO_ZIP_H
#define MICA_IO_ZIP_H

#include "io/npy.h"

#include <zip.h>

/* Fail with what libzip says of `path`. */
mica_status mica_zip_failed(const char *path, zip_error_t *error);
mica_status mica_zip_failed_code(const char *path, int code);

#endif
