#include "cli/download.h"

#include "base/file.h"
#include "base/mem.h"
#include "config.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TRIES = 5,            /* of a connection that breaks off, each further than the one before */
    CONNECT_SECONDS = 30, /* until a server answers */
    STALL_SECONDS = 60,   /* without a byte */
    REDIRECTIONS = 5
};

typedef struct transfer {
    const mica_download *download;
    CURL *curl;
    char *part;
    int fd;
    uint64_t done;      /* bytes in the part file */
    bool begun;         /* the answer's first bytes are there */
    mica_status status; /* of writing them */
} transfer;

static mica_status file_failed(const char *what, const char *path) {
    return mica_fail(MICA_E_IO, "cannot %s %s: %s", what, path, strerror(errno));
}

/* ---- check sums ---- */

/* *same: do the bytes of a file have that sum? */
static mica_status sum_check(int fd, const char *path, const char *wanted, bool *same) {
    struct sha256_ctx sum;
    uint8_t block[1 << 16], digest[SHA256_DIGEST_SIZE];
    char text[2 * SHA256_DIGEST_SIZE + 1];
    sha256_init(&sum);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return file_failed("read", path);
    for (ssize_t n; (n = read(fd, block, sizeof block)) != 0;) {
        if (n < 0)
            return file_failed("read", path);
        sha256_update(&sum, (size_t)n, block);
    }
    sha256_digest(&sum, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    *same = !strcmp(text, wanted);
    return MICA_OK;
}

/* *there: is it the file as published? One that is not is an error. */
static mica_status there_check(const mica_download *download, bool *there) {
    int fd = open(download->path, O_RDONLY | O_CLOEXEC);
    *there = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? MICA_OK : file_failed("read", download->path);
    bool same = false;
    mica_status status = sum_check(fd, download->path, download->sha256, &same);
    close(fd);
    if (status == MICA_OK && !same)
        status = mica_fail(MICA_E_INVALID,
            "%s is there, but it is not the published file: move it away", download->path);
    return status;
}

/* ---- the transfer ---- */

static mica_status restart(transfer *t) {
    if (ftruncate(t->fd, 0))
        return file_failed("write", t->part);
    t->done = 0;
    return MICA_OK;
}

/* A server that does not know ranges answers with the whole file. */
static mica_status begin(transfer *t) {
    long code = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    t->begun = true;
    if (code != 206 && t->done)
        MICA_TRY(restart(t));
    return lseek(t->fd, (off_t)t->done, SEEK_SET) < 0 ? file_failed("write", t->part) : MICA_OK;
}

static mica_status bytes_add(transfer *t, const char *data, size_t size) {
    if (!t->begun)
        MICA_TRY(begin(t));
    if (size > t->download->size - t->done)
        return mica_fail(MICA_E_IO, "%s: more than the %llu bytes of the published file",
            t->download->url, (unsigned long long)t->download->size);
    while (size) {
        ssize_t n = write(t->fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_failed("write", t->part);
        data += n;
        size -= (size_t)n;
        t->done += (uint64_t)n;
    }
    t->download->progress(t->download->user, t->done);
    return MICA_OK;
}

static size_t on_bytes(char *data, size_t one, size_t size, void *context) {
    transfer *t = context;
    t->status = bytes_add(t, data, one * size);
    return t->status == MICA_OK ? size : 0;
}

static mica_status failure(const transfer *t, CURLcode code, long answer, const char *problem) {
    const mica_download *d = t->download;
    if (t->status != MICA_OK)
        return t->status;
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return mica_fail(MICA_E_IO, "%s: the server answers %ld%s", d->url, answer,
            answer == 404 ? " (not found)" : "");
    problem = *problem ? problem : curl_easy_strerror(code);
    if (!t->done)
        return mica_fail(MICA_E_IO, "%s: %s", d->url, problem);
    return mica_fail(MICA_E_IO,
        "%s: %s; %llu of %llu bytes are there, and the same command goes on with them", d->url,
        problem, (unsigned long long)t->done, (unsigned long long)d->size);
}

/* Asks once for what is missing. */
static mica_status ask(transfer *t) {
    char range[32], problem[CURL_ERROR_SIZE] = "";
    snprintf(range, sizeof range, "%llu-", (unsigned long long)t->done);
    t->begun = false;
    t->status = MICA_OK;
    curl_easy_reset(t->curl);
    curl_easy_setopt(t->curl, CURLOPT_URL, t->download->url);
    curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, (long)REDIRECTIONS);
    curl_easy_setopt(t->curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "mica/" MICA_VERSION);
    curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    if (t->done)
        curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
    CURLcode code = curl_easy_perform(t->curl);
    long answer = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &answer);
    if (answer == 416 && t->done) { /* the server's file is shorter than what is there */
        MICA_TRY(restart(t));
        return ask(t);
    }
    if (code != CURLE_OK)
        return failure(t, code, answer, problem);
    if (t->done < t->download->size)
        return mica_fail(MICA_E_IO, "%s: only %llu bytes, the published file has %llu",
            t->download->url, (unsigned long long)t->done, (unsigned long long)t->download->size);
    return MICA_OK;
}

/* Asks until all is there, or no more comes. */
static mica_status fill(transfer *t) {
    mica_status status = MICA_OK;
    for (int tries = 0; t->done < t->download->size && tries < TRIES; tries++) {
        uint64_t before = t->done;
        status = ask(t);
        if (t->status != MICA_OK || t->done <= before)
            break;
    }
    return t->done == t->download->size ? MICA_OK : status;
}

/* Puts a part file that is complete in its place. */
static mica_status finish(transfer *t) {
    if (fsync(t->fd))
        return file_failed("write", t->part);
    if (rename(t->part, t->download->path))
        return file_failed("write", t->download->path);
    return MICA_OK;
}

/* A part of an earlier session may be of another file: then once more from the beginning. */
static mica_status get(transfer *t) {
    for (bool again = t->done > 0;; again = false) {
        bool same = false;
        MICA_TRY(fill(t));
        MICA_TRY(sum_check(t->fd, t->part, t->download->sha256, &same));
        if (same)
            return finish(t);
        MICA_TRY(restart(t));
        if (!again)
            return mica_fail(MICA_E_IO,
                "%s: its check sum is not that of the published file: what came was thrown away",
                t->download->url);
    }
}

static mica_status part_open(transfer *t) {
    struct stat info;
    t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (t->fd < 0 || fstat(t->fd, &info))
        return file_failed("write", t->part);
    if (flock(t->fd, LOCK_EX | LOCK_NB)) {
        close(t->fd);
        t->fd = -1;
        return mica_fail(MICA_E_IO, "%s: another program is getting this file", t->part);
    }
    t->done = (uint64_t)info.st_size;
    return t->done > t->download->size ? restart(t) : MICA_OK;
}

mica_status mica_download_file(const mica_download *download, bool *there) {
    MICA_TRY(there_check(download, there));
    if (*there)
        return MICA_OK;
    transfer t = {.download = download,
        .fd = -1,
        .curl = curl_easy_init(),
        .part = mica_format("%s.part", download->path)};
    mica_status status = !t.part   ? MICA_E_MEMORY
                         : !t.curl ? mica_fail(MICA_E_MEMORY, "out of host memory: libcurl")
                                   : part_open(&t);
    if (status == MICA_OK)
        status = get(&t);
    if (t.fd >= 0 && status != MICA_OK && !t.done)
        unlink(t.part);
    if (t.fd >= 0)
        close(t.fd);
    curl_easy_cleanup(t.curl);
    free(t.part);
    return status;
}
