/* A language model that reads and writes one character after the other. For run.c. */
#ifndef MICA_TRAIN_GENERATE_TEXT_H
#define MICA_TRAIN_GENERATE_TEXT_H

#include "recipe/recipe.h"

typedef struct mica_writer mica_writer;

void mica_writer_destroy(mica_writer **writer);

/* The recipe once more, with an input of one character, as a writer reads them. */
mica_status mica_writer_recipe(const mica_recipe *of, mica_recipe **recipe);

#endif
