/* A YAML document with the place of every node, and --set overrides. Knows no recipe keys. */
#ifndef MICA_RECIPE_YAML_H
#define MICA_RECIPE_YAML_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

/* A node is its number in the document, from 1; 0 is none. */
typedef int mica_yaml_node;

typedef struct mica_yaml {
    char *path;
    char *text; /* the file as it is */
    yaml_document_t document;
    bool parsed;
    const char *const *overrides; /* borrowed */
    size_t n_overrides;
    mica_yaml_node *first; /* by override: the first node that it made */
} mica_yaml;

/* Reads a file of one document, a tree (no aliases) whose mappings have different plain keys, and
 * applies "key.sub=value" overrides: the parts are keys, or in a list an item's number from 0 or
 * the value of its `name`; the value is YAML. Missing keys are added. On success and on failure
 * the document is to be closed. */
mica_status mica_yaml_open(
    mica_yaml *yaml, const char *path, const char *const *overrides, size_t n_overrides);
void mica_yaml_close(mica_yaml *yaml);

/* The same of a text, which `path` names in errors, without overrides. */
mica_status mica_yaml_parse(mica_yaml *yaml, const char *path, const char *text);

/* The text with the overrides in it; free with free(). May be called once: with overrides the
 * document is written out anew, without its comments, and is gone afterwards. */
mica_status mica_yaml_text(mica_yaml *yaml, char **text);

/* Fails with "file:line:column: ..." or, for what an override made, "--set ...: ...". */
mica_status mica_yaml_fail(const mica_yaml *yaml, mica_yaml_node node, const char *format, ...)
    MICA_PRINTF(3, 4);

/* That place, "file:line:column"; free with free(). NULL when memory runs out. */
char *mica_yaml_place(const mica_yaml *yaml, mica_yaml_node node);

/* Pointers into the document. */
const yaml_node_t *mica_yaml_get(const mica_yaml *yaml, mica_yaml_node node);
mica_yaml_node mica_yaml_root(const mica_yaml *yaml);

/* The text of a scalar without zero bytes, else NULL. */
const char *mica_yaml_scalar(const mica_yaml *yaml, mica_yaml_node node);

/* What a node is, for "got ...": "a list", "\"abc\"". */
const char *mica_yaml_describe(const mica_yaml *yaml, mica_yaml_node node, char *text, size_t size);

/* Plain (unquoted) scalars as YAML 1.2's core schema reads them, in decimal; false if it is not. */
bool mica_yaml_integer(const mica_yaml *yaml, mica_yaml_node node, int64_t *number);
bool mica_yaml_number(const mica_yaml *yaml, mica_yaml_node node, double *number);
bool mica_yaml_boolean(const mica_yaml *yaml, mica_yaml_node node, bool *truth);

#endif
