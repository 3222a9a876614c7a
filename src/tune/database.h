/* Choices by key, in memory and as a text file. Knows no device. */
#ifndef MICA_TUNE_DATABASE_H
#define MICA_TUNE_DATABASE_H

#include <mica/status.h>
#include <stddef.h>

typedef struct mica_tune_entry {
    char *key, *choice;
} mica_tune_entry;

/* Zero-initialize, with `scope` set: what the choices depend on beside their keys, in one line. The
 * scope and path belong to the caller. */
typedef struct mica_tune_database {
    const char *scope;
    mica_tune_entry *entries;
    size_t count, capacity;
} mica_tune_database;

/* Adds the entries of a file; those that are known already stay. Adds nothing (last error set) if
 * it is missing, damaged or of another scope. */
mica_status mica_tune_load(mica_tune_database *database, const char *path);

/* Replaces the file whole, and makes its folder. */
mica_status mica_tune_save(const mica_tune_database *database, const char *path);

/* NULL if the key is not known. Valid until the entry is set. */
const char *mica_tune_find(const mica_tune_database *database, const char *key);

mica_status mica_tune_set(mica_tune_database *database, const char *key, const char *choice);

void mica_tune_clear(mica_tune_database *database);

#endif
