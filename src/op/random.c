/* Random numbers, drawn anew in every run: element i of a node takes word i % 4 of Philox with the
 * counter (i / 4, node, step) and the model's key. Uniform numbers are the upper 24 bits of a word;
 * normal ones come in pairs from pairs of words (Box and Muller, "A note on the generation of
 * random normal deviates", 1958). No gradient: nothing goes in. */
#include "op/linear.h"

#include "base/error.h"
#include "op/attributes.h"

#include <mica/ops.h>

static const char *describe(const mica_node *node, char *text, size_t size) {
    (void)text, (void)size;
    return ((const mica_random_attrs *)node->attrs)->normal ? "random_normal" : "random_uniform";
}

static mica_status infer(mica_node *node) {
    node->out[0]->shape = ((const mica_random_attrs *)node->attrs)->shape;
    return MICA_OK;
}

/* The parameters of cl/random.cl and shaders/random.comp. */
typedef struct random_params {
    uint32_t n, per_group, stream;
} random_params;

static mica_status plan_random(const mica_node *node, mica_plan *plan) {
    const bool normal = ((const mica_random_attrs *)node->attrs)->normal;
    const mica_traits *traits = mica_plan_traits(plan);
    const uint32_t width = traits->vector_width;
    const uint64_t count = (uint64_t)mica_shape_count(node->out[0]->shape);
    mica_plan_launch_desc desc = {
        .kernel = {.source = "random", .entry = normal ? "random_normal" : "random_uniform"},
        .slots = {MICA_SLOT(node->in[0]), MICA_SLOT(node->out[0])},
        .n_slots = 2,
        .flops = (normal ? 40.0 : 20.0) * (double)count,
        .bytes = 4 * (double)count,
    };
    mica_constant_set(&desc.kernel, "WIDTH", (int32_t)width);
    const random_params params = {
        .n = (uint32_t)count,
        .per_group = mica_linear_map(traits, count, 4 * width, 8, 5, &desc),
        .stream = node->id,
    };
    desc.params = &params;
    desc.params_size = sizeof params;
    return mica_plan_launch(plan, &desc);
}

static const mica_op op_random = {
    .name = "random",
    .attrs_size = sizeof(mica_random_attrs),
    .infer = infer,
    .plan = plan_random,
    .describe = describe,
};

static mica_value *draw(mica_graph *graph, mica_shape shape, bool normal) {
    mica_value *step = mica_step_input(graph);
    return mica_node_build(&op_random, &(mica_random_attrs){shape, normal}, &step, 1);
}

mica_value *mica_random_normal(mica_graph *graph, mica_shape shape) {
    return draw(graph, shape, true);
}

mica_value *mica_random_uniform(mica_graph *graph, mica_shape shape) {
    return draw(graph, shape, false);
}

mica_value *mica_gaussian_sample(mica_value *mean, mica_value *log_variance) {
    if (!mean || !log_variance)
        return NULL;
    mica_graph *graph = mica_value_graph(mean);
    if (!mica_shape_equal(mean->shape, log_variance->shape)) {
        char first[96], second[96];
        return mica_graph_failed(graph,
            mica_fail(MICA_E_INVALID,
                "gaussian_sample: mean of shape %s and log_variance of shape %s must be alike",
                mica_shape_text(mean->shape, first, sizeof first),
                mica_shape_text(log_variance->shape, second, sizeof second)));
    }
    mica_value *deviation = mica_exp(mica_scale(log_variance, 0.5f));
    return mica_add(mean, mica_mul(deviation, mica_random_normal(graph, mean->shape)));
}
