/* Decoding JPEG. */
#include "base/error.h"
#include "base/mem.h"
#include "data/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#define WORK_LIMIT ((int64_t)1 << 31) /* pixels times scans, each of which visits all pixels */

/* The fewest eighths of the size at which the picture still has twice the wanted one. Only powers
 * of two are fast. */
static int eighths(int size_y, int size_x, int64_t min_height, int64_t min_width) {
    int best = 8;
    for (int eighth = 4; eighth >= 1; eighth /= 2)
        if (min_height && min_width && size_y * (int64_t)eighth / 8 >= 2 * min_height &&
            size_x * (int64_t)eighth / 8 >= 2 * min_width)
            best = eighth;
    return best;
}

/* A decoder only warns of data that are missing or wrong, and makes up the rest: that is damage.
 * Not so some bytes between two segments, which cameras write and every reader skips. */
static bool damaged(tjhandle decoder) {
    return tjGetErrorCode(decoder) != TJERR_WARNING ||
           !strstr(tjGetErrorStr2(decoder), "extraneous bytes");
}

/* In place, from the four inks as Adobe stores them (0 is full ink) to red, green and blue. */
static void inks_to_colours(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++)
            pixels[3 * i + c] = (uint8_t)((pixels[4 * i + c] * pixels[4 * i + 3] + 127) / 255);
}

/* What the segments say, from one to the next up to the picture's end. */
struct segments {
    int64_t scans;
    bool arithmetic; /* how they are coded */
    int orientation; /* of the first Exif block before them */
};

static struct segments segments_read(const uint8_t *data, size_t size) {
    struct segments found = {.orientation = 1};
    bool exif = false;
    for (size_t i = 2; i + 3 < size;) {
        const uint8_t marker = data[i + 1];
        if (data[i] != 0xff || marker == 0xff || marker == 0x00 || marker == 0x01 ||
            (marker >= 0xd0 &&
                marker <= 0xd8)) { /* coded data, filling, markers that stand alone */
            i++;
            continue;
        }
        if (marker == 0xd9)
            break;
        const size_t length = (size_t)(data[i + 2] << 8 | data[i + 3]);
        if (marker == 0xe1 && !exif && !found.scans && length >= 8 && length <= size - i - 2 &&
            !memcmp(data + i + 4, "Exif\0\0", 6)) {
            exif = true;
            found.orientation = mica_exif_orientation(data + i + 4, length - 2);
        }
        found.scans += marker == 0xda;
        found.arithmetic = found.arithmetic || (marker >= 0xc9 && marker <= 0xcb);
        i += 2 + length;
    }
    return found;
}

static mica_status decode(tjhandle decoder, const char *name, const uint8_t *data, size_t size,
    int64_t min_height, int64_t min_width, mica_image *image, int *orientation) {
    int width = 0, height = 0, sampling, space = TJCS_RGB;
    errno = 0;
    if (tjDecompressHeader3(
            decoder, data, (unsigned long)size, &width, &height, &sampling, &space) &&
        damaged(decoder))
        return mica_image_damaged(name, "JPEG", tjGetErrorStr2(decoder));
    if (width < 1 || height < 1)
        return mica_fail(MICA_E_FORMAT, "%s: a damaged JPEG: no picture in it", name);
    MICA_TRY(mica_image_check_size(name, height, width));
    const struct segments segments = segments_read(data, size);
    /* a block of Huffman's codes has a bit at least */
    if (!segments.arithmetic && (int64_t)size * 8 < (int64_t)(width / 8) * (height / 8))
        return mica_fail(MICA_E_FORMAT,
            "%s: a damaged JPEG: %zu bytes are too few for %d x %d pixels", name, size, width,
            height);
    if (segments.scans > WORK_LIMIT / ((int64_t)width * height))
        return mica_fail(MICA_E_FORMAT, "%s: a JPEG of too many scans for its size", name);
    const bool turns = mica_orientation_turns(segments.orientation);
    tjscalingfactor scale = {
        eighths(height, width, turns ? min_width : min_height, turns ? min_height : min_width), 8};
    width = TJSCALED(width, scale);
    height = TJSCALED(height, scale);
    bool inks = space == TJCS_CMYK || space == TJCS_YCCK, grey = space == TJCS_GRAY;
    int format = grey ? TJPF_GRAY : inks ? TJPF_CMYK : TJPF_RGB;
    size_t pixels = (size_t)width * (size_t)height;
    uint8_t *out = mica_alloc(pixels, (size_t)tjPixelSize[format]);
    if (!out)
        return MICA_E_MEMORY;
    if (tjDecompress2(
            decoder, data, (unsigned long)size, out, width, 0, height, format, TJFLAG_LIMITSCANS) &&
        damaged(decoder)) {
        free(out);
        return mica_image_damaged(name, "JPEG", tjGetErrorStr2(decoder));
    }
    if (inks)
        inks_to_colours(out, pixels);
    *orientation = segments.orientation;
    *image =
        (mica_image){.height = height, .width = width, .channels = grey ? 1 : 3, .pixels = out};
    return MICA_OK;
}

mica_status mica_jpeg_decode(const char *name, const uint8_t *data, size_t size, int64_t min_height,
    int64_t min_width, mica_image *image, int *orientation) {
    tjhandle decoder = tjInitDecompress();
    if (!decoder)
        return mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", name);
    mica_status status =
        decode(decoder, name, data, size, min_height, min_width, image, orientation);
    tjDestroy(decoder);
    return status;
}
