/* PNG and JPEG files of every kind, damaged ones, and what becomes of a picture as a network's
 * input. */
#include "data/image.h"
#include "tests/data/picture.h"

#include <math.h>
#include <mica/io.h>
#include <png.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <zlib.h>

/* Writes a 5 x 3 PNG whose sample c of pixel (x, y) is (x * 31 + y * 57 + c * 83) % 2^depth, or its
 * high byte if depth is 16. */
static const char *png_write(int colour, int depth, int interlace) {
    const char *path = temp_path("t.png");
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    ck_assert(file && png && info);
    if (setjmp(png_jmpbuf(png)))
        ck_abort_msg("libpng refused to write");
    png_init_io(png, file);
    png_set_IHDR(png, info, 5, 3, depth, colour, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
        PNG_FILTER_TYPE_DEFAULT);
    png_color palette[16];
    for (int i = 0; i < 16; i++)
        palette[i] = (png_color){(png_byte)(i * 16), (png_byte)(255 - i), (png_byte)(i * 3)};
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 1 << depth);
    png_write_info(png, info);
    int channels = png_get_channels(png, info);
    png_byte rows[3][5 * 4 * 2] = {{0}};
    png_bytep row[3] = {rows[0], rows[1], rows[2]};
    for (int y = 0; y < 3; y++)
        for (int s = 0; s < 5 * channels; s++) {
            int value = s / channels * 31 + y * 57 + s % channels * 83;
            if (depth == 16)
                rows[y][2 * s] = rows[y][2 * s + 1] = (png_byte)value;
            else if (depth == 8)
                rows[y][s] = (png_byte)value;
            else
                rows[y][s * depth / 8] |=
                    (png_byte)((value & ((1 << depth) - 1)) << (8 - depth - s * depth % 8));
        }
    png_write_image(png, row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
    return path;
}

static uint8_t stored(int x, int y, int c, int depth) {
    int largest = depth == 16 ? 255 : (1 << depth) - 1;
    return (uint8_t)(((x * 31 + y * 57 + c * 83) & largest) * 255 / largest);
}

START_TEST(every_kind) {
    static const struct {
        int colour, depth, channels;
    } kinds[] = {{PNG_COLOR_TYPE_GRAY, 1, 1}, {PNG_COLOR_TYPE_GRAY, 2, 1},
        {PNG_COLOR_TYPE_GRAY, 4, 1}, {PNG_COLOR_TYPE_GRAY, 8, 1}, {PNG_COLOR_TYPE_GRAY, 16, 1},
        {PNG_COLOR_TYPE_RGB, 8, 3}, {PNG_COLOR_TYPE_RGB, 16, 3}};
    for (size_t k = 0; k < 2 * (sizeof kinds / sizeof *kinds); k++) {
        int colour = kinds[k / 2].colour, depth = kinds[k / 2].depth;
        mica_image image;
        ck_ok(mica_image_read(png_write(colour, depth, k % 2), &image));
        ck_assert_int_eq(image.channels, kinds[k / 2].channels);
        ck_assert_int_eq(image.height, 3);
        ck_assert_int_eq(image.width, 5);
        const uint8_t *pixel = image.pixels;
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 5; x++)
                for (int c = 0; c < image.channels; c++)
                    ck_assert_int_eq(*pixel++, stored(x, y, c, depth));
        mica_image_free(&image);
        ck_assert_ptr_null(image.pixels);
        mica_image_free(&image);
    }
}
END_TEST

