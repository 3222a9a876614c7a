/* Compiled kernels on disk: $XDG_CACHE_HOME/mica/kernels/<hash of the key>. A cache never makes a
 * call fail: what is missing, damaged or stale, or what others could have
 * written (mica_private_read), is compiled again. Knows no driver. */
#ifndef MICA_DEVICE_CACHE_H
#define MICA_DEVICE_CACHE_H

#include <mica/status.h>
#include <stddef.h>

/* `key` is the text of all that the binary depends on: device, driver, options, source. A hit gives
 * a block that is freed with free(); MICA_E_NOT_FOUND for all else. */
mica_status mica_cache_load(const char *key, void **data, size_t *size);

/* Keeps a binary for the next process; does nothing where the folder cannot be written. */
void mica_cache_store(const char *key, const void *data, size_t size);

/* Forgets an entry that the driver refused. */
void mica_cache_drop(const char *key);

#endif
