/* ONNX files that lie: every prefix and bit flip of a small model, and models that are wrong in one
 * place. Each must be refused in one line, or do no harm, soon and in little memory. */
#include "tests/io/temp.h"
#include "tests/onnx/make.h"

#include <mica/onnx.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
#define SECONDS  10.0
#define KIBIBYTE (1 << 22) /* the sanitizer keeps what is freed */
#else
#define SECONDS  1.0
#define KIBIBYTE 65536 /* beyond what the test had before, and the file's size */
#endif

/* ---- trying a file ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long peak(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Opens and builds a file, in bounds; what fails has said why in one line. */
static mica_status try_file(const char *path) {
    struct stat info;
    long before = peak(), size = stat(path, &info) ? 0 : (long)info.st_size / 1024;
    double start = now();
    mica_onnx *file = NULL;
    mica_graph *graph = NULL;
    mica_onnx_network *network = NULL;
    mica_status status = mica_onnx_open(path, &file);
    if (status == MICA_OK) {
        ck_ok(mica_graph_create(&graph));
        status = mica_onnx_build(file, graph, NULL, &network);
    }
    if (status != MICA_OK) {
        ck_assert_ptr_null(network);
        ck_assert_uint_gt(strlen(mica_last_error()), 0);
        for (const char *c = mica_last_error(); *c; c++)
            ck_assert_msg((unsigned char)*c >= 0x20, "a control character in an error");
    }
    mica_onnx_network_destroy(&network);
    mica_graph_destroy(&graph);
    mica_onnx_close(&file);
    ck_assert_msg(now() - start < SECONDS, "it took %.1f s", now() - start);
    ck_assert_msg(peak() - before < KIBIBYTE + size, "it took %ld KiB", peak() - before);
    return status;
}

/* ---- damage ---- */

START_TEST(sample_is_good) {
    ck_ok(try_file(model_write(sample())));
}
END_TEST

START_TEST(prefixes) {
    pb_model *model = sample();
    size_t size = mica__onnx__model__get_packed_size(model);
    uint8_t *bytes = malloc(size);
    mica__onnx__model__pack(model, bytes);
    for (size_t n = 0; n < size; n++)
        ck_assert_int_ne(try_file(temp_write("cut.onnx", bytes, n)), MICA_OK);
    free(bytes);
}
END_TEST

/* The weights are left out: their bits change numbers only. */
START_TEST(flipped_bits) {
    pb_model *model = sample();
    size_t size = mica__onnx__model__get_packed_size(model);
    uint8_t *bytes = malloc(size);
    mica__onnx__model__pack(model, bytes);
    int refused = 0;
    for (size_t n = 0; n < size; n++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[n] ^= (uint8_t)(1 << bit);
            if (bytes[n] & ~(1 << bit)) /* not within the zeros of weights */
                refused += try_file(temp_write("flipped.onnx", bytes, size)) != MICA_OK;
            bytes[n] ^= (uint8_t)(1 << bit);
        }
    ck_assert_int_gt(refused, 500);
    free(bytes);
}
END_TEST

/* ---- one thing wrong ---- */

typedef struct wrong_model {
    void (*spoil)(pb_model *model);
    mica_status status;
    const char *words;
} wrong_model;

#define SPOIL(name) static void name(pb_model *m)
#define NODE(i)     (m->graph->node[i])
#define STORED(i)   (m->graph->initializer[i])

