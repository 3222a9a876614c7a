/* Numbers in data files: decimal, with a point, whatever the locale. */
#ifndef MICA_DATA_NUMBER_H
#define MICA_DATA_NUMBER_H

#include <stdbool.h>

/* The number that the text begins with: digits with perhaps a sign, a point and an exponent of ten,
 * as in -1.5e3. Hexadecimal ones and the words of C for infinity and NaN are none. *end is what
 * follows; false: there is none. One too large for a double is infinite. */
bool mica_number_start(const char *text, const char **end, double *value);

/* The same where nothing may follow. */
bool mica_number_read(const char *text, double *value);

/* Can the cell of a table be a column's name? Not a number, decimal or hexadecimal, perhaps with
 * something but a letter behind it (a date), nor what stands for one that is missing (nan, inf, NA,
 * null, none). An empty cell can. */
bool mica_number_is_name(const char *text);

#endif
