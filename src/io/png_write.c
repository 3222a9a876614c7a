/* Writing PNG. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <mica/io.h>
#include <png.h>
#include <stdlib.h>

mica_status mica_image_write_png(const char *path, const mica_image *image) {
    if (image->height < 1 || image->width < 1 || image->height > INT32_MAX ||
        image->width > INT32_MAX || (image->channels != 1 && image->channels != 3))
        return mica_fail(MICA_E_INVALID,
            "%s: a picture of %lld x %lld pixels with %lld channels: wanted at least one pixel, "
            "and 1 or 3 channels",
            path, (long long)image->width, (long long)image->height, (long long)image->channels);
    png_image png = {.version = PNG_IMAGE_VERSION,
        .width = (png_uint_32)image->width,
        .height = (png_uint_32)image->height,
        .format = image->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    void *data = mica_alloc(size, 1);
    if (!data)
        return MICA_E_MEMORY;
    mica_status status = MICA_OK;
    if (!png_image_write_to_memory(&png, data, &size, 0, image->pixels, 0, NULL))
        status = mica_fail(MICA_E_IO, "%s: writing a PNG: %s", path, png.message);
    else
        status = mica_file_replace(path, data, size);
    free(data);
    return status;
}