SPOIL(no_graph) {
    m->graph = NULL;
}
SPOIL(no_outputs) {
    m->graph->n_output = 0;
}
SPOIL(no_opset) {
    m->n_opset_import = 0;
}
SPOIL(future_opset) {
    m->opset_import[0]->version = 999;
}
SPOIL(ancient_opset) {
    m->opset_import[0]->version = 1;
}
SPOIL(cycle) {
    NODE(0)->input[0] = copy_of("relu");
}
SPOIL(own_result) {
    NODE(1)->input[0] = copy_of("relu");
}
SPOIL(missing_input) {
    NODE(1)->input[0] = copy_of("nobody");
}
SPOIL(too_few_inputs) {
    NODE(0)->n_input = 1;
}
SPOIL(left_out_input) {
    NODE(3)->input[1] = copy_of("");
}
SPOIL(missing_output) {
    m->graph->output[0]->name = copy_of("nobody");
}
SPOIL(same_name_twice) {
    NODE(1)->output[0] = copy_of("conv");
}
SPOIL(result_named_as_input) {
    NODE(1)->output[0] = copy_of("x");
}
SPOIL(weight_twice) {
    STORED(1)->name = copy_of("w");
}
SPOIL(no_operator) {
    NODE(1)->op_type = NULL;
}
SPOIL(unknown_operator) {
    NODE(1)->op_type = copy_of("Frobnicate");
}
SPOIL(unknown_domain) {
    NODE(1)->domain = copy_of("com.example");
}
SPOIL(two_unknown_operators) {
    NODE(1)->op_type = copy_of("Frobnicate");
    NODE(0)->op_type = copy_of("Defenestrate");
}
SPOIL(line_in_a_name) {
    NODE(1)->name = copy_of("two\nlines");
}
SPOIL(line_in_an_operator) {
    NODE(1)->op_type = copy_of("Re\x1b[31mlu");
}
SPOIL(long_name) {
    NODE(1)->name = memset(block_of(100001), 'n', 100000);
}
SPOIL(unknown_attribute) {
    attribute_add(NODE(1), "negative_slope", 2);
}
SPOIL(attribute_of_other_type) {
    attribute_add(NODE(0), "auto_pad", 1);
}
SPOIL(attribute_without_name) {
    attribute_add(NODE(1), "", 2);
}
SPOIL(line_in_an_attribute) {
    mica_onnx_pb_attribute *a = attribute_add(NODE(0), "auto_pad", 3);
    a->has_s = true;
    a->s.data = (uint8_t *)copy_of("A\nB");
    a->s.len = 3;
}
SPOIL(wrong_rank) {
    STORED(0)->n_dims = 3;
    STORED(0)->raw_data.len = 2 * 3 * 3 * 4;
}
SPOIL(wrong_depth) {
    m->graph->input[0]->type->tensor_type->shape->dim[1]->dim_value = 5;
}
SPOIL(image_too_small) {
    m->graph->input[0]->type->tensor_type->shape->dim[2]->dim_value = 1;
}
SPOIL(negative_size) {
    m->graph->input[0]->type->tensor_type->shape->dim[2]->dim_value = -4;
}
SPOIL(huge_size) {
    m->graph->input[0]->type->tensor_type->shape->dim[2]->dim_value = INT64_MAX;
}
SPOIL(huge_input) {
    for (int i = 0; i < 4; i++)
        m->graph->input[0]->type->tensor_type->shape->dim[i]->dim_value = INT32_MAX;
}
SPOIL(open_height) {
    m->graph->input[0]->type->tensor_type->shape->dim[2]->has_dim_value = false;
}
SPOIL(empty_input) {
    m->graph->input[0]->type->tensor_type->shape->dim[0]->dim_value = 0;
}
SPOIL(many_dimensions) {
    for (int i = 0; i < 1000; i++)
        ADD(m->graph->input[0]->type->tensor_type->shape, dim,
            m->graph->input[0]->type->tensor_type->shape->dim[0]);
}
SPOIL(string_input) {
    m->graph->input[0]->type->tensor_type->elem_type = 8;
}
SPOIL(type_that_is_none) {
    m->graph->input[0]->type->tensor_type->elem_type = -77;
}
SPOIL(input_without_type) {
    m->graph->input[0]->type = NULL;
}
SPOIL(weight_negative_size) {
    STORED(0)->dims[0] = -2;
}
SPOIL(weight_huge_size) {
    STORED(0)->dims[0] = INT64_MAX / 2;
}
SPOIL(weight_huge_product) {
    for (int i = 0; i < 4; i++)
        STORED(0)->dims[i] = 1 << 20;
}
SPOIL(weight_short) {
    STORED(0)->raw_data.len -= 4;
}
SPOIL(weight_long) {
    STORED(0)->dims[0] = 1;
}
SPOIL(weight_without_data) {
    STORED(0)->has_raw_data = false;
}
SPOIL(weight_in_wrong_field) {
    STORED(1)->has_raw_data = false;
    ADD(STORED(1), int64_data, 1);
    ADD(STORED(1), int64_data, 2);
}
SPOIL(weight_of_strings) {
    STORED(0)->data_type = 8;
}
SPOIL(weight_of_no_type) {
    STORED(0)->data_type = 1 << 30;
}
SPOIL(weight_of_doubles) {
    STORED(1)->data_type = MICA_ONNX_DOUBLE;
    STORED(1)->raw_data.len = 16;
    STORED(1)->raw_data.data = block_of(16);
}
SPOIL(weight_of_many_dimensions) {
    for (int i = 0; i < 1000; i++)
        ADD(STORED(0), dims, 1);
}
SPOIL(weight_in_segments) {
    STORED(0)->has_segment = true;
}
SPOIL(weight_without_name) {
    STORED(0)->name = NULL;
}
SPOIL(sparse_weight) {
    ADD(m->graph, sparse_initializer, (ProtobufCBinaryData){0});
}

