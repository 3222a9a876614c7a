#include "tests/data/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <turbojpeg.h>

uint8_t jpeg_stored(int y, int x, int c, int tone) {
    return (uint8_t)((tone + y / 2 + x / 4 + 20 * c) % 256);
}

const char *jpeg_write(const char *name, int height, int width, int channels, int tone) {
    uint8_t *pixels = malloc((size_t)height * (size_t)width * (size_t)channels), *out = pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *out++ = jpeg_stored(y, x, c, tone);
    tjhandle encoder = tjInitCompress();
    unsigned char *file = NULL;
    unsigned long size = 0;
    int format = channels == 1 ? TJPF_GRAY : channels == 3 ? TJPF_RGB : TJPF_CMYK;
    ck_assert_int_eq(tjCompress2(encoder, pixels, width, 0, height, format, &file, &size,
                         channels == 1 ? TJSAMP_GRAY : TJSAMP_444, 95, 0),
        0);
    const char *path = temp_write(name, file, size);
    tjFree(file);
    tjDestroy(encoder);
    free(pixels);
    return path;
}

char *file_bytes(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}
