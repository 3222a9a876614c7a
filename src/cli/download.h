/* Getting one published file by HTTP. Knows no data sets. */
#ifndef MICA_CLI_DOWNLOAD_H
#define MICA_CLI_DOWNLOAD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mica_download {
    const char *url;    /* http or https */
    const char *path;   /* where the file is to be */
    uint64_t size;      /* of the file as published, in bytes */
    const char *sha256; /* the same, 64 hexadecimal digits */

    /* Called now and then with the bytes that are there. */
    void (*progress)(void *user, uint64_t done);
    void *user;
} mica_download;

/* Gets the file whole or not at all: what arrives is kept in PATH.part, which a later call goes on
 * with, and becomes PATH when its size and check sum are right. A file that is there is checked
 * alone: *there says so. Proxies are those of the environment. A file of that name that is another
 * is MICA_E_INVALID; what the network, the server or the disk refuses is MICA_E_IO. */
mica_status mica_download_file(const mica_download *download, bool *there);

#endif
