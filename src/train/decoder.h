/* The decoder of an autoencoder as a program of its own. Knows no files. */
#ifndef MICA_TRAIN_DECODER_H
#define MICA_TRAIN_DECODER_H

#include "recipe/recipe.h"

typedef struct mica_decoder mica_decoder;

/* Decodes what the layer `code` gives, with the weights that `model` has now; the recipe must
 * outlive the decoder. */
mica_status mica_decoder_create(
    const mica_recipe *recipe, const char *code, mica_model *model, mica_decoder **decoder);
void mica_decoder_destroy(mica_decoder **decoder);

/* Numbers of one code. */
int64_t mica_decoder_size(const mica_decoder *decoder);

/* Codes (count, size) to samples (count, sample...). */
mica_status mica_decoder_run(
    mica_decoder *decoder, const float *codes, int64_t count, float *samples);

/* Copies the parameters of one model from another that has them all, under the same names. */
mica_status mica_weights_copy(mica_model *from, mica_model *to);

#endif
