/* Traces of upsampling in reconstructed images, in numbers. Knows no networks. */
#ifndef MICA_TRAIN_ARTEFACTS_H
#define MICA_TRAIN_ARTEFACTS_H

#include <mica/tensor.h>

/* Sums over images. Set the stride, from 2 on, and zero the rest; with stride 0 nothing is
 * measured. */
typedef struct mica_artefacts {
    int64_t stride;
    double found, given, both; /* power at the stride's frequencies: of the images, of what they
                                  should be, and of the two together */
    double border, inside;     /* squared differences */
    double border_pixels, inside_pixels;
} mica_artefacts;

/* Adds images (batch, height, width, channels) and what they should be. */
void mica_artefacts_add(
    mica_artefacts *artefacts, const float *images, const float *wanted, mica_shape shape);

/* The images' power at the frequencies of the stride (multiples of 1 / stride along height and
 * width, but not 0 along both) as far as it is no multiple of what should be there, over the power
 * that should be there: 0 where images are right or only blurred, more where a pattern repeats with
 * the stride, such as the checkerboard of Odena, Dumoulin and Olah, "Deconvolution and checkerboard
 * artifacts", 2016. NaN where nothing was measured. */
double mica_artefacts_checkerboard(const mica_artefacts *artefacts);

/* The mean squared difference in the outermost `stride` pixels over that further in: 1 where the
 * border is as good. NaN where nothing was measured. */
double mica_artefacts_border(const mica_artefacts *artefacts);

#endif
