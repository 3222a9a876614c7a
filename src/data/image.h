/* Reading pictures, for data/ and what is above it. */
#ifndef MICA_DATA_IMAGE_H
#define MICA_DATA_IMAGE_H

#include <mica/io.h>

/* Decodes a PNG or JPEG picture; name goes before errors. One much larger than min_height x
 * min_width may come smaller, but at least twice as high and as wide as that; 0, 0: as it is. */
mica_status mica_image_decode(const char *name, const void *data, size_t size, int64_t min_height,
    int64_t min_width, mica_image *image);

/* The same for a file. */
mica_status mica_image_load(
    const char *path, int64_t min_height, int64_t min_width, mica_image *image);

/* The picture of a file as mica_image_fit makes it. Values are what a failure may have written to.
 */
mica_status mica_image_prepare(
    const char *path, mica_shape shape, const mica_preprocess *how, float *values);

/* The same in whole numbers from 0 to 255: how's scale, mean and deviation are for later. */
mica_status mica_image_sample(
    const char *path, mica_shape shape, const mica_preprocess *how, float *values);

/* MICA_E_FORMAT for pictures of no or too many pixels, before anything is allocated for them. */
mica_status mica_image_check_size(const char *name, int64_t height, int64_t width);

/* The decoders: data begins with the format's signature. */
mica_status mica_png_decode(const char *name, const uint8_t *data, size_t size, mica_image *image);
mica_status mica_jpeg_decode(const char *name, const uint8_t *data, size_t size, int64_t min_height,
    int64_t min_width, mica_image *image);

#endif
