/* Decoding WebP. Format: RFC 9649. */
#include "base/error.h"
#include "base/mem.h"
#include "data/image.h"

#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>

enum { CHUNK_HEADER = 8 };

static mica_status failed(const char *name, VP8StatusCode code) {
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", name);
    return mica_fail(MICA_E_FORMAT, "%s: a damaged WebP%s", name,
        code == VP8_STATUS_NOT_ENOUGH_DATA ? ": cut off" : "");
}

static size_t little_endian(const uint8_t *at) {
    return at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

/* What the chunk of Exif, which may stand in a file of several chunks, says. */
static int orientation_of(const uint8_t *data, size_t size) {
    for (size_t at = 12; at + CHUNK_HEADER <= size;) {
        const size_t length = little_endian(data + at + 4), left = size - at - CHUNK_HEADER;
        if (length > left)
            break;
        if (!memcmp(data + at, "EXIF", 4))
            return mica_exif_orientation(data + at + CHUNK_HEADER, length);
        if (left - length < length % 2)
            break;
        at += CHUNK_HEADER + length + length % 2;
    }
    return 1;
}

static mica_status decode(const char *name, const uint8_t *data, size_t size, mica_image *image) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return mica_fail(MICA_E_UNSUPPORTED, "%s: libwebp is of another version", name);
    VP8StatusCode code = WebPGetFeatures(data, size, &config.input);
    if (code != VP8_STATUS_OK)
        return failed(name, code);
    if (config.input.has_animation)
        return mica_fail(MICA_E_FORMAT, "%s: an animated WebP, which is not read", name);
    const int width = config.input.width, height = config.input.height;
    const int channels = config.input.has_alpha ? 4 : 3;
    MICA_TRY(mica_image_check_size(name, height, width));
    uint8_t *pixels = mica_alloc((size_t)height, (size_t)width * (size_t)channels);
    if (!pixels)
        return MICA_E_MEMORY;
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){.rgba = pixels,
        .stride = width * channels,
        .size = (size_t)width * (size_t)height * (size_t)channels};
    code = WebPDecode(data, size, &config);
    WebPFreeDecBuffer(&config.output);
    if (code != VP8_STATUS_OK) {
        free(pixels);
        return failed(name, code);
    }
    if (channels == 4)
        mica_pixels_on_white(pixels, (size_t)width * (size_t)height, 3);
    *image = (mica_image){.height = height, .width = width, .channels = 3, .pixels = pixels};
    return MICA_OK;
}

mica_status mica_webp_decode(
    const char *name, const uint8_t *data, size_t size, mica_image *image, int *orientation) {
    MICA_TRY(decode(name, data, size, image));
    *orientation = orientation_of(data, size);
    return MICA_OK;
}
