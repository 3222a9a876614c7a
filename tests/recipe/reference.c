/* Keeps docs/recipes.md true: what follows its marker must be what the tables of keys say.
 *     reference docs/recipes.md            compares; exit code 1 if they differ
 *     reference docs/recipes.md --write    writes it anew */
#include "recipe/reference.h"
#include "base/error.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char marker[] = "<!-- what follows is written by tests/recipe/reference.c -->\n\n";

int main(int argc, char **argv) {
    char *page = NULL;
    size_t size;
    if (argc < 2 || mica_file_read(argv[1], 1 << 20, &page, &size) != MICA_OK) {
        fprintf(stderr, "reference: %s\n", argc < 2 ? "expected a file" : mica_last_error());
        return 2;
    }
    char *at = strstr(page, marker);
    if (!at) {
        fprintf(stderr, "%s: the line %.*s is missing\n", argv[1], (int)strlen(marker) - 2, marker);
        free(page);
        return 2;
    }
    at += strlen(marker);
    mica_text reference = {0};
    mica_recipe_reference(&reference);
    int code = reference.failed || strcmp(at, reference.data) != 0;
    if (code && argc > 2 && !strcmp(argv[2], "--write")) {
        mica_text whole = {0};
        mica_text_bytes(&whole, page, (size_t)(at - page));
        mica_text_bytes(&whole, reference.data, reference.size);
        code = whole.failed || mica_file_replace(argv[1], whole.data, whole.size) != MICA_OK;
        free(whole.data);
    } else if (code) {
        fprintf(stderr, "%s differs from the tables of keys in src/recipe: run %s %s --write\n",
            argv[1], argv[0], argv[1]);
    }
    free(reference.data);
    free(page);
    return code;
}
