/* Decoding PNG. libpng reports an error by a jump out of its calls: everything that must be freed
 * then lies in a struct outside the function that jumps. Its simplified interface would spare the
 * jump but mixes up rows of interlaced pictures of 16 bits (libpng issue 853). */
#include "base/error.h"
#include "base/mem.h"
#include "data/image.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
    const char *name;
    const uint8_t *data;
    size_t left;
    uint32_t width, height;
    int channels; /* 1 to 4: grey or RGB, then alpha in 2 and 4 */
    uint8_t *pixels;
    png_bytep *rows;
    int orientation;
    char problem[128];
};

static void on_error(png_structp png, png_const_charp text) {
    struct decoder *decoder = png_get_error_ptr(png);
    snprintf(decoder->problem, sizeof decoder->problem, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png, (void)text;
}

static void on_read(png_structp png, png_bytep out, size_t size) {
    struct decoder *decoder = png_get_io_ptr(png);
    if (size > decoder->left)
        png_error(png, "cut off");
    memcpy(out, decoder->data, size);
    decoder->data += size;
    decoder->left -= size;
}

/* The only function that libpng jumps back into. */
static mica_status decode(struct decoder *decoder, png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png)))
        return mica_image_damaged(decoder->name, "PNG", decoder->problem);
    errno = 0;
    png_set_read_fn(png, decoder, on_read);
    png_set_chunk_cache_max(png, 1); /* texts, each of which may unpack to 8 MB, are not kept */
    png_read_info(png, info);
    decoder->width = png_get_image_width(png, info);
    decoder->height = png_get_image_height(png, info);
    MICA_TRY(mica_image_check_size(decoder->name, decoder->height, decoder->width));
    png_set_expand(png); /* palettes to RGB, fewer bits to 8, transparent colours to alpha */
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    decoder->channels = png_get_channels(png, info);
    size_t row = (size_t)decoder->width * (size_t)decoder->channels;
    decoder->pixels = mica_alloc(decoder->height, row);
    decoder->rows = mica_alloc(decoder->height, sizeof *decoder->rows);
    if (!decoder->pixels || !decoder->rows)
        return MICA_E_MEMORY;
    for (uint32_t y = 0; y < decoder->height; y++)
        decoder->rows[y] = decoder->pixels + y * row;
    png_read_image(png, decoder->rows);
    png_read_end(png, info);
    png_uint_32 size;
    png_bytep exif;
    decoder->orientation =
        png_get_eXIf_1(png, info, &size, &exif) ? mica_exif_orientation(exif, size) : 1;
    return MICA_OK;
}

mica_status mica_png_decode(
    const char *name, const uint8_t *data, size_t size, mica_image *image, int *orientation) {
    struct decoder decoder = {.name = name, .data = data, .left = size};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    mica_status status = info ? decode(&decoder, png, info)
                              : mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", name);
    png_destroy_read_struct(&png, &info, NULL);
    free(decoder.rows);
    if (status != MICA_OK) {
        free(decoder.pixels);
        return status;
    }
    if (decoder.channels % 2 == 0)
        mica_pixels_on_white(
            decoder.pixels, (size_t)decoder.width * decoder.height, --decoder.channels);
    *orientation = decoder.orientation;
    *image = (mica_image){.height = decoder.height,
        .width = decoder.width,
        .channels = decoder.channels,
        .pixels = decoder.pixels};
    return MICA_OK;
}
