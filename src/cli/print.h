/* All that the program prints for a person. */
#ifndef MICA_CLI_PRINT_H
#define MICA_CLI_PRINT_H

#include "base/error.h"
#include "base/text.h"

/* Print to stdout and to stderr like printf, but for this: names come from recipes, files and
 * servers, and what a terminal would obey in them is shown instead. In the arguments of %s and %c
 * control characters become \n, \x1b, \u009b and bytes that are no UTF-8 \xff; the format itself
 * stays as it is. Conversions: d i u x X with h l ll z, c, s, e f g, %. */
void mica_cli_out(const char *format, ...) MICA_PRINTF(1, 2);
void mica_cli_err(const char *format, ...) MICA_PRINTF(1, 2);

/* The same behind a text that is printed later. */
void mica_cli_text_add(mica_text *text, const char *format, ...) MICA_PRINTF(2, 3);

/* Prints "mica: ..." on stderr; returns 2. */
int mica_cli_usage(const char *format, ...) MICA_PRINTF(1, 2);

/* Writes out what stdout still holds: 0, or 1 where something could not be written, which end
 * tells. end also closes it, and prints the error. */
int mica_cli_out_flush(void);
int mica_cli_out_end(void);

#endif