/* Replaces the graph's nodes by one that takes x and a list of integers. */
static mica_onnx_pb_node *only(pb_model *m, const char *op, size_t count, const int64_t *numbers) {
    m->graph->n_node = 0;
    ADD(m->graph, initializer, integers_of("numbers", count, numbers));
    return node_add(m, op, "x numbers", "y");
}
SPOIL(reshape_to_negative) {
    only(m, "Reshape", 2, (int64_t[]){-5, 4});
}
SPOIL(reshape_to_two_open) {
    only(m, "Reshape", 2, (int64_t[]){-1, -1});
}
SPOIL(reshape_to_huge) {
    only(m, "Reshape", 3, (int64_t[]){INT64_MAX, INT64_MAX, INT64_MAX});
}
SPOIL(reshape_to_other_count) {
    only(m, "Reshape", 2, (int64_t[]){7, 7});
}
SPOIL(reshape_to_other_batch) {
    only(m, "Reshape", 2, (int64_t[]){8, 48});
}
SPOIL(reshape_by_input) {
    only(m, "Reshape", 1, (int64_t[]){-1})->input[1] = copy_of("x");
}
SPOIL(expand_to_huge) {
    only(m, "Expand", 5, (int64_t[]){INT64_MAX, 1, 3, 4, 4});
}
SPOIL(expand_to_negative) {
    only(m, "Expand", 5, (int64_t[]){-9, 1, 3, 4, 4});
}
SPOIL(tile_to_huge) {
    only(m, "Tile", 4, (int64_t[]){INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX});
}
SPOIL(tile_negative) {
    only(m, "Tile", 4, (int64_t[]){1, 1, -1, 1});
}
SPOIL(gather_out_of_range) {
    only(m, "Gather", 1, (int64_t[]){1});
}
SPOIL(gather_extreme) {
    only(m, "Gather", 1, (int64_t[]){INT64_MIN});
}
SPOIL(unsqueeze_far) {
    only(m, "Unsqueeze", 1, (int64_t[]){99});
}
SPOIL(unsqueeze_often) {
    only(m, "Unsqueeze", 6, (int64_t[]){0, 1, 2, 3, 4, 5});
}
SPOIL(unsqueeze_without_axes) {
    only(m, "Unsqueeze", 1, (int64_t[]){0})->input[1] = copy_of("");
}
SPOIL(squeeze_large) {
    only(m, "Squeeze", 1, (int64_t[]){1});
}
SPOIL(pad_extreme) {
    only(m, "Pad", 8, (int64_t[]){0, 0, INT64_MIN, 0, 0, 0, INT64_MAX, 0});
}
SPOIL(pad_huge) {
    only(m, "Pad", 8, (int64_t[]){0, 0, INT32_MAX, INT32_MAX, 0, 0, INT32_MAX, INT32_MAX});
}
SPOIL(pad_all_away) {
    only(m, "Pad", 8, (int64_t[]){0, 0, -4, 0, 0, 0, 0, 0});
}
SPOIL(split_in_negative) {
    only(m, "Split", 1, (int64_t[]){-3});
}
SPOIL(slice_step_of_nothing) {
    only(m, "Slice", 1, (int64_t[]){0});
    for (int i = 0; i < 3; i++)
        ADD(NODE(0), input, copy_of("numbers"));
}
SPOIL(shape_of_huge) {
    only(m, "ConstantOfShape", 4, (int64_t[]){30000, 30000, 1, 1})->n_input = 1;
    NODE(0)->input[0] = copy_of("numbers");
}
SPOIL(shape_of_negative) {
    only(m, "ConstantOfShape", 1, (int64_t[]){-1})->n_input = 1;
    NODE(0)->input[0] = copy_of("numbers");
}
/* Adds so many nodes: n0, n1, ... */
static void add_many(pb_model *m, int count, const char *op, const char *inputs) {
    char name[32];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "n%d", i);
        node_add(m, op, inputs, name);
    }
}
/* The only node makes known zeros, small enough alone. */
static void only_zeros(pb_model *m) {
    only(m, "ConstantOfShape", 1, (int64_t[]){65536});
    m->graph->n_node = 0;
    node_add(m, "ConstantOfShape", "numbers", "zeros");
}
SPOIL(many_known_numbers) {
    only_zeros(m);
    add_many(m, 20000, "ConstantOfShape", "numbers");
    node_add(m, "Identity", "n9", "y");
}
SPOIL(many_reductions) {
    only_zeros(m);
    add_many(m, 2000, "ReduceMax", "zeros");
    node_add(m, "Identity", "n9", "y");
}
SPOIL(many_operands) {
    only_zeros(m);
    mica_onnx_pb_node *sum = node_add(m, "Sum", "zeros", "y");
    for (int i = 0; i < 3000; i++)
        ADD(sum, input, copy_of("zeros"));
}
SPOIL(many_pieces) {
    int64_t places[100];
    const size_t before = m->graph->n_node;
    for (int i = 0; i < 100; i++)
        places[i] = i % 2;
    ADD(m->graph, initializer, integers_of("places", 100, places));
    add_many(m, 200, "Gather", "x places");
    for (size_t i = before; i < m->graph->n_node; i++)
        attribute_add(NODE(i), "axis", 2)->i = 2;
}
SPOIL(many_nodes) {
    add_many(m, 40000, "Relu", "x");
}
SPOIL(axis_far) {
    attribute_add(NODE(2), "axis", 2)->i = INT64_MIN;
}
SPOIL(stride_of_nothing) {
    mica_onnx_pb_attribute *a = attribute_add(NODE(0), "strides", 7);
    ADD(a, ints, 0);
    ADD(a, ints, 1);
}
SPOIL(padding_huge) {
    mica_onnx_pb_attribute *a = attribute_add(NODE(0), "pads", 7);
    for (int i = 0; i < 4; i++)
        ADD(a, ints, INT64_MAX);
}
SPOIL(groups_of_nothing) {
    attribute_add(NODE(0), "group", 2)->i = 0;
}
SPOIL(perm_that_is_none) {
    m->graph->n_node = 0;
    mica_onnx_pb_attribute *a = attribute_add(node_add(m, "Transpose", "x", "y"), "perm", 7);
    for (int i = 0; i < 4; i++)
        ADD(a, ints, 2);
}

