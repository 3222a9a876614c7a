#include "train/folder.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

mica_status mica_folder_has(const char *folder, const char *name, bool *has) {
    char *path = mica_path_join(folder, name);
    mica_status status = path ? mica_path_exists(path, has) : MICA_E_MEMORY;
    free(path);
    return status;
}

mica_status mica_folder_is_free(const char *path) {
    bool checkpoint = false, model = false;
    MICA_TRY(mica_folder_has(path, MICA_RUN_CHECKPOINT, &checkpoint));
    MICA_TRY(mica_folder_has(path, MICA_RUN_MODEL, &model));
    if (!checkpoint && !model)
        return MICA_OK;
    return mica_fail(MICA_E_INVALID,
        "%s holds a run already: continue it with --resume, or give another folder with --out",
        path);
}

mica_status mica_folder_check(const char *folder) {
    bool recipe = false, model = false;
    MICA_TRY(mica_folder_has(folder, MICA_RUN_RECIPE, &recipe));
    MICA_TRY(mica_folder_has(folder, MICA_RUN_MODEL, &model));
    if (!recipe)
        return mica_fail(MICA_E_NOT_FOUND,
            "%s is not the folder of a run: it has no %s (mica train makes one)", folder,
            MICA_RUN_RECIPE);
    return model ? MICA_OK
                 : mica_fail(MICA_E_NOT_FOUND,
                       "%s has no %s yet: its first epoch is not done (mica train --resume "
                       "continues it)",
                       folder, MICA_RUN_MODEL);
}

static char *numbered(const char *name, uint64_t seed, int number) {
    return number == 1 ? mica_format("runs/%s-seed%" PRIu64, name, seed)
                       : mica_format("runs/%s-seed%" PRIu64 "-%d", name, seed, number);
}

/* Two runs that start together get different folders, since mkdir succeeds for one of them only. */
static mica_status make_numbered(const char *name, uint64_t seed, char **made) {
    MICA_TRY(mica_folder_make("runs"));
    for (int number = 1;; number++) {
        char *path = numbered(name, seed, number);
        if (!path)
            return MICA_E_MEMORY;
        if (!mkdir(path, 0777)) {
            *made = path;
            return MICA_OK;
        }
        mica_status status = errno == EEXIST ? MICA_OK
                                             : mica_fail(MICA_E_IO, "cannot make the folder %s: %s",
                                                   path, strerror(errno));
        free(path);
        MICA_TRY(status);
    }
}

static mica_status find_numbered(const char *name, uint64_t seed, char **found) {
    char *last = numbered(name, seed, 1);
    for (int number = 2; last; number++) {
        char *next = numbered(name, seed, number);
        bool there = false;
        mica_status status = next ? mica_path_exists(next, &there) : MICA_E_MEMORY;
        if (status != MICA_OK || !there) {
            free(next);
            *found = status == MICA_OK ? last : NULL;
            if (status != MICA_OK)
                free(last);
            return status;
        }
        free(last);
        last = next;
    }
    return MICA_E_MEMORY;
}

static void remove_temporaries(const char *path) {
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (mica_file_is_temporary(entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

static mica_status lock_folder(mica_folder *folder) {
    int fd = (int)TEMP_FAILURE_RETRY(open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return mica_fail(MICA_E_IO, "cannot open the folder %s: %s", folder->path, strerror(errno));
    folder->lock = fd + 1;
    if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) && errno == EWOULDBLOCK)
        return mica_fail(MICA_E_INVALID,
            "another process is training in %s: wait for it or give another folder", folder->path);
    return MICA_OK;
}

mica_status mica_folder_open(
    const char *path, const char *name, uint64_t seed, bool resume, mica_folder *folder) {
    mica_folder made = {0};
    mica_status status = MICA_OK;
    if (path)
        status = (made.path = mica_strdup(path)) ? MICA_OK : MICA_E_MEMORY;
    else if (resume)
        status = find_numbered(name, seed, &made.path);
    else
        status = make_numbered(name, seed, &made.path);
    if (status == MICA_OK && (path || resume))
        status = mica_folder_make(made.path);
    if (status == MICA_OK)
        status = lock_folder(&made);
    if (status == MICA_OK && !resume)
        status = mica_folder_is_free(made.path);
    if (status != MICA_OK) {
        mica_folder_close(&made);
        return status;
    }
    remove_temporaries(made.path);
    *folder = made;
    return MICA_OK;
}

void mica_folder_close(mica_folder *folder) {
    if (folder->lock)
        close(folder->lock - 1);
    free(folder->path);
    *folder = (mica_folder){0};
}
