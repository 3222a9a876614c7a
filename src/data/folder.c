#include "data/folder.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>

#define BESIDE "../shared/data"

char *mica_data_folder(const char *name) {
    char *cache = mica_cache_path("data");
    char *cached = cache ? mica_path_join(cache, name) : NULL;
    char *beside = mica_path_join(BESIDE, name);
    bool there = true, other = false;
    mica_status status = cached && beside ? mica_path_exists(cached, &there) : MICA_E_MEMORY;
    if (status == MICA_OK && !there)
        status = mica_path_exists(beside, &other);
    if (status != MICA_OK || other) {
        free(cache);
        cache = status == MICA_OK ? mica_strdup(BESIDE) : NULL;
    }
    free(cached);
    free(beside);
    return cache;
}
