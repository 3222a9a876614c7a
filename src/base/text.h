/* A string that grows: sources, SVG, JSON, tables. */
#ifndef MICA_BASE_TEXT_H
#define MICA_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialize; free(text.data). After an allocation failed, `failed` is set and adding does
 * nothing, so that a long report is checked once, at its end. */
typedef struct mica_text {
    char *data;
    size_t size; /* without the final 0 */
    size_t capacity;
    bool failed;
} mica_text;

void mica_text_add(mica_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mica_text_bytes(mica_text *text, const void *data, size_t size);

/* The nearest of `count` names by edit distance, or NULL if none is near: for "did you mean". */
const char *mica_nearest(const char *name, const char *const *names, size_t count);

#endif
