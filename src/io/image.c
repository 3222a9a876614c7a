/* From a picture to a network's input. Knows no file formats. */
#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <mica/io.h>
#include <stdlib.h>

/* How one axis is resized: output i is the sum of taps[i] inputs from first[i] on, with weights
 * weight[i * most ...]. */
struct axis {
    int64_t most;
    int64_t *first, *taps;
    float *weight;
};

void mica_image_free(mica_image *image) {
    free(image->pixels);
    *image = (mica_image){0};
}

static void axis_free(struct axis *axis) {
    free(axis->first);
    free(axis->taps);
    free(axis->weight);
}

/* Triangles around the centres of the output pixels, as wide as the input pixels or, when
 * shrinking, as the output pixels: linear interpolation that averages all it covers. */
static mica_status axis_make(int64_t in, int64_t out, struct axis *axis) {
    double step = (double)in / (double)out, radius = step > 1 ? step : 1;
    axis->most = 2 * (int64_t)ceil(radius) + 1;
    axis->first = mica_alloc((size_t)out, sizeof *axis->first);
    axis->taps = mica_alloc((size_t)out, sizeof *axis->taps);
    axis->weight = mica_alloc((size_t)out, (size_t)axis->most * sizeof *axis->weight);
    if (!axis->first || !axis->taps || !axis->weight)
        return MICA_E_MEMORY;
    for (int64_t i = 0; i < out; i++) {
        double centre = ((double)i + 0.5) * step;
        int64_t from = (int64_t)fmax(floor(centre - radius), 0);
        int64_t to = (int64_t)fmin(ceil(centre + radius), (double)in);
        float *weight = axis->weight + i * axis->most;
        double sum = 0;
        for (int64_t j = from; j < to; j++)
            sum += fmax(0, 1 - fabs((double)j + 0.5 - centre) / radius);
        for (int64_t j = from; j < to; j++)
            weight[j - from] = (float)(fmax(0, 1 - fabs((double)j + 0.5 - centre) / radius) / sum);
        axis->first[i] = from;
        axis->taps[i] = to - from;
    }
    return MICA_OK;
}

/* Channel c of a pixel, 0 to 255, in a picture of `channels` of which `wanted` are asked for. */
static float channel(const uint8_t *pixel, int64_t channels, int64_t wanted, int64_t c) {
    if (channels == 1)
        return pixel[0];
    if (wanted == 3)
        return pixel[c];
    return (float)(299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]) / 1000;
}

/* Rows of the part (top, left, height, ...) resized to `width` pixels: (height, width, wanted). */
static void rows_resize(const mica_image *image, int64_t top, int64_t left, int64_t height,
    int64_t width, int64_t wanted, const struct axis *axis, float *out) {
    for (int64_t y = 0; y < height; y++) {
        const uint8_t *row = image->pixels + ((top + y) * image->width + left) * image->channels;
        for (int64_t x = 0; x < width; x++)
            for (int64_t c = 0; c < wanted; c++) {
                float sum = 0;
                for (int64_t i = 0; i < axis->taps[x]; i++)
                    sum += axis->weight[x * axis->most + i] *
                           channel(row + (axis->first[x] + i) * image->channels, image->channels,
                               wanted, c);
                *out++ = sum;
            }
    }
}

mica_status mica_image_fit(
    const mica_image *image, mica_shape shape, bool invert, float scale, float *values) {
    char text[96];
    if (mica_shape_count(shape) < 1 || shape.rank != 3 || (shape.dim[2] != 1 && shape.dim[2] != 3))
        return mica_fail(MICA_E_INVALID,
            "a picture cannot become %s: wanted (height, width, 1) or (height, width, 3)",
            mica_shape_text(shape, text, sizeof text));
    int64_t height = shape.dim[0], width = shape.dim[1], wanted = shape.dim[2];
    double ratio = (double)width / (double)height;
    int64_t part_height = image->height, part_width = image->width;
    if ((double)part_width > (double)part_height * ratio)
        part_width = (int64_t)fmax(1, round((double)part_height * ratio));
    else
        part_height = (int64_t)fmax(1, round((double)part_width / ratio));
    if (part_height > image->height)
        part_height = image->height;
    int64_t row = width * wanted;
    struct axis across = {0}, down = {0};
    float *rows = mica_alloc((size_t)part_height, (size_t)row * sizeof *rows);
    mica_status status = rows ? axis_make(part_width, width, &across) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = axis_make(part_height, height, &down);
    if (status == MICA_OK) {
        rows_resize(image, (image->height - part_height) / 2, (image->width - part_width) / 2,
            part_height, width, wanted, &across, rows);
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < row; x++) {
                float sum = 0;
                for (int64_t i = 0; i < down.taps[y]; i++)
                    sum += down.weight[y * down.most + i] * rows[(down.first[y] + i) * row + x];
                *values++ = (invert ? 255 - sum : sum) * scale;
            }
    }
    axis_free(&across);
    axis_free(&down);
    free(rows);
    return status;
}
