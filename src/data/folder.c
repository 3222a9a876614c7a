#include "data/folder.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

#define BESIDE "../shared/data"

char *mica_data_folder(const char *name) {
    char *cache = mica_cache_path("data");
    char *cached = cache ? mica_path_join(cache, name) : NULL;
    char *beside = mica_path_join(BESIDE, name);
    if (cached && beside && access(cached, F_OK) && !access(beside, F_OK)) {
        free(cache);
        cache = mica_strdup(BESIDE);
    }
    free(cached);
    free(beside);
    return cache;
}
