/* Characters of UTF-8 (RFC 3629), one at a time. */
#ifndef MICA_BASE_UTF8_H
#define MICA_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { MICA_CODE_POINTS = 0x110000 };

/* Reads the character at the head of `size` bytes, at least one. Returns its length, or 0 and, in
 * *why, what is wrong: nothing but the shortest form of a character is taken, and no 0. */
int mica_utf8_read(const char *text, size_t size, int32_t *point, const char **why);

/* Writes a character and a final 0. */
void mica_utf8_write(int32_t point, char text[5]);

#endif
