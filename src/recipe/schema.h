/* Tables of keys: what a mapping may hold, checked and stored by one reader. docs/recipes.md is
 * written from the same tables. Knows no particular key. */
#ifndef MICA_RECIPE_SCHEMA_H
#define MICA_RECIPE_SCHEMA_H

#include "base/text.h"
#include "recipe/yaml.h"

#include <mica/tensor.h>

/* The largest size of a dimension that a recipe may ask for. */
#define MICA_SIZE_LIMIT (1 << 24)

typedef struct mica_key mica_key;

/* Sizes that the data tell; in recipes by these names, in the structs as -1 - size until they are
 * known. */
typedef enum mica_data_size {
    MICA_SIZE_CLASSES,
    MICA_SIZE_USERS,
    MICA_SIZE_ITEMS,
    MICA_DATA_SIZES
} mica_data_size;
extern const char *const mica_data_size_names[MICA_DATA_SIZES];

/* What a key stores at its offset. */
typedef enum mica_key_kind {
    MICA_KEY_INTEGER, /* int64_t in a range */
    MICA_KEY_NUMBER,  /* double in a range */
    MICA_KEY_FLOAT,   /* the same as a float */
    MICA_KEY_BOOLEAN, /* bool */
    MICA_KEY_TEXT,    /* char *, owned; of `choices` where there are any */
    MICA_KEY_CHOICE,  /* int: the place in `choices`, of which the first is the default */
    MICA_KEY_TEXTS,   /* mica_texts, owned */
    MICA_KEY_BLOCK,   /* a mapping with the keys `block`, stored relative to the offset */
    MICA_KEY_HOOK     /* whatever `hook` reads */
} mica_key_kind;

typedef struct mica_texts {
    char **item;
    size_t count;
} mica_texts;

/* The numbers that a key takes; {0}: at least 0. */
typedef struct mica_key_range {
    double min, max;   /* max 0: no upper end */
    bool above, below; /* the end itself is excluded */
    bool any;          /* negative ones too */
} mica_key_range;

typedef struct mica_block {
    const mica_key *keys;
    size_t count;
} mica_block;

struct mica_key {
    const char *name;
    mica_key_kind kind;
    size_t offset;
    bool required;
    bool may_change;           /* when a run goes on; see changes.h */
    double fallback;           /* the default of a number or, as 0 or 1, of a boolean */
    const char *fallback_note; /* for the reference, where the default is worked out elsewhere */
    mica_key_range range;
    bool sizes;                 /* an integer that may be the name of a size too */
    const char *const *choices; /* NULL ends them */
    mica_block block;
    /* Reads a node; target is the block's struct itself. */
    mica_status (*hook)(const mica_yaml *yaml, mica_yaml_node node, void *target);
    const char *type; /* of a HOOK, for the reference */
    const char *help;
};

/* Initializes a block from an array. */
#define MICA_BLOCK(keys_)                                                                          \
    { (keys_), sizeof(keys_) / sizeof *(keys_) }

/* One struct to fill and the keys that go there. */
typedef struct mica_target {
    mica_block block;
    void *data; /* zeroed */
} mica_target;

/* Sets the defaults, then reads the mapping `node` into one or more targets, whose keys together
 * are those allowed; node 0 stands for an empty mapping. `what` names the mapping in errors. What
 * was stored before a failure is there to be cleared. */
mica_status mica_schema_read(const mica_yaml *yaml, mica_yaml_node node, const char *what,
    const mica_target *targets, size_t n_targets);

/* Puts sizes that are known (above 0) in the place of their names. */
void mica_schema_resolve(mica_block block, void *data, const int64_t sizes[MICA_DATA_SIZES]);

/* The first key that still has a name for a size, and that name in *size; NULL: none. */
const char *mica_schema_unresolved(mica_block block, const void *data, const char **size);

/* Frees the texts that a block's keys own. */
void mica_schema_clear(mica_block block, void *data);

/* Reads a list of 1 .. limit texts, or one text alone as a list of one. */
mica_status mica_schema_texts(
    const mica_yaml *yaml, mica_yaml_node node, size_t limit, mica_texts *texts);
void mica_texts_clear(mica_texts *texts);

/* Reads a list of 1 .. 5 sizes of 1 .. 2^24 (-1 too if `one_open`, at most once) into a shape. */
mica_status mica_schema_shape(
    const mica_yaml *yaml, mica_yaml_node node, bool one_open, int *rank, int64_t *dim);

/* Reads a list of integers of min .. max, or one alone (*count is 0 then): bit n of `lengths`
 * allows a list of n, bit 0 one alone. `wanted` begins the error: "kernel: expected a size from 1
 * to 9 or [height, width]". */
mica_status mica_schema_integers(const mica_yaml *yaml, mica_yaml_node node, unsigned lengths,
    int64_t min, int64_t max, const char *wanted, int64_t *numbers, size_t *count);

/* The node at a key of a mapping; 0 if it is not there. */
mica_yaml_node mica_schema_find(const mica_yaml *yaml, mica_yaml_node map, const char *key);

/* Fails with "unknown WHAT NAME; did you mean ...?" or, where none of `count` names is near, with
 * the list of them; name is the scalar's text, or else an error of its own. */
mica_status mica_schema_unknown(const mica_yaml *yaml, mica_yaml_node node, const char *what,
    const char *const *names, size_t count);

/* Adds a block as rows of a Markdown table: key, type, default, meaning. */
void mica_schema_reference(mica_text *text, mica_block block);

#endif