static const wrong_model wrong_models[] = {
    {no_graph, MICA_E_FORMAT, "no graph"},
    {no_outputs, MICA_E_FORMAT, "outputs"},
    {no_opset, MICA_E_FORMAT, "version"},
    {future_opset, MICA_E_UNSUPPORTED, "opset 999"},
    {ancient_opset, MICA_E_UNSUPPORTED, "opset 6"},
    {cycle, MICA_E_FORMAT, "cycle"},
    {own_result, MICA_E_FORMAT, "cycle"},
    {missing_input, MICA_E_FORMAT, "nothing gives"},
    {too_few_inputs, MICA_E_UNSUPPORTED, "input 2 is missing"},
    {left_out_input, MICA_E_UNSUPPORTED, "input 2 is missing"},
    {missing_output, MICA_E_FORMAT, "nothing gives"},
    {same_name_twice, MICA_E_FORMAT, "two values"},
    {result_named_as_input, MICA_E_FORMAT, "two values"},
    {weight_twice, MICA_E_FORMAT, "two values"},
    {no_operator, MICA_E_FORMAT, "operator"},
    {unknown_operator, MICA_E_UNSUPPORTED, "relu (Frobnicate)"},
    {unknown_domain, MICA_E_UNSUPPORTED, "com.example"},
    {two_unknown_operators, MICA_E_UNSUPPORTED,
        "conv (Defenestrate): the operator is not there; "
        "relu (Frobnicate)"},
    {line_in_a_name, MICA_E_FORMAT, "control"},
    {line_in_an_operator, MICA_E_FORMAT, "control"},
    {long_name, MICA_E_FORMAT, "too long"},
    {unknown_attribute, MICA_E_UNSUPPORTED, "negative_slope"},
    {attribute_of_other_type, MICA_E_UNSUPPORTED, "auto_pad"},
    {attribute_without_name, MICA_E_FORMAT, "attribute"},
    {line_in_an_attribute, MICA_E_UNSUPPORTED, "A?B"},
    {wrong_rank, MICA_E_UNSUPPORTED, "filter"},
    {wrong_depth, MICA_E_INVALID, "conv (Conv)"},
    {image_too_small, MICA_E_INVALID, "conv (Conv)"},
    {negative_size, MICA_E_FORMAT, "size of -4"},
    {huge_size, MICA_E_FORMAT, "size of"},
    {huge_input, MICA_E_UNSUPPORTED, "elements"},
    {open_height, MICA_E_INVALID, "open"},
    {empty_input, MICA_E_UNSUPPORTED, "0 elements"},
    {many_dimensions, MICA_E_FORMAT, "1004 dimensions"},
    {string_input, MICA_E_UNSUPPORTED, "string"},
    {type_that_is_none, MICA_E_UNSUPPORTED, "unknown"},
    {input_without_type, MICA_E_UNSUPPORTED, "sequence"},
    {weight_negative_size, MICA_E_FORMAT, "sizes"},
    {weight_huge_size, MICA_E_FORMAT, "sizes"},
    {weight_huge_product, MICA_E_FORMAT, "sizes"},
    {weight_short, MICA_E_FORMAT, "bytes of data"},
    {weight_long, MICA_E_FORMAT, "bytes of data"},
    {weight_without_data, MICA_E_FORMAT, "elements of data"},
    {weight_in_wrong_field, MICA_E_FORMAT, "elements of data"},
    {weight_of_strings, MICA_E_UNSUPPORTED, "string"},
    {weight_of_no_type, MICA_E_UNSUPPORTED, "unknown"},
    {weight_of_doubles, MICA_E_UNSUPPORTED, "double"},
    {weight_of_many_dimensions, MICA_E_FORMAT, "dimensions"},
    {weight_in_segments, MICA_E_UNSUPPORTED, "segments"},
    {weight_without_name, MICA_E_FORMAT, "name"},
    {sparse_weight, MICA_E_UNSUPPORTED, "sparse"},
    {reshape_to_negative, MICA_E_UNSUPPORTED, "-5"},
    {reshape_to_two_open, MICA_E_UNSUPPORTED, "-1"},
    {reshape_to_huge, MICA_E_UNSUPPORTED, "size"},
    {reshape_to_other_count, MICA_E_UNSUPPORTED, "48 elements"},
    {reshape_to_other_batch, MICA_E_UNSUPPORTED,
        "the new shape is for a batch of 8, and the network is built for one of 1: export"},
    {reshape_by_input, MICA_E_UNSUPPORTED, "must be known"},
    {expand_to_huge, MICA_E_UNSUPPORTED, "stretched"},
    {expand_to_negative, MICA_E_UNSUPPORTED, "stretched"},
    {tile_to_huge, MICA_E_INVALID, "Tile"},
    {tile_negative, MICA_E_UNSUPPORTED, "-1"},
    {gather_out_of_range, MICA_E_UNSUPPORTED, "index"},
    {gather_extreme, MICA_E_UNSUPPORTED, "index"},
    {unsqueeze_far, MICA_E_UNSUPPORTED, "axis 99"},
    {unsqueeze_often, MICA_E_UNSUPPORTED, "dimensions"},
    {unsqueeze_without_axes, MICA_E_UNSUPPORTED, "left out"},
    {squeeze_large, MICA_E_UNSUPPORTED, "other than 1"},
    {pad_extreme, MICA_E_UNSUPPORTED, "padding"},
    {pad_huge, MICA_E_INVALID, "Pad"},
    {pad_all_away, MICA_E_UNSUPPORTED, "padding"},
    {split_in_negative, MICA_E_UNSUPPORTED, "-3"},
    {slice_step_of_nothing, MICA_E_UNSUPPORTED, "step of 0"},
    {shape_of_huge, MICA_E_UNSUPPORTED, "too large"},
    {shape_of_negative, MICA_E_UNSUPPORTED, "no possible shape"},
    {many_known_numbers, MICA_E_UNSUPPORTED, "too many numbers"},
    {many_reductions, MICA_E_UNSUPPORTED, "too many numbers"},
    {many_operands, MICA_E_UNSUPPORTED, "too many numbers"},
    {many_pieces, MICA_E_UNSUPPORTED, "too many numbers"},
    {many_nodes, MICA_E_FORMAT, "nodes"},
    {axis_far, MICA_E_UNSUPPORTED, "axis"},
    {stride_of_nothing, MICA_E_UNSUPPORTED, "stride"},
    {padding_huge, MICA_E_UNSUPPORTED, "padding"},
    {groups_of_nothing, MICA_E_UNSUPPORTED, "group"},
    {perm_that_is_none, MICA_E_UNSUPPORTED, "permutation"},
};

