#include "io/json.h"

#include "base/error.h"
#include "base/text.h"

#include <stdlib.h>

static int piece_add(const char *piece, size_t size, void *text) {
    mica_text_bytes(text, piece, size);
    return 0; /* mica_text keeps the failure, which jansson may forget */
}

char *mica_json_dumps(const json_t *json, size_t flags) {
    mica_text text = {0};
    if (!json_dump_callback(json, piece_add, &text, flags) && !text.failed)
        return text.data;
    free(text.data);
    mica_fail(MICA_E_MEMORY, "out of host memory: writing JSON");
    return NULL;
}
