/* Pictures: which decoder reads a file, and how its picture becomes a network's input. */
#include "data/image.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* ---- kinds of files ---- */

const char mica_picture_ends[] = ".jpg, .jpeg, .png, .webp, .bmp";

bool mica_picture_named(const char *name) {
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t end = strlen(ends[i]);
        if (length > end && !strcasecmp(name + length - end, ends[i]))
            return true;
    }
    return false;
}

/* By a file's first bytes, which say more than its name. */
enum kind { PNG, JPEG, WEBP, BMP, UNKNOWN };

static enum kind kind_of(const uint8_t *data, size_t size, const char **other) {
    static const struct {
        const char *bytes;
        size_t size;
        enum kind kind;
        const char *other; /* what is not read */
    } signatures[] = {{"\x89PNG\r\n\x1a\n", 8, PNG, NULL}, {"\xff\xd8", 2, JPEG, NULL},
        {"BM", 2, BMP, NULL}, {"GIF8", 4, UNKNOWN, "a GIF picture"},
        {"II*\0", 4, UNKNOWN, "a TIFF picture"}, {"MM\0*", 4, UNKNOWN, "a TIFF picture"}};
    *other = size ? "another kind of file" : "an empty file";
    if (size >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBP", 4))
        return WEBP;
    if (size >= 12 && !memcmp(data + 4, "ftypavif", 8))
        *other = "an AVIF picture";
    if (size >= 12 && (!memcmp(data + 4, "ftyphei", 7) || !memcmp(data + 4, "ftypmif1", 8)))
        *other = "a HEIF picture";
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++)
        if (size >= signatures[i].size && !memcmp(data, signatures[i].bytes, signatures[i].size)) {
            *other = signatures[i].other;
            return signatures[i].kind;
        }
    return UNKNOWN;
}

mica_status mica_image_decode(const char *name, const void *data, size_t size, int64_t min_height,
    int64_t min_width, mica_image *image) {
    const char *other;
    int orientation = 1;
    mica_image made = {0};
    switch (kind_of(data, size, &other)) {
    case PNG:
        MICA_TRY(mica_png_decode(name, data, size, &made, &orientation));
        break;
    case JPEG:
        MICA_TRY(mica_jpeg_decode(name, data, size, min_height, min_width, &made, &orientation));
        break;
    case WEBP:
        MICA_TRY(mica_webp_decode(name, data, size, &made, &orientation));
        break;
    case BMP:
        MICA_TRY(mica_bmp_decode(name, data, size, &made));
        break;
    case UNKNOWN:
        return mica_fail(
            MICA_E_FORMAT, "%s: wanted a PNG, JPEG, WebP or BMP picture, came %s", name, other);
    }
    mica_status status = mica_image_orient(&made, orientation);
    if (status == MICA_OK)
        *image = made;
    else
        mica_image_free(&made);
    return status;
}

mica_status mica_image_damaged(const char *name, const char *kind, const char *problem) {
    if (errno == ENOMEM)
        return mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", name);
    return mica_fail(MICA_E_FORMAT, "%s: a damaged %s: %s", name, kind, problem);
}

