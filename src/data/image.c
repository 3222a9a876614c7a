/* Pictures: which decoder reads a file, and how its picture becomes a network's input. */
#include "data/image.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT  ((size_t)1 << 28) /* bytes */
#define PIXEL_LIMIT ((int64_t)1 << 26)

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

mica_status mica_image_check_size(const char *name, int64_t height, int64_t width) {
    if (height < 1 || width < 1 || width > PIXEL_LIMIT / height)
        return mica_fail(MICA_E_FORMAT, "%s: %lld x %lld pixels: wanted at most %lld in all", name,
            (long long)width, (long long)height, (long long)PIXEL_LIMIT);
    return MICA_OK;
}

mica_status mica_image_decode(const char *name, const void *data, size_t size, int64_t min_height,
    int64_t min_width, mica_image *image) {
    static const uint8_t png[] = {137, 'P', 'N', 'G', '\r', '\n', 26, '\n'}, jpeg[] = {255, 216};
    if (size >= sizeof png && !memcmp(data, png, sizeof png))
        return mica_png_decode(name, data, size, image);
    if (size >= sizeof jpeg && !memcmp(data, jpeg, sizeof jpeg))
        return mica_jpeg_decode(name, data, size, min_height, min_width, image);
    return mica_fail(
        MICA_E_FORMAT, "%s: wanted a PNG or JPEG picture, came another kind of file", name);
}

mica_status mica_image_load(
    const char *path, int64_t min_height, int64_t min_width, mica_image *image) {
    char *data;
    size_t size;
    MICA_TRY(mica_file_read(path, FILE_LIMIT, &data, &size));
    mica_status status = mica_image_decode(path, data, size, min_height, min_width, image);
    free(data);
    return status;
}

mica_status mica_image_read(const char *path, mica_image *image) {
    return mica_image_load(path, 0, 0, image);
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

/* Row `y` of the part from (top, left) on, resized along its height only: (width, channels). */
static void row_resize(const mica_image *image, int64_t top, int64_t left, int64_t width,
    const struct axis *down, int64_t y, float *row) {
    int64_t count = width * image->channels;
    memset(row, 0, (size_t)count * sizeof *row);
    for (int64_t i = 0; i < down->taps[y]; i++) {
        const uint8_t *in =
            image->pixels + ((top + down->first[y] + i) * image->width + left) * image->channels;
        float weight = down->weight[y * down->most + i];
        for (int64_t x = 0; x < count; x++)
            row[x] += weight * (float)in[x];
    }
}

/* Pixel `x` of a row resized along its width too, with the channels of the picture. */
static void pixel_resize(
    const float *row, int64_t channels, const struct axis *across, int64_t x, float pixel[3]) {
    const float *in = row + across->first[x] * channels;
    const float *weight = across->weight + x * across->most;
    for (int64_t c = 0; c < channels; c++) {
        pixel[c] = 0;
        for (int64_t i = 0; i < across->taps[x]; i++)
            pixel[c] += weight[i] * in[i * channels + c];
    }
}

/* Channel c of `wanted` out of a pixel of `channels`. */
static float channel(const float *pixel, int64_t channels, int64_t wanted, int64_t c) {
    if (channels == 1)
        return pixel[0];
    if (wanted == 3)
        return pixel[c];
    return (299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]) / 1000;
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
    int64_t top = (image->height - part_height) / 2, left = (image->width - part_width) / 2;
    struct axis across = {0}, down = {0};
    float *row = mica_alloc((size_t)part_width, (size_t)image->channels * sizeof *row);
    mica_status status = row ? axis_make(part_width, width, &across) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = axis_make(part_height, height, &down);
    for (int64_t y = 0; y < height && status == MICA_OK; y++) {
        row_resize(image, top, left, part_width, &down, y, row);
        for (int64_t x = 0; x < width; x++) {
            float pixel[3] = {0};
            pixel_resize(row, image->channels, &across, x, pixel);
            for (int64_t c = 0; c < wanted; c++) {
                float value = channel(pixel, image->channels, wanted, c);
                *values++ = (invert ? 255 - value : value) * scale;
            }
        }
    }
    axis_free(&across);
    axis_free(&down);
    free(row);
    return status;
}

mica_status mica_image_sample(const char *path, mica_shape shape, float *values) {
    mica_image image = {0};
    MICA_TRY(mica_image_load(path, shape.dim[0], shape.dim[1], &image));
    mica_status status = mica_image_fit(&image, shape, false, 1, values);
    mica_image_free(&image);
    for (int64_t i = 0; status == MICA_OK && i < mica_shape_count(shape); i++)
        values[i] = rintf(values[i]);
    return status;
}