START_TEST(palette_and_alpha) {
    mica_image image;
    ck_ok(mica_image_read(png_write(PNG_COLOR_TYPE_PALETTE, 4, 0), &image));
    ck_assert_int_eq(image.channels, 3);
    ck_assert_int_eq(image.pixels[0], 0);
    ck_assert_int_eq(image.pixels[1], 255);
    ck_assert_int_eq(image.pixels[3], 15 * 16); /* 31 % 16 */
    ck_assert_int_eq(image.pixels[5], 15 * 3);
    mica_image_free(&image);

    ck_ok(mica_image_read(png_write(PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0), &image));
    ck_assert_int_eq(image.channels, 1);
    ck_assert_int_eq(image.pixels[0], 172); /* black of opacity 83 / 255 over white */
    mica_image_free(&image);
    ck_ok(mica_image_read(png_write(PNG_COLOR_TYPE_RGB_ALPHA, 8, 0), &image));
    ck_assert_int_eq(image.channels, 3);
    mica_image_free(&image);
}
END_TEST

static mica_status read_png(const char *path) {
    mica_image image = {0};
    mica_status status = mica_image_read(path, &image);
    mica_image_free(&image);
    return status;
}

START_TEST(damaged) {
    char bytes[4096];
    FILE *file = fopen(png_write(PNG_COLOR_TYPE_RGB, 8, 1), "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ck_refused(read_png(temp_path("none.png")), MICA_E_NOT_FOUND, "none.png: No such file");
    ck_refused(read_png(temp_path("")), MICA_E_INVALID, "not a file");
    ck_refused(read_png(temp_write("x.png", "GIF89a--", 8)), MICA_E_FORMAT,
        "wanted a PNG, JPEG, WebP or BMP picture, came a GIF picture");
    for (size_t cut = 0; cut < size; cut++)
        ck_refused(read_png(temp_write("t.png", bytes, cut)), MICA_E_FORMAT, "t.png: ");
    for (size_t at = 0; at < size; at++) {
        bytes[at] ^= 0x41;
        mica_status status = read_png(temp_write("t.png", bytes, size));
        bytes[at] ^= 0x41;
        ck_assert(status == MICA_OK || status == MICA_E_FORMAT);
    }
}
END_TEST

static long peak(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static uint8_t *put_big_endian(uint8_t *at, uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    return at;
}

/* A picture with texts behind its header that are far larger than their compressed bytes. */
START_TEST(many_texts) {
    enum { TEXTS = 40, SIZE = 7000000, HEADER = 33 };
    static uint8_t chunk[65536];
    uint8_t *const content = mempcpy(chunk + 4, "zTXtkey\0\0", 9); /* 0: deflated */
    uLongf deflated = sizeof chunk - 32;
    Bytef *letters = malloc(SIZE);
    memset(letters, 'a', SIZE);
    ck_assert_int_eq(compress(content, &deflated, letters, SIZE), Z_OK);
    free(letters);
    put_big_endian(chunk, (uint32_t)deflated + 5);
    const uLong sum = crc32(0, chunk + 4, (uInt)deflated + 9);
    const uint8_t *const end = put_big_endian(content + deflated, (uint32_t)sum);
    const char *path = png_write(PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE);
    size_t size;
    char *bytes = file_bytes(path, &size);
    FILE *file = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, HEADER, file), HEADER);
    for (int i = 0; i < TEXTS; i++)
        ck_assert_uint_eq(fwrite(chunk, (size_t)(end - chunk), 1, file), 1);
    ck_assert_uint_eq(fwrite(bytes + HEADER, 1, size - HEADER, file), size - HEADER);
    fclose(file);
    free(bytes);
    long before = peak();
    mica_image image = {0};
    ck_ok(mica_image_read(path, &image));
    ck_assert_uint_eq(image.pixels[6], stored(1, 1, 0, 8));
    mica_image_free(&image);
    ck_assert_msg(peak() - before < 65536, "it took %ld KiB", peak() - before);
}
END_TEST

