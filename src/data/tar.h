/* The members of a tar archive, one after the other, out of a source. Writes nothing to disk, so
 * names are only text. Knows no format inside. */
#ifndef MICA_DATA_TAR_H
#define MICA_DATA_TAR_H

#include "data/source.h"

#include <stdbool.h>

/* Zero-initialize all but source and path. */
typedef struct mica_tar {
    mica_source *source; /* of the archive, gunzipped on the way */
    const char *path;    /* for errors */
    bool member;         /* there is one: name and size are its */
    char name[257];      /* with its folders */
    uint64_t size;       /* bytes, 0 for what is no regular file */
    uint64_t left;       /* not read yet */
} mica_tar;

/* Goes to the next member, over what is left of this one; `member` is false at the end. Archives
 * of POSIX (ustar) and GNU are read; long names are cut to 256 characters. A damaged header and a
 * missing end are MICA_E_FORMAT. Format: IEEE Std 1003.1, pax, "ustar Interchange Format". */
mica_status mica_tar_next(mica_tar *tar);

/* Reads up to size bytes of the member; fewer only at its end. */
mica_status mica_tar_read(mica_tar *tar, void *data, size_t size, size_t *got);

#endif
