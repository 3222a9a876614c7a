/* Host memory. Every block is zeroed; failure sets the last error and returns NULL. */
#ifndef MICA_BASE_MEM_H
#define MICA_BASE_MEM_H

#include <stddef.h>

/* count * size bytes, zeroed; the product is checked. Free with free(). count 0 gives a block too.
 */
void *mica_alloc(size_t count, size_t size);

/* A copy of size bytes, or of a string. Free with free(). */
void *mica_copy(const void *data, size_t size);
char *mica_strdup(const char *text);

/* printf into a fresh string. Free with free(). */
char *mica_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more element in an array that grows: returns the (moved) array, or NULL with
 * the old array untouched. *capacity is in elements. */
void *mica_grow(void *array, size_t count, size_t *capacity, size_t size);

#endif
