/* Pictures of what a network learned, as PNG in the run's folder. Where samples are no images, or
 * there is nothing to show, a picture is left out. Knows no training loop. */
#ifndef MICA_TRAIN_PICTURES_H
#define MICA_TRAIN_PICTURES_H

#include "train/evaluate.h"

/* What is shown, and where. */
typedef struct mica_showing {
    const mica_recipe *recipe;
    const mica_network *network;
    mica_model *model;
    const mica_dataset *set;
    const char *set_name; /* "test" */
    const char *folder;
} mica_showing;

#define MICA_SAMPLE_STREAM 0x73616d70u /* of Philox, for the codes of samples */

/* mistakes.png: the gravest mistakes of the evaluator's last run, which was on the set; with
 * several heads mistakes-<head>.png. */
mica_status mica_draw_mistakes(const mica_showing *showing, const mica_evaluator *evaluator);

/* forecast.svg of a time series; nothing of other data. See forecast.c. */
mica_status mica_draw_forecast(const mica_showing *showing);

/* filters.png: the filters of the first layer. reconstructions.png: samples of the set, with noise
 * if the network adds it, and what each head made of them. walk.png: what the decoder makes of
 * codes on the plane, where they are two numbers drawn from a normal, or else on straight lines
 * between the codes of samples. samples.png: what it makes of numbers from the unit normal. */
mica_status mica_draw_pictures(const mica_showing *showing);

/* The image that a sample is: (height, width, channels), (height, width), or a square in one row.
 * False if it is none. */
bool mica_picture_shape(mica_shape sample, mica_shape *picture);

/* From a network's numbers to those of the data's pictures, 0 to *white: undoes normalization in
 * place. */
void mica_picture_restore(const mica_recipe *recipe, float *numbers, int64_t count, float *white);

#endif
