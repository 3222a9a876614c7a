/* Weights from elsewhere that a model takes as far as they fit; mica_model_import takes all or
 * none.
 */
#ifndef MICA_TRAIN_IMPORT_H
#define MICA_TRAIN_IMPORT_H

#include "recipe/schema.h"

#include <mica/train.h>

/* Reads the parameters that have a tensor of their name and shape in a file, Mica's or PyTorch's.
 * What is left over on either side is said in notes, which is empty before. A file of which nothing
 * fits is MICA_E_FORMAT. */
mica_status mica_model_import_fitting(mica_model *model, const char *path, mica_texts *notes);

#endif