START_TEST(too_large) {
    png_byte header[33] = {137, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0,
        1, 0, 0, 0, 1, 0, 0, 8, 2, 0, 0, 0, 0xf8, 0x62, 0xea, 0x0e};
    unsigned long sum = 0xffffffff; /* CRC-32 of the type and the data */
    for (int i = 12; i < 29; i++) {
        sum ^= header[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
    }
    for (int i = 0; i < 4; i++)
        header[29 + i] = (png_byte)(~sum >> (24 - 8 * i));
    char file[53] = {0};
    memcpy(file, header, 33);
    memcpy(file + 33, "\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND", 20);
    ck_refused(read_png(temp_write("t.png", file, sizeof file)), MICA_E_FORMAT,
        "65536 x 65536 pixels: wanted at most 67108864");
}
END_TEST

/* Every channel is within a few levels of what was compressed. */
START_TEST(jpeg_colours) {
    for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        mica_image image;
        ck_ok(mica_image_read(jpeg_write("t.jpg", 37, 50, channels, 60), &image));
        ck_assert_int_eq(image.channels, channels == 1 ? 1 : 3);
        ck_assert_int_eq(image.height, 37);
        ck_assert_int_eq(image.width, 50);
        const uint8_t *pixel = image.pixels;
        for (int y = 0; y < 37; y++)
            for (int x = 0; x < 50; x++)
                for (int c = 0; c < image.channels; c++) {
                    int wanted = jpeg_stored(y, x, c, 60); /* of inks: what the black one lets by */
                    if (channels == 4)
                        wanted = wanted * jpeg_stored(y, x, 3, 60) / 255;
                    ck_assert_int_le(abs(wanted - *pixel++), 6);
                }
        mica_image_free(&image);
    }
}
END_TEST

START_TEST(jpeg_damaged) {
    for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        size_t size;
        char *bytes = file_bytes(jpeg_write("t.jpg", 24, 17, channels, 0), &size);
        mica_image image;
        for (size_t cut = 0; cut < size; cut++)
            ck_refused(mica_image_decode("cut", bytes, cut, 0, 0, &image), MICA_E_FORMAT, "cut: ");
        for (size_t at = 0; at < size; at++)
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] = (char)(bytes[at] ^ 1 << bit);
                mica_status status = mica_image_decode("flip", bytes, size, 2, 2, &image);
                bytes[at] = (char)(bytes[at] ^ 1 << bit);
                ck_assert(status == MICA_OK || status == MICA_E_FORMAT);
                if (status == MICA_OK)
                    mica_image_free(&image);
            }
        free(bytes);
    }
}
END_TEST

START_TEST(jpeg_too_large) {
    size_t size;
    char *bytes = file_bytes(jpeg_write("t.jpg", 8, 8, 3, 0), &size);
    char *frame = memmem(bytes, size, "\xff\xc0", 2);
    ck_assert_ptr_nonnull(frame);
    memcpy(frame + 5, "\xff\xdc\xff\xdc", 4);
    mica_image image;
    ck_refused(mica_image_decode("t", bytes, size, 0, 0, &image), MICA_E_FORMAT,
        "t: 65500 x 65500 pixels: wanted at most 67108864");
    memcpy(frame + 5, "\x1f\x40\x1f\x40", 4);
    ck_refused(mica_image_decode("t", bytes, size, 0, 0, &image), MICA_E_FORMAT,
        "bytes are too few for 8000 x 8000 pixels");
    free(bytes);
}
END_TEST

