/* Files and folders: whole reads with a limit, whole writes or none, the cache folder. System calls
 * that a signal interrupts are made again, here and elsewhere with TEMP_FAILURE_RETRY. */
#ifndef MICA_BASE_FILE_H
#define MICA_BASE_FILE_H

#include <mica/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What errno says after a file could not be opened for reading: MICA_E_NOT_FOUND where the path
 * leads nowhere, else MICA_E_IO. */
mica_status mica_open_failed(const char *path);

/* Reads a whole file of at most `limit` bytes; *data is 0-terminated (the 0 does not count in
 * *size) and freed with free(). */
mica_status mica_file_read(const char *path, size_t limit, char **data, size_t *size);

/* A file that is replaced whole or not at all: a temporary file of its own beside it, fsync,
 * rename, fsync of the folder. Begin, write any number of pieces, then commit or abort. After a
 * failed write, commit removes the temporary file and returns the failure; the old file stays. What
 * is there and no regular file (a device, a pipe) is MICA_E_IO. */
typedef struct mica_file_writer mica_file_writer;
mica_status mica_file_begin(const char *path, mica_file_writer **writer);
mica_status mica_file_write(mica_file_writer *writer, const void *data, size_t size);
mica_status mica_file_seek(mica_file_writer *writer, uint64_t offset); /* where the next goes */
mica_status mica_file_commit(mica_file_writer **writer); /* sets *writer to NULL either way */
void mica_file_abort(mica_file_writer **writer);         /* accepts NULL inside */

/* begin, one write, commit */
mica_status mica_file_replace(const char *path, const void *data, size_t size);

/* Whether this is the name (without its folder) of what a writer leaves when it is killed. */
bool mica_file_is_temporary(const char *name);

/* The same for files that only their user may change, such as code that will be run. Reading
 * refuses (MICA_E_INVALID) all but regular files of this user or of root that nobody else can
 * write, links too; begin makes the file's folder (0700, and those above it) and the file (0600).
 */
mica_status mica_private_read(const char *path, size_t limit, char **data, size_t *size);
mica_status mica_private_begin(const char *path, mica_file_writer **writer);

/* Makes a folder and those above it, 0700 where they are not there. */
mica_status mica_private_folder(const char *path);

/* Whether something is at a path. Only ENOENT says that nothing is: a file in the place of a
 * folder, a link that leads nowhere and what may not or cannot be looked at are MICA_E_IO. */
mica_status mica_path_exists(const char *path, bool *exists);

/* The size of a file and a hash of its bytes. */
mica_status mica_file_hash(const char *path, uint64_t *size, uint64_t *hash);

/* Makes a folder and those above it. One that is there is fine. */
mica_status mica_folder_make(const char *path);

/* $XDG_CACHE_HOME/mica or ~/.cache/mica, with "/name" behind it unless name is NULL; not created.
 * Free with free(). NULL (last error set) where neither variable is set. */
char *mica_cache_path(const char *name);

/* folder + "/" + name. Free with free(). */
char *mica_path_join(const char *folder, const char *name);

#endif