START_TEST(one_thing_wrong) {
    const wrong_model *wrong = &wrong_models[_i];
    pb_model *model = sample();
    wrong->spoil(model);
    ck_refused(try_file(model_write(model)), wrong->status, wrong->words);
}
END_TEST

/* ---- data beside the model ---- */

/* Moves the bias into a file, at 4, where its 8 bytes end. */
static pb_tensor *external_bias(pb_model *model, const char *location) {
    pb_tensor *bias = model->graph->initializer[1];
    const char *const words[][2] = {{"location", location}, {"offset", "4"}, {"length", "8"}};
    bias->has_raw_data = false;
    bias->has_data_location = true;
    bias->data_location = 1;
    for (int i = 0; i < 3; i++) {
        Mica__Onnx__Entry *entry = NEW(Mica__Onnx__Entry, MICA__ONNX__ENTRY__INIT);
        entry->key = copy_of(words[i][0]);
        entry->value = copy_of(words[i][1]);
        ADD(bias, external_data, entry);
    }
    return bias;
}

static mica_status try_location(const char *location) {
    pb_model *model = sample();
    external_bias(model, location);
    return try_file(model_write(model));
}

START_TEST(data_beside) {
    ck_assert_int_eq(mkdir(temp_path("below"), 0700), 0);
    ck_assert_int_eq(mkdir(temp_path("below/it"), 0700), 0);
    temp_write("weights", "....12345678", 12);
    temp_write("below/it/weights", "....12345678", 12);
    ck_ok(try_location("weights"));
    ck_ok(try_location("below/it/weights"));
    ck_assert_int_eq(symlink("weights", temp_path("link")), 0);
    ck_assert_int_eq(symlink("it", temp_path("below/way")), 0);
    ck_assert_int_eq(mkfifo(temp_path("pipe"), 0600), 0);
    temp_write("short", "....1234567", 11);
    ck_refused(try_location("link"), MICA_E_FORMAT, "links are not followed");
    ck_refused(try_location("below/way/weights"), MICA_E_FORMAT, "links are not followed");
    ck_refused(try_location("weights/"), MICA_E_FORMAT, "no folder");
    ck_refused(try_location("short"), MICA_E_FORMAT, "11 bytes");
    ck_refused(try_location("nowhere"), MICA_E_NOT_FOUND, "nowhere");
    ck_refused(try_location("below"), MICA_E_FORMAT, "regular");
    ck_refused(try_location("pipe"), MICA_E_FORMAT, "regular");
    static const char *const outside[] = {"../weights", "below/../weights", "..", ".", "./weights",
        "below//weights", "below/it/../../weights"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        ck_refused(try_location(outside[i]), MICA_E_FORMAT, "wanted a path below");
    ck_refused(try_location(temp_path("weights")), MICA_E_FORMAT, "wanted a path below");
    ck_refused(try_location("/etc/passwd"), MICA_E_FORMAT, "wanted a path below");
    ck_refused(try_location(""), MICA_E_FORMAT, "no location");
    ck_refused(try_location("two\nlines"), MICA_E_FORMAT, "no location");
}
END_TEST

START_TEST(data_beside_in_numbers) {
    static const char *const bad[][2] = {{"-4", "8"}, {"99999999999999999999", "8"},
        {"9223372036854775807", "8"}, {"5", "8"}, {"four", "8"}, {"", "8"}, {"4", "9"}, {"4", "-8"},
        {"4", "9223372036854775807"}};
    temp_write("weights", "....12345678", 12);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pb_model *model = sample();
        pb_tensor *bias = external_bias(model, "weights");
        bias->external_data[1]->value = copy_of(bad[i][0]);
        bias->external_data[2]->value = copy_of(bad[i][1]);
        ck_refused(try_file(model_write(model)), MICA_E_FORMAT, "external data");
    }
}
END_TEST