void mica_pixels_on_white(uint8_t *pixels, size_t count, int colours) {
    const uint8_t *in = pixels;
    for (size_t i = 0; i < count; i++, in += colours + 1)
        for (int c = 0; c < colours; c++) {
            const int alpha = in[colours];
            *pixels++ = (uint8_t)((in[c] * alpha + 255 * (255 - alpha) + 127) / 255);
        }
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

/* Weight of an input pixel whose centre is `x` output pixels (or, when enlarging, input pixels)
 * off: a triangle, or the cubic of Keys (1981) with a = -1/2. */
static double filter_at(mica_interpolation interpolation, double x) {
    x = fabs(x);
    if (interpolation == MICA_INTERPOLATION_LINEAR)
        return fmax(0, 1 - x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* `out` pixels from number `skip` on of the `whole` that `in` pixels become. Filters lie around the
 * centres of output pixels and are as wide as the input's or, when shrinking, as the output's
 * pixels are: interpolation that averages all it covers. */
static mica_status axis_make(mica_interpolation interpolation, int64_t in, int64_t whole,
    int64_t skip, int64_t out, struct axis *axis) {
    double step = (double)in / (double)whole, unit = step > 1 ? step : 1;
    double radius = interpolation == MICA_INTERPOLATION_CUBIC ? 2 * unit : unit;
    axis->most = 2 * (int64_t)ceil(radius) + 1;
    axis->first = mica_alloc((size_t)out, sizeof *axis->first);
    axis->taps = mica_alloc((size_t)out, sizeof *axis->taps);
    axis->weight = mica_alloc((size_t)out, (size_t)axis->most * sizeof *axis->weight);
    if (!axis->first || !axis->taps || !axis->weight)
        return MICA_E_MEMORY;
    for (int64_t i = 0; i < out; i++) {
        double centre = ((double)(skip + i) + 0.5) * step;
        int64_t from = (int64_t)fmax(floor(centre - radius), 0);
        int64_t to = (int64_t)fmin(ceil(centre + radius), (double)in);
        float *weight = axis->weight + i * axis->most;
        double sum = 0;
        for (int64_t j = from; j < to; j++)
            sum += filter_at(interpolation, ((double)j + 0.5 - centre) / unit);
        for (int64_t j = from; j < to; j++)
            weight[j - from] =
                (float)(filter_at(interpolation, ((double)j + 0.5 - centre) / unit) / sum);
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
static float channel(
    const float *pixel, int64_t channels, int64_t wanted, bool backwards, int64_t c) {
    if (channels == 1)
        return pixel[0];
    if (wanted == 3)
        return pixel[backwards ? 2 - c : c];
    return (299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]) / 1000;
}

/* Which part of a picture becomes how many pixels, and which of these are wanted. */
struct fit {
    int64_t top, left, height, width; /* the part */
    int64_t whole[2], skip[2];        /* along height and width */
};

/* The largest centred part of the wanted proportions, all of which is wanted. */
static struct fit fit_part(const mica_image *image, int64_t height, int64_t width) {
    double ratio = (double)width / (double)height;
    struct fit fit = {.height = image->height, .width = image->width, .whole = {height, width}};
    if ((double)fit.width > (double)fit.height * ratio)
        fit.width = (int64_t)fmax(1, round((double)fit.height * ratio));
    else
        fit.height = (int64_t)fmax(1, round((double)fit.width / ratio));
    if (fit.height > image->height)
        fit.height = image->height;
    fit.top = (image->height - fit.height) / 2;
    fit.left = (image->width - fit.width) / 2;
    return fit;
}

/* All of it, the shorter side of which becomes `size`; the centre is wanted. */
static struct fit fit_centre(const mica_image *image, int64_t size, int64_t height, int64_t width) {
    struct fit fit = {.height = image->height, .width = image->width};
    int64_t shorter = fit.height < fit.width ? fit.height : fit.width;
    fit.whole[0] = fit.height == shorter ? size : (size * fit.height + shorter / 2) / shorter;
    fit.whole[1] = fit.width == shorter ? size : (size * fit.width + shorter / 2) / shorter;
    fit.skip[0] = (fit.whole[0] - height) / 2;
    fit.skip[1] = (fit.whole[1] - width) / 2;
    return fit;
}

/* Where the first `n` inputs of an axis begin that are used at all, and how many are. */
static int64_t axis_span(const struct axis *axis, int64_t n, int64_t *first) {
    *first = axis->first[0];
    int64_t end = 0;
    for (int64_t i = 0; i < n; i++)
        end = end > axis->first[i] + axis->taps[i] ? end : axis->first[i] + axis->taps[i];
    return end - *first;
}

/* `values` of the wanted part, 0 to 255. */
static mica_status fit_make(const mica_image *image, const struct fit *fit, mica_shape shape,
    mica_interpolation interpolation, bool bgr, float *values) {
    int64_t height = shape.dim[0], width = shape.dim[1], wanted = shape.dim[2], first, span;
    struct axis across = {0}, down = {0};
    float *row = NULL;
    mica_status status =
        axis_make(interpolation, fit->width, fit->whole[1], fit->skip[1], width, &across);
    if (status == MICA_OK)
        status = axis_make(interpolation, fit->height, fit->whole[0], fit->skip[0], height, &down);
    if (status == MICA_OK) {
        span = axis_span(&across, width, &first);
        row = mica_alloc((size_t)span, (size_t)image->channels * sizeof *row);
        status = row ? MICA_OK : MICA_E_MEMORY;
        for (int64_t x = 0; x < width; x++)
            across.first[x] -= first;
    }
    for (int64_t y = 0; y < height && status == MICA_OK; y++) {
        row_resize(image, fit->top, fit->left + first, span, &down, y, row);
        for (int64_t x = 0; x < width; x++) {
            float pixel[3] = {0};
            pixel_resize(row, image->channels, &across, x, pixel);
            for (int64_t c = 0; c < wanted; c++) {
                float value = channel(pixel, image->channels, wanted, bgr, c);
                *values++ =
                    interpolation == MICA_INTERPOLATION_CUBIC ? fminf(fmaxf(value, 0), 255) : value;
            }
        }
    }
    axis_free(&across);
    axis_free(&down);
    free(row);
    return status;
}

/* inverts, scales, normalizes */
static void finish(const mica_preprocess *how, int64_t channels, int64_t count, float *values) {
    float scale = how->scale != 0 ? how->scale : 1;
    for (int64_t i = 0; i < count; i++) {
        int64_t c = i % channels;
        float value = (how->invert ? 255 - values[i] : values[i]) * scale;
        values[i] = (value - how->mean[c]) / (how->deviation[c] != 0 ? how->deviation[c] : 1);
    }
}

mica_status mica_image_fit(
    const mica_image *image, mica_shape shape, const mica_preprocess *how, float *values) {
    static const mica_preprocess defaults;
    char text[96];
    how = how ? how : &defaults;
    if (mica_shape_count(shape) < 1 || shape.rank != 3 || (shape.dim[2] != 1 && shape.dim[2] != 3))
        return mica_fail(MICA_E_INVALID,
            "a picture cannot become %s: wanted (height, width, 1) or (height, width, 3)",
            mica_shape_text(shape, text, sizeof text));
    int64_t height = shape.dim[0], width = shape.dim[1];
    if (how->size && (how->size < height || how->size < width || how->size > PIXEL_LIMIT))
        return mica_fail(MICA_E_INVALID,
            "pictures whose shorter side is scaled to %lld pixels cannot become %s: wanted a size "
            "of at least its height and width",
            (long long)how->size, mica_shape_text(shape, text, sizeof text));
    struct fit fit =
        how->size ? fit_centre(image, how->size, height, width) : fit_part(image, height, width);
    MICA_TRY(fit_make(image, &fit, shape, how->interpolation, how->bgr, values));
    finish(how, shape.dim[2], mica_shape_count(shape), values);
    return MICA_OK;
}

mica_status mica_image_prepare(
    const char *path, mica_shape shape, const mica_preprocess *how, float *values) {
    int64_t size = how ? how->size : 0;
    mica_image image = {0};
    MICA_TRY(mica_image_load(path, size ? size : shape.dim[0], size ? size : shape.dim[1], &image));
    mica_status status = mica_image_fit(&image, shape, how, values);
    mica_image_free(&image);
    return status;
}

mica_status mica_image_sample(
    const char *path, mica_shape shape, const mica_preprocess *how, float *values) {
    const mica_preprocess plain = {.size = how->size,
        .interpolation = how->interpolation,
        .bgr = how->bgr,
        .invert = how->invert};
    MICA_TRY(mica_image_prepare(path, shape, &plain, values));
    for (int64_t i = 0; i < mica_shape_count(shape); i++)
        values[i] = rintf(values[i]);
    return MICA_OK;
}
