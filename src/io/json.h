/* What jansson leaves to its callers. */
#ifndef MICA_IO_JSON_H
#define MICA_IO_JSON_H

#include <jansson.h>

/* As json_dumps, whose text lacks pieces where memory ran out between (seen in jansson 2.14: keys
 * of objects). NULL with the last error set. Free with free(). */
char *mica_json_dumps(const json_t *json, size_t flags);

#endif