/* What cameras put before and behind a picture may be any bytes; its own scans are counted. */
START_TEST(jpeg_scans) {
    enum { COMMENT = 60000, COMMENTS = 4, TRAILER = 400000 };
    size_t size;
    char *bytes = file_bytes(jpeg_write("t.jpg", 4096, 4096, 3, 0), &size);
    char *whole = malloc(size + COMMENTS * (COMMENT + 2) + TRAILER), *at = mempcpy(whole, bytes, 2);
    for (int i = 0; i < COMMENTS; i++) {
        at = mempcpy(at, "\xff\xfe\xea\x60", 4); /* a comment of 60000 bytes, as is its length */
        for (int k = 0; k < COMMENT - 2; k += 2)
            at = mempcpy(at, "\xff\xda", 2);
    }
    at = mempcpy(at, bytes + 2, size - 2);
    for (int k = 0; k < TRAILER; k += 2)
        at = mempcpy(at, "\xff\xda", 2);
    mica_image image = {0};
    ck_ok(mica_image_decode("t", (uint8_t *)whole, (size_t)(at - whole), 64, 64, &image));
    mica_image_free(&image);
    char *scan = memmem(bytes, size, "\xff\xda", 2);
    ck_assert_ptr_nonnull(scan);
    const size_t header = 2 + (size_t)((uint8_t)scan[2] << 8 | (uint8_t)scan[3]);
    at = mempcpy(whole, bytes, size - 2); /* without its end */
    for (int i = 0; i < 200; i++)
        at = mempcpy(at, scan, header);
    at = mempcpy(at, "\xff\xd9", 2);
    ck_refused(mica_image_decode("t", (uint8_t *)whole, (size_t)(at - whole), 0, 0, &image),
        MICA_E_FORMAT, "t: a JPEG of too many scans for its size");
    free(whole);
    free(bytes);
}
END_TEST

START_TEST(jpeg_at_a_fraction) {
    static const int heights[] = {20, 50, 51, 100, 101, 200, 201, 400};
    jpeg_write("t.jpg", 801, 1602, 3, 0);
    for (size_t i = 0; i < sizeof heights / sizeof *heights; i++) {
        mica_image image;
        ck_ok(mica_image_load(temp_path("t.jpg"), heights[i], 10, &image));
        ck_assert_int_ge(image.height, 2 * heights[i]);
        ck_assert_int_le(image.height, 8 * heights[i]);
        ck_assert_int_ge(image.width, 2 * image.height - 2);
        mica_image_free(&image);
    }
}
END_TEST

START_TEST(fit_keeps_exact) {
    uint8_t pixels[28 * 28];
    for (int i = 0; i < 28 * 28; i++)
        pixels[i] = (uint8_t)(i * 7);
    mica_image image = {28, 28, 1, pixels};
    float values[28 * 28];
    ck_ok(mica_image_fit(
        &image, MICA_SHAPE(28, 28, 1), &(mica_preprocess){.scale = 1.0f / 255}, values));
    for (int i = 0; i < 28 * 28; i++)
        ck_assert_float_eq(values[i], (float)pixels[i] * (1.0f / 255));
    ck_ok(
        mica_image_fit(&image, MICA_SHAPE(28, 28, 1), &(mica_preprocess){.invert = true}, values));
    for (int i = 0; i < 28 * 28; i++)
        ck_assert_float_eq(values[i], (float)(255 - pixels[i]));
}
END_TEST

START_TEST(fit_colours) {
    uint8_t pixels[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77};
    mica_image image = {1, 4, 3, pixels};
    float values[12];
    ck_ok(mica_image_fit(&image, MICA_SHAPE(1, 4, 1), NULL, values));
    ck_assert_float_eq_tol(values[0], 0.299f * 255, 1e-3f);
    ck_assert_float_eq_tol(values[1], 0.587f * 255, 1e-3f);
    ck_assert_float_eq_tol(values[2], 0.114f * 255, 1e-3f);
    ck_assert_float_eq(values[3], 77);
    ck_ok(mica_image_fit(&image, MICA_SHAPE(1, 4, 3), NULL, values));
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq(values[i], pixels[i]);
    mica_image grey = {1, 2, 1, pixels};
    ck_ok(mica_image_fit(&grey, MICA_SHAPE(1, 2, 3), NULL, values));
    ck_assert(values[0] == 255 && values[1] == 255 && values[2] == 255 && values[3] == 0);
}
END_TEST

