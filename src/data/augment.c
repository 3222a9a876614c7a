#include "data/augment.h"

#include "base/error.h"
#include "base/philox.h"

#include <math.h>
#include <string.h>

#define PIXELS_LIMIT (1 << 16)

/* The fourth word of the counter; that of a shuffle is 0. */
#define STREAM 0x61756721u

bool mica_augment_wanted(const mica_augment *a) {
    return a->crop_padding || a->flip || a->brightness != 0 || a->contrast != 0 || a->cutout;
}

mica_status mica_augment_check(const mica_augment *a, mica_shape sample) {
    if (!mica_augment_wanted(a))
        return MICA_OK;
    char text[96];
    if (sample.rank != 3)
        return mica_fail(MICA_E_INVALID,
            "augment: samples are %s, wanted pictures: (height, width, channels)",
            mica_shape_text(sample, text, sizeof text));
    if (a->crop_padding < 0 || a->crop_padding > PIXELS_LIMIT || a->cutout < 0 ||
        a->cutout > PIXELS_LIMIT)
        return mica_fail(MICA_E_INVALID,
            "augment: crop_padding %lld, cutout %lld: wanted 0 to %d pixels",
            (long long)a->crop_padding, (long long)a->cutout, PIXELS_LIMIT);
    if (!(a->brightness >= 0 && a->brightness <= 1) || !(a->contrast >= 0 && a->contrast <= 1))
        return mica_fail(MICA_E_INVALID, "augment: brightness %g, contrast %g: wanted 0 to 1",
            (double)a->brightness, (double)a->contrast);
    return MICA_OK;
}

/* 0 .. end - 1; the bias is at most end / 2^32. */
static int64_t below(uint32_t word, int64_t end) {
    return (int64_t)(((uint64_t)word * (uint64_t)end) >> 32);
}

/* 1 - amount .. 1 + amount */
static float around_one(uint32_t word, float amount) {
    return 1 + amount * (2 * ((float)(word >> 8) * 0x1p-24f) - 1);
}

mica_augment_draw mica_augment_roll(
    const mica_augment *a, mica_shape shape, uint64_t seed, int64_t epoch, int64_t sample) {
    uint32_t word[8];
    for (uint32_t block = 0; block < 2; block++)
        mica_philox((const uint32_t[4]){block, (uint32_t)sample, (uint32_t)epoch, STREAM},
            (const uint32_t[2]){(uint32_t)seed, (uint32_t)(seed >> 32)}, word + 4 * block);
    int64_t shifts = 2 * a->crop_padding + 1;
    return (mica_augment_draw){
        .down = below(word[0], shifts) - a->crop_padding,
        .right = below(word[1], shifts) - a->crop_padding,
        .mirrored = a->flip && word[2] >> 31,
        .brightness = around_one(word[3], a->brightness),
        .contrast = around_one(word[4], a->contrast),
        .hole_y = below(word[5], shape.dim[0]),
        .hole_x = below(word[6], shape.dim[1]),
    };
}

void mica_augment_light(const mica_augment_draw *draw, float white, int64_t count, float *values) {
    if (draw->brightness == 1 && draw->contrast == 1)
        return;
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i];
    float mean = (float)(sum / (double)count);
    float low = isfinite(white) ? fminf(0, white) : -INFINITY, high = fmaxf(0, white);
    for (int64_t i = 0; i < count; i++) {
        float value = ((values[i] - mean) * draw->contrast + mean) * draw->brightness;
        values[i] = value < low ? low : value > high ? high : value;
    }
}

static int64_t clamp(int64_t number, int64_t low, int64_t high) {
    return number < low ? low : number > high ? high : number;
}

static void cut_out(int64_t side, const mica_augment_draw *draw, mica_shape shape, float *values) {
    int64_t height = shape.dim[0], width = shape.dim[1], channels = shape.dim[2];
    int64_t top = draw->hole_y - side / 2, left = draw->hole_x - side / 2;
    int64_t first = clamp(left, 0, width), last = clamp(left + side, 0, width);
    for (int64_t y = clamp(top, 0, height); y < clamp(top + side, 0, height); y++)
        memset(values + (y * width + first) * channels, 0,
            (size_t)((last - first) * channels) * sizeof *values);
}

void mica_augment_move(const mica_augment *a, const mica_augment_draw *draw, mica_shape shape,
    const float *from, float *to) {
    int64_t height = shape.dim[0], width = shape.dim[1], channels = shape.dim[2];
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++, to += channels) {
            int64_t in_y = y - draw->down;
            int64_t in_x = (draw->mirrored ? width - 1 - x : x) - draw->right;
            bool inside = in_y >= 0 && in_y < height && in_x >= 0 && in_x < width;
            for (int64_t c = 0; c < channels; c++)
                to[c] = inside ? from[(in_y * width + in_x) * channels + c] : 0;
        }
    cut_out(a->cutout, draw, shape, to - height * width * channels);
}
