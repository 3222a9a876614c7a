/* Reading pictures, for data/ and what is above it. */
#ifndef MICA_DATA_IMAGE_H
#define MICA_DATA_IMAGE_H

#include <mica/io.h>

/* Decodes a PNG, JPEG, WebP or BMP picture and turns it as its Exif block says; name goes before
 * errors. One much larger than min_height x min_width may come smaller, but at least twice as high
 * and as wide as that; 0, 0: as it is. */
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

/* "NAME: a damaged KIND: PROBLEM", of a decoder that failed; MICA_E_MEMORY where errno, 0 before,
 * says that it got none. */
mica_status mica_image_damaged(const char *name, const char *kind, const char *problem);

/* MICA_E_FORMAT for pictures of no or too many pixels, before anything is allocated for them. */
mica_status mica_image_check_size(const char *name, int64_t height, int64_t width);

/* Is the file one of pictures, by the end of its name? `mica_picture_ends` lists these ends. */
bool mica_picture_named(const char *name);
extern const char mica_picture_ends[];

/* The decoders: data begins with the format's signature. Pixels come as they are stored;
 * *orientation, 1 to 8, is what the file's Exif block says of them. The minimum is of the picture
 * as it is seen. BMP has no such block. */
mica_status mica_png_decode(
    const char *name, const uint8_t *data, size_t size, mica_image *image, int *orientation);
mica_status mica_jpeg_decode(const char *name, const uint8_t *data, size_t size, int64_t min_height,
    int64_t min_width, mica_image *image, int *orientation);
mica_status mica_webp_decode(
    const char *name, const uint8_t *data, size_t size, mica_image *image, int *orientation);
mica_status mica_bmp_decode(const char *name, const uint8_t *data, size_t size, mica_image *image);

/* The orientation, 1 to 8, of an Exif block, with or without "Exif" and two zeros before it; 1, as
 * it is, where it says none or is damaged. */
int mica_exif_orientation(const uint8_t *data, size_t size);

/* Does it exchange height and width? */
bool mica_orientation_turns(int orientation);

/* Turns and mirrors a picture that is stored so as it should be seen. */
mica_status mica_image_orient(mica_image *image, int orientation);

/* Puts `count` pixels of `colours` channels and alpha on white, in place: no alpha is left. */
void mica_pixels_on_white(uint8_t *pixels, size_t count, int colours);

#endif
