/* Files and folders: whole reads with a limit, whole writes or none, the cache folder. */
#ifndef MICA_BASE_FILE_H
#define MICA_BASE_FILE_H

#include <mica/status.h>
#include <stddef.h>

/* What errno says after a file could not be opened for reading: MICA_E_NOT_FOUND where the path
 * leads nowhere, else MICA_E_IO. */
mica_status mica_open_failed(const char *path);

/* Reads a whole file of at most `limit` bytes; *data is 0-terminated (the 0 does not count in
 * *size) and freed with free(). */
mica_status mica_file_read(const char *path, size_t limit, char **data, size_t *size);

/* A file that is replaced whole or not at all: a temporary file beside it, fsync, rename, fsync of
 * the folder. Begin, write any number of pieces, then commit or abort. After a failed write, commit
 * removes the temporary file and returns the failure; the old file stays. */
typedef struct mica_file_writer mica_file_writer;
mica_status mica_file_begin(const char *path, mica_file_writer **writer);
mica_status mica_file_write(mica_file_writer *writer, const void *data, size_t size);
mica_status mica_file_commit(mica_file_writer **writer); /* sets *writer to NULL either way */
void mica_file_abort(mica_file_writer **writer);         /* accepts NULL inside */

/* begin, one write, commit */
mica_status mica_file_replace(const char *path, const void *data, size_t size);

/* Makes a folder and those above it. One that is there is fine. */
mica_status mica_folder_make(const char *path);

/* $XDG_CACHE_HOME/mica or ~/.cache/mica, with "/name" behind it unless name is NULL; not created.
 * Free with free(). NULL (last error set) where neither variable is set. */
char *mica_cache_path(const char *name);

/* folder + "/" + name. Free with free(). */
char *mica_path_join(const char *folder, const char *name);

#endif
