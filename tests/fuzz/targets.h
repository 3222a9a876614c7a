/* Fuzz targets: each takes the bytes of a file. */
#ifndef MICA_TESTS_FUZZ_TARGETS_H
#define MICA_TESTS_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_TARGETS(X)                                                                            \
    X(cifar10)                                                                                     \
    X(csv) X(idx) X(image) X(npz) X(onnx) X(ratings) X(recipe) X(safetensors) X(series) X(text)

#define FUZZ_DECLARE(name) void fuzz_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS(FUZZ_DECLARE)

#endif