/* ---- bytes that are made for the parser ---- */

static size_t varint(uint8_t *at, size_t number) {
    size_t n = 0;
    for (; number > 127; number >>= 7)
        at[n++] = (uint8_t)(number | 128);
    at[n++] = (uint8_t)number;
    return n;
}

/* A graph in an attribute of a node of a graph in an attribute ... */
START_TEST(deep_recursion) {
    enum { ROOM = 1 << 21 };
    uint8_t *bytes = malloc(ROOM), head[16];
    static const uint8_t fields[] = {0x0a, 0x2a, 0x32}; /* node, attribute, g */
    size_t at = ROOM;
    for (int depth = 0; at > 64; depth++) {
        size_t n = 1;
        head[0] = fields[2 - depth % 3];
        n += varint(head + 1, ROOM - at);
        at -= n;
        memcpy(bytes + at, head, n);
    }
    size_t n = 1;
    head[0] = 0x3a; /* the model's graph */
    n += varint(head + 1, ROOM - at);
    at -= n;
    memcpy(bytes + at, head, n);
    ck_assert_int_ne(try_file(temp_write("deep.onnx", bytes + at, ROOM - at)), MICA_OK);
    free(bytes);
}
END_TEST

/* Two bytes a message, which become some hundred in memory. */
START_TEST(many_small_messages) {
    enum { SIZE = 8 << 20 };
    uint8_t *bytes = malloc(SIZE + 16);
    static const uint8_t fields[] = {0x0a, 0x2a, 0x5a, 0x62}; /* node, initializer, input, output */
    for (int k = 0; k < 4; k++) {
        bytes[0] = 0x3a;
        size_t n = 1 + varint(bytes + 1, SIZE);
        for (size_t i = 0; i < SIZE; i += 2) {
            bytes[n + i] = fields[k];
            bytes[n + i + 1] = 0;
        }
        ck_refused(try_file(temp_write("many.onnx", bytes, n + SIZE)), MICA_E_FORMAT, "damaged");
    }
    free(bytes);
}
END_TEST

