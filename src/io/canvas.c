#include "io/canvas.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>

enum { SIDE_LIMIT = 1 << 14 };

/* 5 x 8 dots a letter, from the space on: 40 bits row by row, the highest at the top left. */
static const uint64_t font[] = {
    0x0000000000,
    0x2108420080,
    0x5294000000,
    0x52beafa940,
    0x23e8e2f880,
    0xc644444c60,
    0x64a88ac9a0,
    0x2110000000,
    0x1110841040,
    0x4104211100,
    0x012aea9000,
    0x0109f21000,
    0x0000001088,
    0x0001f00000,
    0x0000000080,
    0x0844444200,
    0x74675cc5c0,
    0x23084211c0,
    0x74426443e0,
    0xf042e087c0,
    0x11952f8840,
    0xfc3c10c5c0,
    0x3221e8c5c0,
    0xf844422100,
    0x7462e8c5c0,
    0x7462f08980,
    0x0100001000,
    0x0100001088,
    0x1111041040,
    0x003e0f8000,
    0x4104111100,
    0x7442620080,
    0x746f5bc1c0,
    0x7463f8c620,
    0xf463e8c7c0,
    0x74610845c0,
    0xf46318c7c0,
    0xfc21e843e0,
    0xfc21e84200,
    0x746178c5e0,
    0x8c63f8c620,
    0x71084211c0,
    0x3884214980,
    0x8ca98a4a20,
    0x84210843e0,
    0x8eeb58c620,
    0x8e7359ce20,
    0x746318c5c0,
    0xf463e84200,
    0x74631ac9a0,
    0xf463ea4a20,
    0x7c20e087c0,
    0xf908421080,
    0x8c6318c5c0,
    0x8c63152880,
    0x8c635aee20,
    0x8c54454620,
    0x8c54421080,
    0xf8444443e0,
    0x72108421c0,
    0x8410410420,
    0x70842109c0,
    0x22a2000000,
    0x000000001f,
    0x4100000000,
    0x001c17c5e0,
    0x843d18c7c0,
    0x001d0841c0,
    0x085f18c5e0,
    0x001d1fc1c0,
    0x3251c42100,
    0x001f18bc2e,
    0x843d18c620,
    0x20184211c0,
    0x100c210a4c,
    0x84254c5240,
    0x61084211c0,
    0x00355ad6a0,
    0x003d18c620,
    0x001d18c5c0,
    0x003d18fa10,
    0x001f18bc21,
    0x002d984200,
    0x001f0707c0,
    0x42388424c0,
    0x002318c5e0,
    0x002318a880,
    0x00235ad540,
    0x0022a22a20,
    0x002318bc2e,
    0x003e2223e0,
    0x1908821060,
    0x2108421080,
    0xc108221300,
    0x0013600000,
};

mica_status mica_canvas_create(int64_t width, int64_t height, mica_canvas *canvas) {
    if (width < 1 || height < 1 || width > SIDE_LIMIT || height > SIDE_LIMIT)
        return mica_fail(MICA_E_INVALID, "a picture of %lld x %lld pixels: wanted 1 to %d",
            (long long)width, (long long)height, SIDE_LIMIT);
    *canvas = (mica_canvas){{.height = height, .width = width, .channels = 3}};
    canvas->image.pixels = mica_alloc((size_t)(width * height), 3);
    if (!canvas->image.pixels)
        return MICA_E_MEMORY;
    mica_canvas_fill(canvas, 0, 0, width, height, MICA_WHITE);
    return MICA_OK;
}

void mica_canvas_free(mica_canvas *canvas) {
    mica_image_free(&canvas->image);
}

static int64_t clamp(int64_t at, int64_t end) {
    return at < 0 ? 0 : at > end ? end : at;
}

void mica_canvas_fill(
    mica_canvas *canvas, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t colour) {
    mica_image *image = &canvas->image;
    int64_t right = clamp(x + width, image->width), bottom = clamp(y + height, image->height);
    for (int64_t v = clamp(y, image->height); v < bottom; v++)
        for (int64_t u = clamp(x, image->width); u < right; u++) {
            uint8_t *pixel = image->pixels + (v * image->width + u) * 3;
            pixel[0] = (uint8_t)(colour >> 16);
            pixel[1] = (uint8_t)(colour >> 8);
            pixel[2] = (uint8_t)colour;
        }
}

/* NaN is black. */
static uint32_t level(float number, float low, float high) {
    float share = (number - low) / (high - low);
    return share >= 1 ? 255 : share > 0 ? (uint32_t)(share * 255 + 0.5f) : 0;
}

void mica_canvas_tile(mica_canvas *canvas, int64_t x, int64_t y, int64_t zoom, mica_shape shape,
    const float *numbers, float low, float high) {
    int64_t channels = shape.dim[2];
    for (int64_t v = 0; v < shape.dim[0]; v++)
        for (int64_t u = 0; u < shape.dim[1]; u++, numbers += channels) {
            uint32_t colour = 0;
            for (int64_t c = 0; c < 3; c++)
                colour = colour << 8 | level(numbers[channels == 3 ? c : 0], low, high);
            mica_canvas_fill(canvas, x + u * zoom, y + v * zoom, zoom, zoom, colour);
        }
}

/* Letters, not bytes: those that continue a letter of UTF-8 are passed over. */
static bool begins_letter(char c) {
    return ((unsigned char)c & 0xc0) != 0x80;
}

void mica_canvas_text(
    mica_canvas *canvas, int64_t x, int64_t y, int64_t size, uint32_t colour, const char *text) {
    for (; *text; text++) {
        if (!begins_letter(*text))
            continue;
        char letter = *text >= ' ' && *text <= '~' ? *text : '?';
        uint64_t dots = font[letter - ' '];
        for (int i = 0; i < 40; i++)
            if (dots >> (39 - i) & 1)
                mica_canvas_fill(canvas, x + i % 5 * size, y + i / 5 * size, size, size, colour);
        x += 6 * size;
    }
}

int64_t mica_canvas_text_width(const char *text, int64_t size) {
    int64_t letters = 0;
    for (; *text; text++)
        letters += begins_letter(*text);
    return letters ? (6 * letters - 1) * size : 0;
}

mica_status mica_canvas_write(mica_canvas *canvas, const char *path) {
    mica_status status = mica_image_write_png(path, &canvas->image);
    mica_canvas_free(canvas);
    return status;
}
