/* The tables of SPIR-V that ci/embed.py generates, one a shader file. */
#ifndef MICA_DEVICE_SPIRV_H
#define MICA_DEVICE_SPIRV_H

#include <stddef.h>
#include <stdint.h>

typedef struct mica_spirv {
    const char *entry; /* NULL ends a table */
    const uint32_t *code;
    size_t size; /* bytes */
} mica_spirv;

#endif