/* Nothing is wrong with these. */
START_TEST(equal_names) {
    pb_model *model = sample();
    const size_t before = model->graph->n_node;
    add_many(model, 2500, "Relu", "x");
    for (size_t i = before; i < model->graph->n_node; i++)
        model->graph->node[i]->name = copy_of("relu");
    ck_ok(try_file(model_write(model)));
}
END_TEST

START_TEST(shared_constant) {
    enum { COUNT = 100000 };
    pb_model *model = sample();
    mica_onnx_pb_node *constant = node_add(model, "Constant", "", "c");
    attribute_add(constant, "value", 4)->t = tensor_of("", MICA_ONNX_FLOAT, 1, (int64_t[]){COUNT});
    ADD(model->graph, input, info_of("z", MICA_ONNX_FLOAT, 1, (int64_t[]){COUNT}));
    char name[32], inputs[64];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "same%d", i);
        node_add(model, "Identity", "c", name);
        snprintf(inputs, sizeof inputs, "z %s", name);
        snprintf(name, sizeof name, "sum%d", i);
        node_add(model, "Add", inputs, name);
    }
    ck_ok(try_file(model_write(model)));
}
END_TEST

/* As transformers have them in each layer. */
START_TEST(known_masks) {
    enum { SIZE = 256, LAYERS = 12 };
    pb_model *model = sample();
    ADD(model->graph, initializer, tensor_of("row", 7, 2, (int64_t[]){1, SIZE}));
    ADD(model->graph, initializer, tensor_of("column", 7, 2, (int64_t[]){SIZE, 1}));
    ADD(model->graph, initializer, tensor_of("one", MICA_ONNX_FLOAT, 0, NULL));
    ADD(model->graph, input, info_of("s", MICA_ONNX_FLOAT, 2, (int64_t[]){SIZE, SIZE}));
    static const char *const steps[][2] = {{"GreaterOrEqual", "row column"}, {"Cast", "k0"},
        {"Sub", "k1 one"}, {"Mul", "k2 one"}, {"Add", "s k3"}};
    for (int layer = 0; layer < LAYERS; layer++)
        for (int i = 0; i < 5; i++) {
            char inputs[64] = "", name[32];
            for (char *word = strtok(copy_of(steps[i][1]), " "); word; word = strtok(NULL, " "))
                snprintf(inputs + strlen(inputs), sizeof inputs - strlen(inputs),
                    *word == 'k' ? "%s_%d " : "%s ", word, layer);
            snprintf(name, sizeof name, "k%d_%d", i, layer);
            mica_onnx_pb_node *node = node_add(model, steps[i][0], inputs, name);
            if (i == 1)
                attribute_add(node, "to", 2)->i = MICA_ONNX_FLOAT;
        }
    ck_ok(try_file(model_write(model)));
}
END_TEST

