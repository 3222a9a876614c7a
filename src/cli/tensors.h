/* The tensors of a file of weights, whatever its format: ONNX, safetensors, NumPy's. */
#ifndef MICA_CLI_TENSORS_H
#define MICA_CLI_TENSORS_H

#include "cli/cli.h"

#include <mica/onnx.h>

typedef struct mica_cli_tensors {
    mica_onnx *onnx; /* one of the three */
    mica_safetensors *safetensors;
    mica_npz *npz;
    size_t count;
} mica_cli_tensors;

/* Whether a name ends as those of such files do. */
bool mica_cli_is_tensors(const char *path);

mica_status mica_cli_tensors_open(const char *path, mica_cli_tensors *tensors);
void mica_cli_tensors_close(mica_cli_tensors *tensors);

/* Its name, type and shape, which live until the next call or closing. The type of an array of
 * texts says nothing. */
mica_status mica_cli_tensors_get(
    const mica_cli_tensors *tensors, size_t index, mica_stored_tensor *tensor);

/* An array of texts, which lives until closing; NULL where there are numbers. */
const mica_array *mica_cli_tensors_texts(const mica_cli_tensors *tensors, size_t index);

/* Whether its numbers have a point; then they are read as floats, others as integers.
 * MICA_E_UNSUPPORTED: one does not fit into float32 or int64. */
bool mica_cli_tensor_real(const mica_stored_tensor *tensor);
mica_status mica_cli_tensors_floats(const mica_cli_tensors *tensors, size_t index, float *floats);
mica_status mica_cli_tensors_integers(
    const mica_cli_tensors *tensors, size_t index, int64_t *integers);

/* `mica summary` of such a file. */
int mica_cli_summary_tensors(const char *path, bool json);

#endif
