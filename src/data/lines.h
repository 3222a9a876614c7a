/* The lines of a text file, with their numbers, and the fields of a line. Knows no meaning of them.
 */
#ifndef MICA_DATA_LINES_H
#define MICA_DATA_LINES_H

#include <mica/status.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct mica_lines {
    const char *path; /* for errors */
    char *text;
    size_t size;      /* without the final 0 */
    size_t at;        /* where the next line begins */
    long long number; /* of the line that was got last, from 1 */
} mica_lines;

/* Reads a file of at most 2^30 bytes, plain or gzip, or a member of a tar archive: where path is no
 * file, but ARCHIVE/NAME with an ARCHIVE that is one, its first member with that name, be it in
 * folders or not. path must outlive the lines. A byte order mark of UTF-8 is passed over. */
mica_status mica_lines_open(const char *path, mica_lines *lines);
void mica_lines_close(mica_lines *lines);

/* The next line, without its end (\n, \r\n); it may be written to. NULL after the last. A zero byte
 * and a carriage return that does not end it are MICA_E_FORMAT. */
mica_status mica_lines_next(mica_lines *lines, char **line);

/* Ends the fields of a line in place, without their outer spaces, and points fields[0 .. most - 1]
 * at the first ones. Returns how many there are, perhaps more than `most`. With `quotes` a field
 * may stand in double quotes, a quote in it doubled, as in RFC 4180 but on one line; -1: a quote
 * that is not closed, or something behind one. */
int mica_fields(char *line, const char *separator, bool quotes, char **fields, int most);

/* What is to be said of a line whose fields are wanted with commas between them, where it has other
 * separators instead: "; fields are separated by commas, ..."; else "". Before mica_fields. */
const char *mica_fields_hint(const char *line);

/* Is all of it UTF-8? */
bool mica_lines_utf8(const mica_lines *lines);

/* Takes each byte for a character of ISO-8859-1 and writes it in UTF-8. Before the first line. */
mica_status mica_lines_from_latin1(mica_lines *lines);

#endif
