/* Pictures of kinds other than plain PNG and JPEG: WebP, BMP, and those that a camera stored
 * turned. */
#include "data/image.h"
#include "tests/data/picture.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>
#include <webp/encode.h>

enum { HEIGHT = 16, WIDTH = 24, BLOCK = 8, ROOM = 1 << 16 };

/* A picture of 2 x 3 blocks, each of one colour: by which orientations differ. */
static uint8_t stored(int64_t y, int64_t x, int64_t c) {
    return (uint8_t)(40 * (y / BLOCK * 3 + x / BLOCK) + 5 * c);
}

static void pixels_make(uint8_t *pixels, int channels) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < channels; c++)
                *pixels++ = c < 3 ? stored(y, x, c) : (uint8_t)(100 + x);
}

/* ---- files ---- */

static void put(uint8_t **at, uint32_t number, int bytes, bool big) {
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (uint8_t)((uint64_t)number >> 8 * (big ? bytes - 1 - i : i));
}

/* An Exif block, behind an entry that is not the orientation; returns its size. */
static size_t exif_make(uint8_t *block, int orientation, bool big, bool named) {
    uint8_t *at = block;
    if (named)
        at = mempcpy(at, "Exif\0\0", 6);
    at = mempcpy(at, big ? "MM\0*" : "II*\0", 4);
    put(&at, 8, 4, big);
    put(&at, 2, 2, big);
    const uint32_t entries[2][3] = {{0x0100, 3, 24}, {0x0112, 3, (uint32_t)orientation}};
    for (int i = 0; i < 2; i++) {
        put(&at, entries[i][0], 2, big);
        put(&at, entries[i][1], 2, big);
        put(&at, 1, 4, big);
        put(&at, entries[i][2], 2, big);
        put(&at, 0, 2, big);
    }
    put(&at, 0, 4, big);
    return (size_t)(at - block);
}

static size_t jpeg_make(uint8_t *file, const uint8_t *exif, size_t exif_size) {
    uint8_t pixels[HEIGHT * WIDTH * 3], *plain = NULL;
    unsigned long size = 0;
    pixels_make(pixels, 3);
    tjhandle encoder = tjInitCompress();
    ck_assert_int_eq(
        tjCompress2(encoder, pixels, WIDTH, 0, HEIGHT, TJPF_RGB, &plain, &size, TJSAMP_444, 98, 0),
        0);
    uint8_t *at = mempcpy(file, "\xff\xd8\xff\xe1", 4);
    put(&at, (uint32_t)exif_size + 2, 2, true);
    at = mempcpy(at, exif, exif_size);
    at = mempcpy(at, plain + 2, size - 2);
    tjFree(plain);
    tjDestroy(encoder);
    return (size_t)(at - file);
}

