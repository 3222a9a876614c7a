/* The block `neighbours:` of a recipe: a neighbourhood model of ratings instead of a network. */
#include "recipe/neighbours.h"

#include "recipe/data.h"
#include "recommend/stored.h"

#define AT(member) offsetof(mica_recipe_neighbours, member)

static const mica_key keys[] = {
    {"by", MICA_KEY_CHOICE, AT(by), .choices = mica_neighbours_by_names,
        .help = "items: users who liked this item also liked; users: users who are similar to you "
                "also liked"},
    {"similarity", MICA_KEY_CHOICE, AT(similarity), .choices = mica_similarity_names,
        .help = "cosine; adjusted_cosine: of items, less each user's mean; pearson: the "
                "correlation over what two have in common"},
    {"k", MICA_KEY_INTEGER, AT(k), .fallback = 50, .range = {1, 1024},
        .help = "neighbours that each item or user has at most"},
    {"shrinkage", MICA_KEY_FLOAT, AT(shrinkage), .range = {0, 1e6},
        .help = "a similarity that rests on n common ratings is multiplied by n / (n + shrinkage)"},
    {"min_overlap", MICA_KEY_INTEGER, AT(min_overlap), .fallback = 2, .range = {1, 1 << 24},
        .help = "neighbours have at least so many ratings in common"},
};

const mica_block mica_recipe_neighbours_keys = MICA_BLOCK(keys);

static mica_status read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe *recipe = target;
    recipe->neighbours.wanted = true;
    return mica_schema_read(yaml, node, "neighbours",
        &(mica_target){mica_recipe_neighbours_keys, &recipe->neighbours}, 1);
}

static const mica_key model_keys[] = {
    {"neighbours", MICA_KEY_HOOK, .required = true, .hook = read, .type = "a mapping",
        .help = "which neighbours are looked for among the ratings of `data`, as below"},
};

const mica_block mica_recipe_neighbours_block = MICA_BLOCK(model_keys);

mica_status mica_recipe_neighbours_check(const mica_yaml *yaml, mica_recipe *recipe) {
    static const char *const unused[] = {"validation", "mean", NULL};
    const mica_yaml_node root = mica_yaml_root(yaml);
    const mica_yaml_node node = mica_schema_find(yaml, root, "neighbours");
    const mica_yaml_node data = mica_schema_find(yaml, root, "data");
    const mica_recipe_neighbours *neighbours = &recipe->neighbours;
    if (!recipe->data.set || !mica_recipe_is_ratings(mica_recipe_data_kind(&recipe->data)))
        return mica_yaml_fail(
            yaml, node, "neighbours are looked for among ratings: set data.set to ratings");
    MICA_TRY(mica_recipe_refuse_keys(yaml, data, "of a neighbourhood model", unused));
    const mica_yaml_node similarity = mica_schema_find(yaml, node, "similarity");
    if (neighbours->by == MICA_BY_USERS && neighbours->similarity == MICA_ADJUSTED_COSINE)
        return mica_yaml_fail(
            yaml, similarity, "adjusted_cosine compares items: users take cosine or pearson");
    if (recipe->data.ratings.implicit && neighbours->similarity != MICA_COSINE)
        return mica_yaml_fail(
            yaml, similarity, "implicit ratings are all equal: their similarity is cosine");
    recipe->input_rank = 1;
    recipe->input[0] = 2;
    return MICA_OK;
}