START_TEST(fit_crops_and_shrinks) {
    /* 4 x 8: a bright square in the middle, which is what a square crop keeps */
    uint8_t pixels[4 * 8];
    for (int i = 0; i < 4 * 8; i++)
        pixels[i] = i % 8 >= 2 && i % 8 < 6 ? 200 : 10;
    mica_image image = {4, 8, 1, pixels};
    float values[64];
    ck_ok(mica_image_fit(&image, MICA_SHAPE(2, 2, 1), NULL, values));
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq_tol(values[i], 200, 1e-3f);
    /* a ramp from 0 to 70 halved by the triangle 1/8 3/8 3/8 1/8: linear again inside; at the edge
     * the triangle is cut: (0 * 3 + 10 * 3 + 20) / 7 */
    uint8_t ramp[] = {0, 10, 20, 30, 40, 50, 60, 70};
    mica_image line = {1, 8, 1, ramp};
    ck_ok(mica_image_fit(&line, MICA_SHAPE(2, 16, 1), NULL, values));
    ck_assert_float_eq_tol(values[0], 0, 1e-4f);
    ck_assert_float_eq_tol(values[1], 2.5f, 1e-4f);
    ck_assert_float_eq_tol(values[2], 7.5f, 1e-4f);
    ck_assert_float_eq_tol(values[15], 70, 1e-4f);
    uint8_t square[64];
    for (int i = 0; i < 64; i++)
        square[i] = ramp[i % 8];
    mica_image field = {8, 8, 1, square};
    ck_ok(mica_image_fit(&field, MICA_SHAPE(4, 4, 1), NULL, values));
    ck_assert_float_eq_tol(values[0], 50.0f / 7, 1e-4f);
    ck_assert_float_eq_tol(values[1], 25, 1e-4f);
    ck_assert_float_eq_tol(values[2], 45, 1e-4f);
    ck_assert_float_eq_tol(values[7], 70 - 50.0f / 7, 1e-4f);
    ck_ok(mica_image_fit(&field, MICA_SHAPE(1, 1, 1), NULL, values));
    ck_assert_float_eq_tol(values[0], 35, 1e-4f);
}
END_TEST

/* 4 x 8 scaled to 2 x 4, of which the middle 2 x 2 are taken: as if all had been scaled and then
 * cut.
 */
START_TEST(fit_takes_the_centre) {
    uint8_t pixels[4 * 8 * 3];
    for (int i = 0; i < 4 * 8; i++)
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] = (uint8_t)(i % 8 * 10 + 50 * c);
    mica_image image = {4, 8, 3, pixels};
    const mica_preprocess how = {
        .size = 2, .bgr = true, .scale = 0.5f, .mean = {1, 2, 3}, .deviation = {1, 2, 4}};
    float values[2 * 2 * 3], whole[2 * 4 * 3];
    ck_ok(mica_image_fit(&image, MICA_SHAPE(2, 4, 3), NULL, whole));
    ck_ok(mica_image_fit(&image, MICA_SHAPE(2, 2, 3), &how, values));
    for (int i = 0; i < 2 * 2; i++)
        for (int c = 0; c < 3; c++) {
            float wanted = whole[3 * (i / 2 * 4 + i % 2 + 1) + 2 - c];
            ck_assert_float_eq_tol(
                values[3 * i + c], (wanted / 2 - how.mean[c]) / how.deviation[c], 1e-4f);
        }
    /* the shorter side may be the width, and pictures may grow */
    mica_image turned = {8, 4, 3, pixels};
    ck_ok(mica_image_fit(&turned, MICA_SHAPE(2, 2, 3), &how, values));
    ck_ok(mica_image_fit(&turned, MICA_SHAPE(2, 2, 3), &(mica_preprocess){.size = 100}, values));
    ck_refused(mica_image_fit(&image, MICA_SHAPE(3, 2, 3), &how, values), MICA_E_INVALID,
        "scaled to 2 pixels cannot become (3, 2, 3)");
}
END_TEST

/* The cubic goes through the pixels when nothing is scaled, keeps straight lines straight inside,
 * and what overshoots is cut. */