static size_t png_make(uint8_t *file, const uint8_t *exif, size_t exif_size) {
    uint8_t pixels[HEIGHT * WIDTH * 3];
    pixels_make(pixels, 3);
    png_bytep rows[HEIGHT];
    for (int y = 0; y < HEIGHT; y++)
        rows[y] = pixels + y * WIDTH * 3;
    FILE *stream = fmemopen(file, ROOM, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, stream);
    png_set_IHDR(png, info, WIDTH, HEIGHT, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
        PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    uint8_t block[256];
    memcpy(block, exif, exif_size);
    if (exif_size)
        png_set_eXIf_1(png, info, (png_uint_32)exif_size, block);
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    const size_t size = (size_t)ftell(stream);
    fclose(stream);
    return size;
}

static uint8_t *chunk_put(uint8_t *at, const char *name, const void *data, size_t size) {
    at = mempcpy(at, name, 4);
    put(&at, (uint32_t)size, 4, false);
    at = mempcpy(at, data, size);
    if (size % 2)
        *at++ = 0;
    return at;
}

static size_t webp_make(uint8_t *file, const uint8_t *exif, size_t exif_size) {
    uint8_t pixels[HEIGHT * WIDTH * 3], *simple;
    pixels_make(pixels, 3);
    const size_t size = WebPEncodeLosslessRGB(pixels, WIDTH, HEIGHT, WIDTH * 3, &simple);
    ck_assert_uint_gt(size, 12);
    uint8_t *at = mempcpy(file, "RIFF    WEBP", 12);
    at = chunk_put(at, "VP8X", (uint8_t[10]){8, 0, 0, 0, WIDTH - 1, 0, 0, HEIGHT - 1}, 10);
    at = mempcpy(at, simple + 12, size - 12);
    at = chunk_put(at, "EXIF", exif, exif_size);
    WebPFree(simple);
    uint8_t *length = file + 4;
    put(&length, (uint32_t)(at - file) - 8, 4, false);
    return (size_t)(at - file);
}

static const struct {
    const char *name;
    size_t (*make)(uint8_t *file, const uint8_t *exif, size_t exif_size);
    bool named; /* is "Exif" part of the block? */
    int error;
} kinds[] = {{"JPEG", jpeg_make, true, 4}, {"PNG", png_make, false, 0},
    {"WebP", webp_make, false, 0}, {"WebP, named", webp_make, true, 0}};

/* ---- orientation ---- */

/* Where the first stored row and the first stored column lie in what is seen, as the standard says.
 */
enum side { TOP, BOTTOM, LEFT, RIGHT };
static const enum side sides[9][2] = {{0}, {TOP, LEFT}, {TOP, RIGHT}, {BOTTOM, RIGHT},
    {BOTTOM, LEFT}, {LEFT, TOP}, {RIGHT, TOP}, {RIGHT, BOTTOM}, {LEFT, BOTTOM}};

static void place(
    enum side side, int64_t from_side, const mica_image *seen, int64_t *y, int64_t *x) {
    if (side == TOP || side == BOTTOM)
        *y = side == TOP ? from_side : seen->height - 1 - from_side;
    else
        *x = side == LEFT ? from_side : seen->width - 1 - from_side;
}

static void check_seen(const char *kind, const mica_image *seen, int orientation, int error) {
    ck_assert_int_eq(seen->height, orientation > 4 ? WIDTH : HEIGHT);
    ck_assert_int_eq(seen->width, orientation > 4 ? HEIGHT : WIDTH);
    ck_assert_int_eq(seen->channels, 3);
    for (int row = 0; row < HEIGHT; row++)
        for (int column = 0; column < WIDTH; column++) {
            int64_t y = -1, x = -1;
            place(sides[orientation][0], row, seen, &y, &x);
            place(sides[orientation][1], column, seen, &y, &x);
            for (int c = 0; c < 3; c++) {
                const int got = seen->pixels[(y * seen->width + x) * 3 + c];
                ck_assert_msg(abs(got - stored(row, column, c)) <= error,
                    "%s, orientation %d, row %d, column %d: %d, wanted %d", kind, orientation, row,
                    column, got, stored(row, column, c));
            }
        }
}

START_TEST(turned_as_seen) {
    static uint8_t file[ROOM];
    uint8_t block[64];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int orientation = 1; orientation <= 8; orientation++)
            for (int big = 0; big < 2; big++) {
                mica_image image = {0};
                const size_t exif = exif_make(block, orientation, big, kinds[k].named);
                const size_t size = kinds[k].make(file, block, exif);
                ck_ok(mica_image_decode("t", file, size, 0, 0, &image));
                check_seen(kinds[k].name, &image, orientation, kinds[k].error);
                mica_image_free(&image);
            }
}
END_TEST

/* What a JPEG is reduced to when it is decoded is of what is seen too: here its height alone is
 * more than four times what is wanted, once turned its width. */
START_TEST(turned_before_reduced) {
    static uint8_t file[ROOM];
    uint8_t block[64];
    mica_image image = {0};
    const size_t size = jpeg_make(file, block, exif_make(block, 6, true, true));
    ck_ok(mica_image_decode("t", file, size, 12, 4, &image));
    ck_assert_int_eq(image.height, WIDTH);
    ck_assert_int_eq(image.width, HEIGHT);
    mica_image_free(&image);
    ck_ok(mica_image_decode("t", file, size, 6, 4, &image));
    ck_assert_int_eq(image.height, WIDTH / 2);
    ck_assert_int_eq(image.width, HEIGHT / 2);
    mica_image_free(&image);
}
END_TEST

/* Whatever a block holds, the picture is read, as it is stored or turned. */
START_TEST(damaged_blocks) {
    static uint8_t file[ROOM];
    uint8_t block[64], cut[64];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const size_t exif = exif_make(block, 6, false, kinds[k].named);
        for (size_t i = 0; i < 2 * exif; i++) {
            memcpy(cut, block, exif);
            cut[i % exif] ^= 0x5a;
            const size_t length = i < exif ? i : exif; /* cut off, or with a byte that is wrong */
            if (i < exif)
                cut[i] ^= 0x5a;
            mica_image image = {0};
            const size_t size = kinds[k].make(file, cut, length);
            ck_ok(mica_image_decode("t", file, size, 0, 0, &image));
            ck_assert_int_eq(image.height * image.width, HEIGHT * WIDTH);
            mica_image_free(&image);
        }
        for (int wrong = 0; wrong < 70000; wrong += 9) { /* 0 and above 8 */
            mica_image image = {0};
            const size_t size =
                kinds[k].make(file, block, exif_make(block, wrong & 0xffff, false, kinds[k].named));
            ck_ok(mica_image_decode("t", file, size, 0, 0, &image));
            if ((wrong & 0xffff) < 1 || (wrong & 0xffff) > 8)
                check_seen(kinds[k].name, &image, 1, kinds[k].error);
            mica_image_free(&image);
            wrong = wrong > 18 && wrong < 65000 ? 65529 : wrong;
        }
    }
    /* a directory that lies behind the end, and in the middle of numbers */
    for (uint32_t first = 0; first < 64; first++) {
        uint8_t *at = block + 4;
        const size_t exif = exif_make(block, 6, false, false);
        put(&at, first < 60 ? first : 0xfffffff0 + first - 60, 4, false);
        (void)mica_exif_orientation(block, exif);
    }
}
END_TEST

