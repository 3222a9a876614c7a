/* A data file read from its start to its end, gunzipped on the way if it is a gzip file. Knows no
 * format inside. */
#ifndef MICA_DATA_SOURCE_H
#define MICA_DATA_SOURCE_H

#include <mica/status.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mica_source mica_source;

/* path must outlive the source. A missing file is MICA_E_NOT_FOUND. */
mica_status mica_source_open(const char *path, mica_source **source);
void mica_source_close(mica_source **source); /* accepts NULL inside */

/* How many bytes the file can hold at most: its size, or for gzip what deflate could make of it.
 * What a header announces beyond that is not there, and need not be allocated to find out. */
uint64_t mica_source_most(const mica_source *source);

/* Reads up to size bytes; fewer only at the end of the file. A gzip file that is cut off or does
 * not match its check sum is MICA_E_FORMAT. */
mica_status mica_source_read(mica_source *source, void *data, size_t size, size_t *got);

#endif
