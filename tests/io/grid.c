/* Pictures and arrays that are written: what a reader finds in them. */
#include "io/grid.h"
#include "base/file.h"
#include "io/canvas.h"
#include "tests/io/temp.h"

#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mica_image read_back(const char *name) {
    mica_image image = {0};
    ck_ok(mica_image_read(temp_path(name), &image));
    return image;
}

static bool is(const mica_image *image, int64_t x, int64_t y, uint32_t colour) {
    const uint8_t *pixel = image->pixels + (y * image->width + x) * image->channels;
    return pixel[0] == colour >> 16 && pixel[1] == (colour >> 8 & 255) &&
           pixel[2] == (colour & 255);
}

START_TEST(png) {
    uint8_t pixels[] = {0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255};
    mica_image image = {2, 2, 3, pixels}, grey = {3, 4, 1, pixels};
    ck_ok(mica_image_write_png(temp_path("a.png"), &image));
    mica_image back = read_back("a.png");
    ck_assert_int_eq(back.height * 100 + back.width * 10 + back.channels, 223);
    ck_assert_int_eq(memcmp(back.pixels, pixels, 12), 0);
    mica_image_free(&back);
    ck_ok(mica_image_write_png(temp_path("a.png"), &grey));
    back = read_back("a.png");
    ck_assert_int_eq(back.height * 100 + back.width * 10 + back.channels, 341);
    ck_assert_int_eq(memcmp(back.pixels, pixels, 12), 0);
    mica_image_free(&back);
    grey.channels = 2;
    ck_refused(mica_image_write_png(temp_path("b.png"), &grey), MICA_E_INVALID, "1 or 3 channels");
    grey.channels = 1;
    ck_refused(mica_image_write_png(temp_path("no/b.png"), &grey), MICA_E_IO, "no/b.png");
}
END_TEST

/* Every letter leaves its dots, within its box. */
START_TEST(text) {
    mica_canvas canvas;
    for (char c = '!'; c <= '~'; c++) {
        ck_ok(mica_canvas_create(5, 8, &canvas));
        mica_canvas_text(&canvas, 0, 0, 1, 0, (char[]){c, 0});
        size_t dots = 0;
        for (int i = 0; i < 40; i++)
            dots += is(&canvas.image, i % 5, i / 5, 0);
        ck_assert_msg(dots > 0 && dots < 30, "%c: %zu dots", c, dots);
        mica_canvas_free(&canvas);
    }
    ck_assert_int_eq(mica_canvas_text_width("", 2), 0);
    ck_assert_int_eq(mica_canvas_text_width("ab", 2), 22);
    ck_assert_int_eq(mica_canvas_text_width("\xc3\xa9", 1), 5); /* one letter of two bytes */
    ck_ok(mica_canvas_create(5, 8, &canvas));
    mica_canvas_text(&canvas, -100, -3, 7, MICA_RED, "cut off \xc3\xa9 \x01");
    mica_canvas_fill(&canvas, -5, -5, 6, 6, MICA_BLUE);
    ck_assert(is(&canvas.image, 0, 0, MICA_BLUE));
    mica_canvas_free(&canvas);
    ck_refused(mica_canvas_create(1 << 20, 1, &canvas), MICA_E_INVALID, "wanted 1 to");
}
END_TEST

START_TEST(tiles) {
    const float pixels[] = {0, 1, 0.5f, 9, -1, 1, 0, 0};
    static const char *const names[] = {"one", "two"};
    static const char *const captions[] = {"a", "b\nlonger than its tile"};
    mica_grid grid = {.title = "T",
        .rows = 2,
        .columns = 1,
        .tile = {3, {2, 2, 1}},
        .pixels = pixels,
        .high = 1,
        .side = 20,
        .row_names = names,
        .captions = captions};
    ck_ok(mica_grid_write(temp_path("g.png"), &grid));
    mica_image image = read_back("g.png");
    /* The first tile's corner is the first black pixel of its row that spans ten. */
    int64_t x = 0, y = 0, found = 0;
    for (y = 0; y < image.height && !found; y++)
        for (x = 0; x + 20 < image.width && !found; x++)
            found = is(&image, x, y, 0) && is(&image, x + 9, y + 9, 0) &&
                    is(&image, x + 10, y, 0xffffff) && is(&image, x, y + 10, 0x808080) &&
                    is(&image, x + 19, y + 19, 0xffffff);
    ck_assert(found);
    mica_image_free(&image);

    const float colour[] = {1, 0, 0, 0, 0, 1};
    grid =
        (mica_grid){.rows = 1, .columns = 2, .tile = {3, {1, 1, 3}}, .pixels = colour, .high = 1};
    ck_ok(mica_grid_write(temp_path("g.png"), &grid));
    image = read_back("g.png");
    ck_assert(is(&image, 16, 16, 0xff0000));
    ck_assert(is(&image, 16 + 63 + 5, 16, 0x0000ff));
    mica_image_free(&image);
    grid.count = 3;
    ck_refused(mica_grid_write(temp_path("g.png"), &grid), MICA_E_INVALID, "3 tiles");
    grid.count = 0;
    grid.high = 0;
    ck_refused(mica_grid_write(temp_path("g.png"), &grid), MICA_E_INVALID, "high above low");
}
END_TEST

START_TEST(confusion) {
    int64_t counts[100 * 100] = {5, 1, 0, 123456};
    char number[100][4];
    const char *names[100];
    for (int i = 0; i < 100; i++) {
        snprintf(number[i], sizeof number[i], "%d", i);
        names[i] = number[i];
    }
    char endless[2048];
    memset(endless, 'w', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    names[1] = endless;
    ck_ok(mica_png_confusion(temp_path("c.png"), "two", counts, 2, names));
    names[1] = number[1];
    mica_image image = read_back("c.png");
    ck_assert_int_gt(image.width, 100);
    mica_image_free(&image);
    ck_ok(mica_png_confusion(temp_path("c.png"), "a hundred", counts, 100, names));
    image = read_back("c.png");
    ck_assert_int_gt(image.width, 1000);
    mica_image_free(&image);
}
END_TEST

START_TEST(npy) {
    const float values[] = {1, -2, 0.5f, 3, 4, 5};
    char *data, *header;
    size_t size;
    ck_ok(mica_npy_write(temp_path("a.npy"), MICA_SHAPE(2, 3), values));
    ck_ok(mica_file_read(temp_path("a.npy"), 4096, &data, &size));
    ck_assert_int_eq(memcmp(data, "\x93NUMPY\x01\x00", 8), 0);
    size_t length = (unsigned char)data[8] + 256 * (size_t)(unsigned char)data[9];
    ck_assert_uint_eq((10 + length) % 64, 0);
    ck_assert_uint_eq(size, 10 + length + sizeof values);
    header = strndup(data + 10, length);
    ck_assert_msg(
        !strncmp(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,), }", 59), "%s",
        header);
    ck_assert_int_eq(header[length - 1], '\n');
    ck_assert_int_eq(memcmp(data + 10 + length, values, sizeof values), 0);
    free(header);
    free(data);
    ck_ok(mica_npy_write(temp_path("b.npy"), MICA_SHAPE(6), values));
    ck_ok(mica_npy_write(temp_path("c.npy"), MICA_SCALAR, values));
    ck_refused(mica_npy_write(temp_path("d.npy"), MICA_SHAPE(0), values), MICA_E_INVALID, "shape");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pictures");
    TCase *tests = tcase_create("pictures");
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_test(tests, png);
    tcase_add_test(tests, text);
    tcase_add_test(tests, tiles);
    tcase_add_test(tests, confusion);
    tcase_add_test(tests, npy);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