START_TEST(not_models) {
    ck_refused(try_file(temp_path("nowhere.onnx")), MICA_E_NOT_FOUND, "nowhere.onnx");
    ck_refused(try_file(temp_path("")), MICA_E_INVALID, "not a file");
    ck_refused(try_file(temp_write("empty.onnx", "", 0)), MICA_E_FORMAT, "no graph");
    ck_refused(try_file(temp_write("text.onnx", "Hello, this is a text", 21)), MICA_E_FORMAT, "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("onnx/bad");
    TCase *tests = tcase_create("bad");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, temp_make, temp_remove);
    tcase_add_checked_fixture(tests, NULL, make_free);
    tcase_add_test(tests, sample_is_good);
    tcase_add_test(tests, prefixes);
    tcase_add_test(tests, flipped_bits);
    tcase_add_loop_test(
        tests, one_thing_wrong, 0, (int)(sizeof wrong_models / sizeof *wrong_models));
    tcase_add_test(tests, data_beside);
    tcase_add_test(tests, data_beside_in_numbers);
    tcase_add_test(tests, deep_recursion);
    tcase_add_test(tests, many_small_messages);
    tcase_add_test(tests, equal_names);
    tcase_add_test(tests, shared_constant);
    tcase_add_test(tests, known_masks);
    tcase_add_test(tests, not_models);
    suite_add_tcase(suite, tests);
    return temp_run(suite);
}