START_TEST(fit_cubic) {
    uint8_t ramp[] = {0, 10, 20, 30, 40, 50, 60, 70}, edge[] = {0, 0, 0, 255, 255, 255};
    mica_image line = {1, 8, 1, ramp}, step = {1, 6, 1, edge};
    const mica_preprocess how = {.interpolation = MICA_INTERPOLATION_CUBIC};
    float values[4 * 24];
    ck_ok(mica_image_fit(&line, MICA_SHAPE(1, 8, 1), &how, values));
    for (int i = 0; i < 8; i++)
        ck_assert_float_eq_tol(values[i], ramp[i], 1e-4f);
    ck_ok(mica_image_fit(&line, MICA_SHAPE(2, 16, 1), &how, values));
    for (int i = 4; i < 12; i++)
        ck_assert_float_eq_tol(values[i], 5.0f * (float)i - 2.5f, 1e-3f);
    ck_ok(mica_image_fit(&step, MICA_SHAPE(4, 24, 1), &how, values));
    for (int i = 0; i < 24; i++)
        ck_assert(values[i] >= 0 && values[i] <= 255);
}
END_TEST

START_TEST(presets) {
    const mica_preprocess *how = mica_preprocess_preset("torchvision");
    ck_assert(how && how->size == 256 && how->crop == 224 && !how->bgr);
    ck_assert(mica_preprocess_preset("squeezenet")->bgr);
    ck_assert_ptr_null(mica_preprocess_preset("other"));
    for (size_t i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(mica_preprocess_preset(mica_preprocess_name(i)));
    ck_assert_ptr_null(mica_preprocess_name(4));
}
END_TEST

START_TEST(fit_odd_sizes) {
    uint8_t pixels[1000 * 3];
    memset(pixels, 99, sizeof pixels);
    static float values[60 * 60 * 3];
    static const int sizes[][2] = {{1, 1}, {1, 1000}, {1000, 1}, {31, 32}, {7, 3}, {33, 17}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int out = 1; out <= 60; out += out < 4 ? 1 : 28)
            for (int tall = 0; tall < 2; tall++) {
                mica_image image = {sizes[i][0], sizes[i][1], 3, pixels};
                mica_shape shape = MICA_SHAPE(tall ? out : 5, tall ? 5 : out, 3);
                ck_ok(mica_image_fit(&image, shape, NULL, values));
                for (int64_t k = 0; k < mica_shape_count(shape); k++)
                    ck_assert_float_eq_tol(values[k], 99, 1e-3f);
            }
}
END_TEST

START_TEST(fit_refused) {
    uint8_t pixel = 0;
    float value;
    mica_image image = {1, 1, 1, &pixel};
    ck_refused(mica_image_fit(&image, MICA_SHAPE(64), NULL, &value), MICA_E_INVALID, "(64)");
    ck_refused(mica_image_fit(&image, MICA_SHAPE(8, 8, 2), NULL, &value), MICA_E_INVALID,
        "(8, 8, 2): wanted (height, width, 1)");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("image");
    TCase *tests = tcase_create("image");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, every_kind);
    tcase_add_test(tests, palette_and_alpha);
    tcase_add_test(tests, damaged);
    tcase_add_test(tests, many_texts);
    tcase_add_test(tests, too_large);
    tcase_add_test(tests, jpeg_colours);
    tcase_add_test(tests, jpeg_damaged);
    tcase_add_test(tests, jpeg_too_large);
    tcase_add_test(tests, jpeg_scans);
    tcase_add_test(tests, jpeg_at_a_fraction);
    tcase_add_test(tests, fit_keeps_exact);
    tcase_add_test(tests, fit_colours);
    tcase_add_test(tests, fit_crops_and_shrinks);
    tcase_add_test(tests, fit_takes_the_centre);
    tcase_add_test(tests, fit_cubic);
    tcase_add_test(tests, presets);
    tcase_add_test(tests, fit_odd_sizes);
    tcase_add_test(tests, fit_refused);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
