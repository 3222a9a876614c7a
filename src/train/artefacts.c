#include "train/artefacts.h"

#include <math.h>

enum { STRIDE_MOST = 64 };

/* What of an image repeats with the stride, but for its mean: the pixels summed up by their place
 * in a block of stride x stride. These sums hold all of the image's power at the stride's
 * frequencies, by Parseval. Rows and columns beyond the last whole block are left out. */
static void periodic_part(
    int64_t s, const float *image, int64_t height, int64_t width, int64_t channels, double *sums) {
    double all = 0;
    for (int64_t i = 0; i < s * s; i++)
        sums[i] = 0;
    for (int64_t y = 0; y < height / s * s; y++)
        for (int64_t x = 0; x < width / s * s; x++) {
            double number = (double)image[(y * width + x) * channels];
            sums[y % s * s + x % s] += number;
            all += number;
        }
    for (int64_t i = 0; i < s * s; i++)
        sums[i] -= all / (double)(s * s);
}

static void periodic_add(mica_artefacts *a, const float *image, const float *wanted, int64_t height,
    int64_t width, int64_t channels) {
    double found[STRIDE_MOST * STRIDE_MOST], given[STRIDE_MOST * STRIDE_MOST];
    periodic_part(a->stride, image, height, width, channels, found);
    periodic_part(a->stride, wanted, height, width, channels, given);
    for (int64_t i = 0; i < a->stride * a->stride; i++) {
        a->found += found[i] * found[i];
        a->given += given[i] * given[i];
        a->both += found[i] * given[i];
    }
}

static void border_add(mica_artefacts *a, const float *images, const float *wanted, int64_t height,
    int64_t width, int64_t channels) {
    int64_t s = a->stride;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            bool outside = y < s || x < s || y >= height - s || x >= width - s;
            for (int64_t c = 0; c < channels; c++, images++, wanted++) {
                double difference = (double)*images - (double)*wanted;
                *(outside ? &a->border : &a->inside) += difference * difference;
                *(outside ? &a->border_pixels : &a->inside_pixels) += 1;
            }
        }
}

void mica_artefacts_add(
    mica_artefacts *artefacts, const float *images, const float *wanted, mica_shape shape) {
    int64_t height = shape.dim[1], width = shape.dim[2], channels = shape.dim[3];
    int64_t size = height * width * channels;
    for (int64_t i = 0; i < shape.dim[0]; i++, images += size, wanted += size) {
        for (int64_t c = 0; c < channels; c++)
            periodic_add(artefacts, images + c, wanted + c, height, width, channels);
        border_add(artefacts, images, wanted, height, width, channels);
    }
}

static double ratio(double a, double b) {
    return b > 0 ? a / b : (double)NAN;
}

double mica_artefacts_checkerboard(const mica_artefacts *artefacts) {
    double explained = ratio(artefacts->both * artefacts->both, artefacts->given);
    return ratio(fmax(artefacts->found - explained, 0), artefacts->given);
}

double mica_artefacts_border(const mica_artefacts *artefacts) {
    return ratio(ratio(artefacts->border, artefacts->border_pixels),
        ratio(artefacts->inside, artefacts->inside_pixels));
}
