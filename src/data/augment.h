/* Random changes of pictures. Knows no data sets and no batches. */
#ifndef MICA_DATA_AUGMENT_H
#define MICA_DATA_AUGMENT_H

#include <mica/data.h>

/* Is there any change to make? */
bool mica_augment_wanted(const mica_augment *augment);

/* Checks the numbers, and the shape of the samples against them. */
mica_status mica_augment_check(const mica_augment *augment, mica_shape sample);

/* The changes of one sample, drawn. */
typedef struct mica_augment_draw {
    int64_t down, right; /* by which the picture is shifted */
    bool mirrored;
    float brightness, contrast; /* factors */
    int64_t hole_y, hole_x;     /* the pixel in the middle of the cutout */
} mica_augment_draw;

mica_augment_draw mica_augment_roll(
    const mica_augment *augment, mica_shape shape, uint64_t seed, int64_t epoch, int64_t sample);

/* Brightness and contrast of `count` values, in place; they stay between 0 and white. */
void mica_augment_light(const mica_augment_draw *draw, float white, int64_t count, float *values);

/* Shift, mirroring and cutout, of normalized values, from one (height, width, channels) to
 * another. */
void mica_augment_move(const mica_augment *augment, const mica_augment_draw *draw, mica_shape shape,
    const float *from, float *to);

#endif
