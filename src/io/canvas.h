/* Drawing on a picture: areas, tiles of numbers, text in a small font of its own. Coordinates are
 * pixels from the top left; what lies outside is cut off. Knows nothing of what is drawn. */
#ifndef MICA_IO_CANVAS_H
#define MICA_IO_CANVAS_H

#include <mica/io.h>

typedef struct mica_canvas {
    mica_image image; /* RGB */
} mica_canvas;

#define MICA_WHITE 0xffffffu
#define MICA_PALE  0xf3f4f6u
#define MICA_BLACK 0x1f2328u
#define MICA_GREY  0x57606au
#define MICA_RED   0xc43c00u
#define MICA_BLUE  0x0b4f8au

/* White. */
mica_status mica_canvas_create(int64_t width, int64_t height, mica_canvas *canvas);
void mica_canvas_free(mica_canvas *canvas);

void mica_canvas_fill(
    mica_canvas *canvas, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t colour);

/* Numbers (height, width, channels) with 1 or 3 channels as an image in which each is zoom x zoom
 * pixels: low is black, high white, what is beyond is cut off. */
void mica_canvas_tile(mica_canvas *canvas, int64_t x, int64_t y, int64_t zoom, mica_shape shape,
    const float *numbers, float low, float high);

/* One line of text whose letters are `size` times 5 x 8 pixels, of which 7 stand on the line. What
 * is no ASCII shows as ?. */
void mica_canvas_text(
    mica_canvas *canvas, int64_t x, int64_t y, int64_t size, uint32_t colour, const char *text);
int64_t mica_canvas_text_width(const char *text, int64_t size);

/* Writes the picture and frees the canvas. */
mica_status mica_canvas_write(mica_canvas *canvas, const char *path);

#endif