/* ---- WebP ---- */

START_TEST(webp) {
    static uint8_t pixels[HEIGHT * WIDTH * 4];
    uint8_t *file;
    mica_image image = {0};
    pixels_make(pixels, 4);
    size_t size = WebPEncodeLosslessRGBA(pixels, WIDTH, HEIGHT, WIDTH * 4, &file);
    ck_ok(mica_image_decode("t", file, size, 0, 0, &image));
    ck_assert_int_eq(image.channels, 3);
    for (int x = 0; x < WIDTH; x++) {
        const int alpha = 100 + x;
        ck_assert_int_eq(
            image.pixels[3 * x], (stored(0, x, 0) * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    mica_image_free(&image);
    for (size_t cut = 0; cut < size; cut++)
        ck_refused(mica_image_decode("cut", file, cut, 0, 0, &image), MICA_E_FORMAT, "cut: ");
    for (size_t at = 0; at < size; at++) {
        file[at] ^= 0x41;
        (void)mica_image_decode("flip", file, size, 0, 0, &image);
        mica_image_free(&image);
        file[at] ^= 0x41;
    }
    WebPFree(file);
    pixels_make(pixels, 3);
    size = WebPEncodeRGB(pixels, WIDTH, HEIGHT, WIDTH * 3, 95, &file);
    ck_ok(mica_image_read(temp_write("t.webp", file, size), &image));
    check_seen("lossy", &image, 1, 24); /* colours at half the resolution */
    mica_image_free(&image);
    WebPFree(file);
    uint8_t animated[64], *at = mempcpy(animated, "RIFF    WEBP", 12);
    at = chunk_put(at, "VP8X", (uint8_t[10]){2, 0, 0, 0, 3, 0, 0, 3}, 10);
    at = chunk_put(at, "ANIM", (uint8_t[6]){0}, 6);
    uint8_t *length = animated + 4;
    put(&length, (uint32_t)(at - animated) - 8, 4, false);
    ck_refused(mica_image_decode("t", animated, (size_t)(at - animated), 0, 0, &image),
        MICA_E_FORMAT, "t: an animated WebP");
}
END_TEST

/* ---- BMP ---- */

struct bmp {
    int header, bits, compression;
    bool from_top, no_alpha;
    uint32_t mask[4];
};

static uint32_t scaled(uint32_t value, uint32_t mask) {
    const uint32_t lowest = mask & (~mask + 1);
    return mask ? (uint32_t)((value * (mask / lowest) + 127) / 255) * lowest : 0;
}

static void bmp_row(const struct bmp *b, int y, uint8_t *row) {
    for (int x = 0; x < WIDTH; x++) {
        const int place = y / BLOCK * 3 + x / BLOCK;
        if (b->bits <= 8) {
            const int bit = x * b->bits, value = b->bits == 1 ? place % 2 : place;
            row[bit / 8] |= (uint8_t)(value << (8 - b->bits - bit % 8));
        } else if (b->bits == 24) {
            for (int c = 0; c < 3; c++)
                row[3 * x + c] = stored(y, x, 2 - c);
        } else {
            uint32_t bits = b->no_alpha ? 0 : scaled(255, b->mask[3]);
            for (int c = 0; c < 3; c++)
                bits |= scaled(stored(y, x, c), b->mask[c]);
            uint8_t *at = row + x * b->bits / 8;
            put(&at, bits, b->bits / 8, false);
        }
    }
}

static size_t bmp_make(uint8_t *file, const struct bmp *b) {
    memset(file, 0, ROOM);
    const bool core = b->header == 12;
    const int colours = b->bits > 8 ? 0 : 1 << b->bits;
    const int masks = b->header == 40 && b->compression == 3 ? 12 : 0;
    const int first = 14 + b->header + masks + colours * (core ? 3 : 4);
    uint8_t *at = mempcpy(file, "BM", 2);
    put(&at, 0, 8, false);
    put(&at, (uint32_t)first, 4, false);
    put(&at, (uint32_t)b->header, 4, false);
    put(&at, WIDTH, core ? 2 : 4, false);
    put(&at, b->from_top ? (uint32_t)-HEIGHT : HEIGHT, core ? 2 : 4, false);
    put(&at, 1, 2, false);
    put(&at, (uint32_t)b->bits, 2, false);
    if (!core) {
        put(&at, (uint32_t)b->compression, 4, false);
        at = file + 14 + 40;
        for (int c = 0; c < 4 && b->compression; c++)
            put(&at, b->mask[c], 4, false);
    }
    at = file + 14 + b->header + masks;
    for (int i = 0; i < colours; i++) {
        for (int c = 2; c >= 0; c--)
            *at++ = (uint8_t)(40 * i + 5 * c);
        at += !core;
    }
    const int stride = (WIDTH * b->bits + 31) / 32 * 4;
    for (int y = 0; y < HEIGHT; y++)
        bmp_row(b, b->from_top ? y : HEIGHT - 1 - y, file + first + y * stride);
    return (size_t)(first + HEIGHT * stride);
}

START_TEST(bmp) {
    static const struct bmp files[] = {{12, 24}, {40, 24}, {40, 24, .from_top = true}, {12, 8},
        {40, 8}, {40, 4}, {124, 4, .from_top = true}, {40, 1},
        {40, 32, .mask = {0xff0000, 0xff00, 0xff}}, {40, 16, .mask = {0x7c00, 0x3e0, 0x1f}},
        {40, 16, 3, .mask = {0xf800, 0x7e0, 0x1f}}, {40, 32, 3, .mask = {0xff, 0xff00, 0xff0000}},
        {108, 32, 3, .mask = {0xff0000, 0xff00, 0xff, 0xff000000}},
        {124, 32, 3, .no_alpha = true, .mask = {0xff0000, 0xff00, 0xff, 0xff000000}}};
    static uint8_t file[ROOM];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        mica_image image = {0};
        const size_t size = bmp_make(file, &files[i]);
        ck_ok(mica_image_read(temp_write("t.bmp", file, size), &image));
        ck_assert_int_eq(image.channels, 3);
        if (files[i].bits == 1)
            for (int y = 0; y < HEIGHT; y++)
                for (int x = 0; x < WIDTH; x++)
                    ck_assert_int_eq(image.pixels[(y * WIDTH + x) * 3 + 1],
                        (y / BLOCK * 3 + x / BLOCK) % 2 * 40 + 5);
        else
            check_seen("BMP", &image, 1, files[i].bits == 16 ? 5 : 0);
        mica_image_free(&image);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 64)
            ck_refused(mica_image_decode("cut", file, cut, 0, 0, &image), MICA_E_FORMAT, "cut: ");
        for (size_t at = 0; at < 80; at++)
            for (int bit = 0; bit < 8; bit += 3) {
                file[at] ^= (uint8_t)(1 << bit);
                (void)mica_image_decode("flip", file, size, 0, 0, &image);
                mica_image_free(&image);
                file[at] ^= (uint8_t)(1 << bit);
            }
    }
    mica_image image;
    const struct bmp packed = {40, 8, 1}; /* run lengths */
    ck_refused(mica_image_decode("t", file, bmp_make(file, &packed), 0, 0, &image), MICA_E_FORMAT,
        "t: a BMP of 8 bits a pixel and compression 1, which is not read");
    size_t size = bmp_make(file, &(struct bmp){40, 4});
    file[46] = 3; /* colours of its palette */
    ck_refused(mica_image_decode("t", file, size, 0, 0, &image), MICA_E_FORMAT,
        "t: a damaged BMP: a colour that its palette lacks");
}
END_TEST

START_TEST(other_kinds) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *name;
    } files[] = {{"GIF89a", 6, "a GIF picture"}, {"II*\0\0\0\0\0", 8, "a TIFF picture"},
        {"MM\0*\0\0\0\0", 8, "a TIFF picture"}, {"\0\0\0\34ftypheic", 12, "a HEIF picture"},
        {"\0\0\0\34ftypavif", 12, "an AVIF picture"}, {"", 0, "an empty file"},
        {"text", 4, "another kind of file"}};
    mica_image image;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "t: wanted a PNG, JPEG, WebP or BMP picture, came %s",
            files[i].name);
        ck_refused(mica_image_decode("t", files[i].bytes, files[i].size, 0, 0, &image),
            MICA_E_FORMAT, wanted);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("picture_kinds");
    TCase *tests = tcase_create("picture_kinds");
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, turned_as_seen);
    tcase_add_test(tests, turned_before_reduced);
    tcase_add_test(tests, damaged_blocks);
    tcase_add_test(tests, webp);
    tcase_add_test(tests, bmp);
    tcase_add_test(tests, other_kinds);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
