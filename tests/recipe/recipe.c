/* Recipes: what is read, and every refusal with its place. */
#include "recipe/recipe.h"
#include "base/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE      "expected an integer from 1 to 16777216, classes, users or items"
#define FILE_NAME "r.yaml"

static char folder[] = "/tmp/mica-recipe-XXXXXX";

static void enter(void) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave(void) {
    unlink(FILE_NAME);
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
}

static mica_status load(
    const char *text, const char *const *overrides, size_t n_overrides, mica_recipe **recipe) {
    ck_assert_int_eq(mica_file_replace(FILE_NAME, text, strlen(text)), MICA_OK);
    return mica_recipe_load(FILE_NAME, overrides, n_overrides, recipe);
}

/* A recipe to which one part is added or in which one is replaced. */
#define HEAD   "input: [4]\n"
#define DENSE  "layers:\n  - {type: dense, units: 3}\n"
#define IMAGE  "input: [8, 8, 2]\nlayers:\n  - {type: "
#define LOSS   "loss: softmax_cross_entropy\n"
#define PHOTO  "input: [8, 8, 3]\nlayers:\n  - {type: global_avg_pool}\n" LOSS
#define DIGITS "input: [64]\nlayers:\n  - {type: dense, units: 10}\n" LOSS

typedef struct refusal {
    const char *text, *error;
} refusal;

static const refusal refusals[] = {
    /* YAML itself */
    {"", "r.yaml:1:1: expected a mapping of keys, got nothing"},
    {"[1, 2]\n", "r.yaml:1:1: expected a mapping of keys, got a list"},
    {"input: [4\nlayers: 3\n",
        "r.yaml:2:7: while parsing a flow sequence: did not find expected ',' or ']'"},
    {"a: \"\\q\"\n", "r.yaml:1:5: while parsing a quoted scalar: found unknown escape character"},
    {HEAD "input: [5]\n" DENSE LOSS, "r.yaml:2:1: the key input is here twice"},
    {"? [a]\n: 1\n", "r.yaml:1:3: expected a key, got a list"},
    {"input: &a [4]\nlayers: *a\n", "r.yaml:1:8: anchors and aliases (&, *) are not supported"},
    {"input: [4]\nlayers: *a\n", "r.yaml:2:9: anchors and aliases (&, *) are not supported"},
    {"%TAG ! tag:a,2026:\n---\n" HEAD DENSE LOSS, "r.yaml: %TAG is not supported"},
    {"\n%TAG ! tag:a,2026:\n---\n" HEAD DENSE LOSS, "r.yaml: %TAG is not supported"},
    {HEAD DENSE LOSS "---\nb: 1\n", "r.yaml:5:1: a second document begins here; expected one"},
    {"name: \"a\\0b\"\n" HEAD DENSE LOSS,
        "r.yaml:1:7: name: expected text, got text with a zero byte"},

    /* keys and types */
    {HEAD DENSE LOSS "optimiser: {}\n",
        "r.yaml:5:1: unknown key in the recipe: optimiser; did you mean optimizer?"},
    {HEAD DENSE LOSS "optimizer: {learn_rate: 1}\n",
        "r.yaml:5:13: unknown key in optimizer: learn_rate; did you mean learning_rate?"},
    {HEAD DENSE LOSS "optimizer:\n  schedule: {zzz: 1}\n",
        "r.yaml:6:14: unknown key in schedule: zzz; expected kind, warmup, every, gamma or final"},
    {HEAD "layers:\n  - {type: dense, unit: 3}\n" LOSS,
        "r.yaml:3:19: unknown key in a dense layer: unit; did you mean units?"},
    {HEAD "layers:\n  - {type: relu, units: 3}\n" LOSS,
        "r.yaml:3:18: unknown key in a relu layer: units; expected type, name, from, frozen or learning_rate"},
    {HEAD DENSE, "r.yaml:1:1: the recipe: the key loss is missing"},
    {DENSE LOSS, "r.yaml:1:1: the recipe: the key input is missing"},
    {HEAD "layers:\n  - {type: dense}\n" LOSS,
        "r.yaml:3:5: a dense layer: the key units is missing"},
    {HEAD "layers:\n  - {units: 3}\n" LOSS, "r.yaml:3:5: layer: the key type is missing"},
    {HEAD "layers:\n  - {type: densse, units: 3}\n" LOSS,
        "r.yaml:3:12: unknown layer type densse; did you mean dense?"},
    {HEAD "layers:\n  - {type: [1]}\n" LOSS, "r.yaml:3:12: expected a layer type, got a list"},
    {HEAD "layers:\n  - dense\n" LOSS,
        "r.yaml:3:5: expected a layer such as {type: dense, units: 10}, got \"dense\""},
    {HEAD "layers: 3\n" LOSS, "r.yaml:2:9: layers: expected a list of layers, got \"3\""},
    {HEAD "layers: []\n" LOSS, "r.yaml:2:9: layers: expected 1 to 512 layers, got 0"},
    {HEAD "layers:\n  - {type: dense, units: many}\n" LOSS,
        "r.yaml:3:26: units: " SIZE ", got \"many\""},
    {HEAD "layers:\n  - {type: dense, units: \"3\"}\n" LOSS,
        "r.yaml:3:26: units: " SIZE ", got \"3\""},
    {HEAD "layers:\n  - {type: dense, units: 0}\n" LOSS, "r.yaml:3:26: units: " SIZE ", got \"0\""},
    {HEAD "layers:\n  - {type: dense, units: 99999999999999999999}\n" LOSS,
        "r.yaml:3:26: units: " SIZE ", got \"99999999999999999999\""},
    {HEAD "layers:\n  - {type: dense, units: 3.5}\n" LOSS,
        "r.yaml:3:26: units: " SIZE ", got \"3.5\""},
    {HEAD "layers:\n  - {type: dense, units: 3, bias: yes}\n" LOSS,
        "r.yaml:3:35: bias: expected true or false, got \"yes\""},
    {HEAD "layers:\n  - {type: dense, units: 3, activation: rellu}\n" LOSS,
        "r.yaml:3:41: activation: expected linear, relu, sigmoid, tanh, leaky_relu, elu, gelu, silu, "
        "hard_sigmoid or hard_swish, got \"rellu\"; did you mean relu?"},
    {HEAD "layers:\n  - {type: dropout, keep_prob: 0}\n" LOSS,
        "r.yaml:3:32: keep_prob: expected a number above 0 and at most 1, got \"0\""},
    {HEAD "layers:\n  - {type: dropout, keep_prob: .nan}\n" LOSS,
        "r.yaml:3:32: keep_prob: expected a number above 0 and at most 1, got \".nan\""},
    {HEAD "layers:\n  - {type: scale, factor: 1e999}\n" LOSS,
        "r.yaml:3:27: factor: expected a number, got \"1e999\""},
    {HEAD "layers:\n  - {type: scale, factor: 1e39}\n" LOSS,
        "r.yaml:3:27: factor: expected a number, got \"1e39\""},
    {HEAD DENSE LOSS "batch: {}\n",
        "r.yaml:5:8: batch: expected an integer from 1 to 1048576, got a mapping"},
    {HEAD DENSE LOSS "seed: -1\n",
        "r.yaml:5:7: seed: expected an integer of at least 0, got \"-1\""},
    {HEAD DENSE LOSS "epochs:\n",
        "r.yaml:5:8: epochs: expected an integer from 1 to 1000000, got nothing"},
    {HEAD DENSE LOSS "optimizer: adam\n",
        "r.yaml:5:12: optimizer: expected a mapping of keys, got \"adam\""},
    {HEAD DENSE LOSS "name: [a]\n", "r.yaml:5:7: name: expected text, got a list"},
    {HEAD DENSE LOSS "name: ../up\n",
        "r.yaml:5:7: the name \"../up\" is not one: expected 1 to 64 letters, digits, _, - and ., of "
        "which the first is not - or ."},
    {"input: 4\n" DENSE LOSS,
        "r.yaml:1:8: expected a list of sizes such as [28, 28, 1], got \"4\""},
    {"input: []\n" DENSE LOSS, "r.yaml:1:8: expected 1 to 5 sizes, got 0"},
    {"input: [1, 2, 3, 4, 5, 6]\n" DENSE LOSS, "r.yaml:1:8: expected 1 to 5 sizes, got 6"},
    {"input: [4, -1]\n" DENSE LOSS, "r.yaml:1:12: expected a size from 1 to 16777216, got \"-1\""},
    {HEAD "layers:\n  - {type: reshape, shape: [-1, -1]}\n" LOSS,
        "r.yaml:3:33: expected a size from 1 to 16777216 or, once, -1, got \"-1\""},

    /* windows, sizes and the like */
    {IMAGE "conv2d, kernel: 3}\n" LOSS, "r.yaml:3:5: a conv2d layer: the key filters is missing"},
    {IMAGE "conv2d, filters: 2, kernel: 0}\n" LOSS,
        "r.yaml:3:40: kernel: expected an integer from 1 to 32768, or [height, width], got \"0\""},
    {IMAGE "conv2d, filters: 2, kernel: [3, 3, 3]}\n" LOSS,
        "r.yaml:3:40: kernel: expected an integer from 1 to 32768, or [height, width], got a list "
        "of 3"},
    {IMAGE "conv2d, filters: 2, strides: [1, 2, 2]}\n" LOSS,
        "r.yaml:3:41: strides: expected an integer from 1 to 32768, [height, width] or [batch, "
        "height, width, channels], got a list of 3"},
    {IMAGE "conv2d, filters: 2, dilation: [1, x]}\n" LOSS,
        "r.yaml:3:46: dilation: expected an integer from 1 to 32768, [height, width] or [batch, "
        "height, width, channels], got \"x\""},
    {IMAGE "conv2d, filters: 2, padding: some}\n" LOSS,
        "r.yaml:3:41: padding: expected valid, same, an integer from 0 to 32768 or [top, bottom, "
        "left, right], got \"some\""},
    {IMAGE "conv2d, filters: 2, padding: [1, 1]}\n" LOSS,
        "r.yaml:3:41: padding: expected valid, same, an integer from 0 to 32768 or [top, bottom, "
        "left, right], got a list of 2"},
    {IMAGE "conv2d, filters: 2, groups: 0}\n" LOSS,
        "r.yaml:3:40: groups: expected an integer from 1 to 16777216, got \"0\""},
    {IMAGE "conv2d_transpose, filters: 2, output: 9}\n" LOSS,
        "r.yaml:3:50: output: expected [height, width], got \"9\""},
    {IMAGE "max_pool, count_padding: true}\n" LOSS,
        "r.yaml:3:22: unknown key in a max_pool layer: count_padding; expected type, name, from, "
        "frozen, learning_rate, kernel, strides, dilation, padding or ceil"},
    {IMAGE "pad}\n" LOSS, "r.yaml:3:5: a pad layer: the key amounts is missing"},
    {IMAGE "pad, amounts: [1, [1, 2, 3], 0]}\n" LOSS,
        "r.yaml:3:30: amounts: expected an integer from 0 to 16777216, or a list of one or [before, "
        "after] for each dimension, got a list of 3"},
    {IMAGE "pad, amounts: 1, mode: mirror}\n" LOSS,
        "r.yaml:3:35: mode: expected constant, reflect, symmetric or edge, got \"mirror\""},
    {IMAGE "resize, to: 7}\n" LOSS, "r.yaml:3:24: to: expected [height, width], got \"7\""},
    {IMAGE "resize, factor: [2]}\n" LOSS,
        "r.yaml:3:28: factor: expected an integer from 1 to 4096 or [height, width], got a list of "
        "1"},
    {IMAGE "noise, deviation: 0}\n" LOSS,
        "r.yaml:3:30: deviation: expected a number above 0, got \"0\""},
    {IMAGE "gaussian}\n" LOSS,
        "r.yaml:3:5: layer gaussian1: gaussian takes 2 layers: name them with from: [a, b]"},

    /* names and connections */
    {HEAD "layers:\n  - {type: dense, name: a b, units: 3}\n" LOSS,
        "r.yaml:3:25: the name \"a b\" is not one: expected 1 to 64 letters, digits, _, - and ., of "
        "which the first is not - or ."},
    {HEAD "layers:\n  - {type: dense, name: input, units: 3}\n" LOSS,
        "r.yaml:3:25: the name input stands for the sample; call the layer something else"},
    {HEAD "layers:\n  - {type: relu, name: a}\n  - {type: relu, name: a}\n" LOSS,
        "r.yaml:4:24: the name a is that of the layer at r.yaml:3:5 too"},
    {HEAD "layers:\n  - {type: relu}\n  - {type: tanh, name: relu1}\n" LOSS,
        "r.yaml:4:24: the name relu1 is what the layer at r.yaml:3:5 is called for want of one"},
    {HEAD "layers:\n  - {type: relu, name: first}\n  - {type: relu, from: frist}\n" LOSS,
        "r.yaml:4:24: unknown layer frist; did you mean first?"},
    {HEAD "layers:\n  - {type: relu}\n  - {type: add, from: [relu1, tanh9]}\n" LOSS,
        "r.yaml:4:31: unknown layer tanh9; expected relu1 or add1"},
    {HEAD "layers:\n  - {type: relu}\n  - {type: add}\n" LOSS,
        "r.yaml:4:5: layer add1: add takes 2 to 64 layers: name them with from: [a, b]"},
    {HEAD "layers:\n  - {type: relu}\n  - {type: tanh, from: [input, relu1]}\n" LOSS,
        "r.yaml:4:32: layer tanh1: tanh takes one layer, not 2"},
    {HEAD "layers:\n  - {type: relu, from: {a: 1}}\n" LOSS,
        "r.yaml:3:24: expected a list of texts, got a mapping"},
    {HEAD "layers:\n  - {type: relu, name: a, from: c}\n  - {type: relu, name: b}\n"
          "  - {type: relu, name: c}\n" LOSS,
        "r.yaml:4:5: the layers form a cycle: a from c from b from a"},
    {HEAD "layers:\n  - {type: relu, name: a, from: a}\n" LOSS,
        "r.yaml:3:33: the layers form a cycle: a from a"},
    {HEAD "layers:\n  - {type: relu, name: a}\n  - {type: relu, name: b, from: input}\n" LOSS,
        "r.yaml:3:5: layer a: no loss depends on it; connect it (from:) or take it out"},

    /* losses */
    {HEAD DENSE "loss: softmax_cross_entropi\n",
        "r.yaml:4:7: unknown loss softmax_cross_entropi; did you mean softmax_cross_entropy?"},
    {HEAD DENSE "loss: {kind: hinge}\n",
        "r.yaml:4:14: unknown loss hinge; expected softmax_cross_entropy, sigmoid_cross_entropy, "
        "binary_cross_entropy, mean_squared_error, mean_absolute_error, kl_divergence or bpr"},
    {HEAD DENSE "loss: {kind: mean_squared_error, from: dens1}\n",
        "r.yaml:4:40: unknown layer dens1; did you mean dense1?"},
    {HEAD DENSE "loss: {kind: mean_squared_error, from: input}\n",
        "r.yaml:4:40: unknown layer input; expected dense1"},
    {HEAD DENSE "loss: {kind: mean_squared_error, weight: 0}\n",
        "r.yaml:4:42: weight: expected a number above 0, got \"0\""},
    {HEAD DENSE "loss: []\n", "r.yaml:4:7: loss: expected 1 to 16 losses, got 0"},
    {HEAD DENSE "loss: {kind: mean_squared_error, target: inputs}\n",
        "r.yaml:4:42: target: expected label or input, got \"inputs\"; did you mean input?"},
    {HEAD DENSE "loss: {kind: mean_squared_error, reduce: max}\n",
        "r.yaml:4:42: reduce: expected mean or sum, got \"max\"; did you mean mean?"},
    {HEAD DENSE "loss: {kind: softmax_cross_entropy, target: input}\n",
        "r.yaml:4:45: softmax_cross_entropy tells classes apart: its target is the label"},
    {HEAD DENSE "loss: {kind: softmax_cross_entropy, reduce: sum}\n",
        "r.yaml:4:45: softmax_cross_entropy gives one number a sample by itself"},
    {HEAD DENSE "loss: {kind: softmax_cross_entropy, label_smoothing: 1}\n",
        "r.yaml:4:54: label_smoothing: expected a number from 0 to below 1, got \"1\""},
    {HEAD DENSE "loss: {kind: mean_squared_error, label_smoothing: 0.1}\n",
        "r.yaml:4:51: mean_squared_error does not smooth labels: softmax_cross_entropy does"},
    {HEAD DENSE "loss: {kind: mean_squared_error, artefacts: 2}\n",
        "r.yaml:4:45: mean_squared_error judges no image here: artefacts need target: input"},
    {HEAD DENSE "loss: {kind: mean_squared_error, target: input, artefacts: 1}\n",
        "r.yaml:4:60: artefacts: expected an integer from 2 to 64, got \"1\""},
    {HEAD DENSE "loss: {kind: kl_divergence, from: [dense1, dense1], target: label}\n",
        "r.yaml:4:61: kl_divergence has no target"},
    {HEAD DENSE "loss: kl_divergence\n",
        "r.yaml:4:7: kl_divergence needs two layers, not 0: from: [mean, log_variance]"},
    {HEAD DENSE "loss: {kind: mean_squared_error, from: [dense1, dense1]}\n",
        "r.yaml:4:7: mean_squared_error judges one layer, not 2"},
    {HEAD DENSE "loss: {kind: kl_divergence, from: [dense1, dens1]}\n",
        "r.yaml:4:44: unknown layer dens1; did you mean dense1?"},
    {HEAD DENSE LOSS "code: dens1\n", "r.yaml:5:7: unknown layer dens1; did you mean dense1?"},
    {HEAD DENSE "loss:\n  - {kind: mean_squared_error, name: a}\n  - mean_squared_error\n",
        "r.yaml:6:5: several losses: each needs a name, such as name: main"},
    {HEAD DENSE "loss:\n  - {kind: mean_squared_error, name: a}\n"
                "  - {kind: mean_squared_error, name: a}\n",
        "r.yaml:6:38: the name a is that of the loss at r.yaml:5:5 too"},
    {HEAD "layers:\n  - {type: dense, units: 3}\n  - {type: softmax}\n" LOSS,
        "r.yaml:5:7: softmax_cross_entropy applies the softmax itself: take it out of the layer "
        "softmax1 (r.yaml:4:5)"},
    {HEAD "layers:\n  - {type: dense, units: 1, activation: sigmoid}\n"
          "loss: sigmoid_cross_entropy\n",
        "r.yaml:4:7: sigmoid_cross_entropy applies the sigmoid itself: take it out of the layer "
        "dense1 (r.yaml:3:5)"},

    /* data */
    {DIGITS "data: {set: digitz}\n",
        "r.yaml:5:13: set: expected digits, mnist, fashion-mnist, cifar10, images, idx, csv, codes, text, "
        "series, ratings or movielens-100k, got \"digitz\"; did "
        "you mean digits?"},
    {DIGITS "data: {validation: 0.1}\n", "r.yaml:5:7: data: the key set is missing"},
    {DIGITS "data: {set: digits, validation: 1}\n",
        "r.yaml:5:33: validation: expected a number from 0 to below 1, got \"1\""},
    {DIGITS "data: {set: mnist}\n",
        "r.yaml:1:8: a sample of mnist has 784 numbers, but the input has 64"},
    {DIGITS "data: {set: digits, classes: 9}\n", "r.yaml:5:30: digits has 10 classes, not 9"},
    {DIGITS "data: {set: digits, files: [a]}\n",
        "r.yaml:5:28: digits has files of its own; take files out, or use set: images, idx, csv, codes, "
        "text, series or ratings"},
    {DIGITS "data: {set: csv, classes: 2}\n", "r.yaml:5:13: set csv needs files: [FILE]"},
    {DIGITS "data: {set: images}\n",
        "r.yaml:5:13: set images needs files: [FOLDER] or [FOLDER, TEST_FOLDER]"},
    {DIGITS "data: {set: images, files: a}\n",
        "r.yaml:1:8: set images needs an input of [height, width, 3], or [height, width, 1] for "
        "grey"},
    {DIGITS "data: {set: cifar10}\n",
        "r.yaml:1:8: a sample of cifar10 has 3072 numbers, but the input has 64"},
    {DIGITS "data: {set: digits, mean: 0.5}\n",
        "r.yaml:5:27: expected a list of numbers, one a channel, got \"0.5\""},
    {DIGITS "data: {set: digits, mean: []}\n", "r.yaml:5:27: expected 1 to 16 numbers, got 0"},
    {DIGITS "data: {set: digits, mean: [a]}\n", "r.yaml:5:28: expected a number, got \"a\""},
    {DIGITS "data: {set: digits, std: [0]}\n", "r.yaml:5:27: expected a number above 0, got \"0\""},
    {DIGITS "data: {set: digits, std: [1, 2], mean: [0]}\n",
        "r.yaml:5:26: std has 2 numbers, mean has 1: wanted as many"},
    {DIGITS "data: {set: digits, std: [1, 2]}\n",
        "r.yaml:5:26: 2 numbers for the input's 64 channels: wanted as many, or one for all"},
    {DIGITS "data: {set: digits, augment: {flip: true}}\n",
        "r.yaml:5:30: augment needs an input of [height, width, channels]"},
    {DIGITS "data: {set: digits, columns: [a]}\n",
        "r.yaml:5:30: set digits has no use for columns: take it out"},
    {DIGITS "data: {set: digits, titles: t.csv}\n",
        "r.yaml:5:29: set digits has no use for titles: take it out"},
    {DIGITS "data: {set: digits, augment: {brightness: 1.5}}\n",
        "r.yaml:5:43: brightness: expected a number from 0 to 1, got \"1.5\""},
    {DIGITS "data: {set: digits, augment: {flop: true}}\n",
        "r.yaml:5:31: unknown key in augment: flop; did you mean flip?"},
    {DIGITS "data: {set: csv, files: a.csv}\n",
        "r.yaml:5:13: set csv needs classes: 2 or more, or class_names"},
    {DIGITS "data: {set: idx, files: [a, b, c], classes: 3}\n",
        "r.yaml:5:25: set idx needs files: [IMAGES, LABELS] or [IMAGES, LABELS, TEST_IMAGES, "
        "TEST_LABELS]"},
    {DIGITS "data: {set: codes, files: [a.npz, b.npz, c.npz]}\n",
        "r.yaml:5:27: set codes needs files: [FILE.npz] or [FILE.npz, TEST.npz], or pairs of .npy: "
        "[CODES, LABELS]"},
    {DIGITS "data: {set: codes, files: a.npy}\n",
        "r.yaml:5:27: set codes needs files: [FILE.npz] or [FILE.npz, TEST.npz], or pairs of .npy: "
        "[CODES, LABELS]"},

    /* preprocess, weights */
    {DIGITS "preprocess: vgg\n",
        "r.yaml:5:13: preprocess is for pictures: an input of [height, width, 3] or [height, width, "
        "1], and the set images or none"},
    {DIGITS "preprocess: vgh\n", "r.yaml:5:13: unknown preset vgh; did you mean vgg?"},
    {PHOTO "preprocess: {size: 7}\n",
        "r.yaml:5:13: size 7: expected at least the input's height and width, 8 and 8"},
    {PHOTO "preprocess: {mean: [1, 2]}\n",
        "r.yaml:5:20: expected a number a channel: 3, or 1 for all, got 2"},
    {PHOTO "preprocess: {order: brg}\n",
        "r.yaml:5:21: order: expected rgb or bgr, got \"brg\"; did you mean rgb?"},
    {PHOTO "preprocess: vgg\ndata: {set: images, files: a, mean: [1]}\n",
        "r.yaml:6:37: preprocess says what becomes of a picture: put mean there"},
    {HEAD DENSE LOSS "weights: {learning_rate: -1}\n",
        "r.yaml:5:26: learning_rate: expected a number of at least 0, got \"-1\""},
    {DIGITS "data: {set: digits, class_names: [a, b]}\n", "r.yaml:5:34: 2 names for 10 classes"},
    {DIGITS "data: {set: digits}\npatience: 3\n",
        "r.yaml:6:11: patience watches the validation loss: set data.validation, the part held out "
        "for it"},

    /* optimizer */
    {HEAD DENSE LOSS "optimizer: {kind: adam, momentum: 0.9}\n",
        "r.yaml:5:35: momentum belongs to sgd, and the optimizer is adam"},
    {HEAD DENSE LOSS "optimizer: {beta2: 0.9}\n",
        "r.yaml:5:20: beta2 belongs to adam and adamw, and the optimizer is sgd"},
    {HEAD DENSE LOSS "optimizer: {nesterov: true}\n", "r.yaml:5:23: nesterov needs a momentum"},
    {HEAD DENSE LOSS "optimizer: {schedule: {kind: step}}\n",
        "r.yaml:5:23: the schedule step needs every: the epochs between two steps"},
    {HEAD DENSE LOSS "epochs: 3\noptimizer: {schedule: {kind: cosine, warmup: 3}}\n",
        "r.yaml:6:46: warmup takes 3 epochs and training 3: nothing is left for the cosine"},
};

START_TEST(refused) {
    mica_recipe *recipe = NULL;
    mica_status status = load(refusals[_i].text, NULL, 0, &recipe);
    ck_assert_str_eq(mica_last_error(), refusals[_i].error);
    ck_assert(status == MICA_E_INVALID || status == MICA_E_FORMAT);
    ck_assert_ptr_null(recipe);
}
END_TEST

/* What only building the graph finds. */
static const refusal unbuildable[] = {
    {"input: [2, 2]\n" DENSE LOSS,
        "r.yaml:4:7: softmax_cross_entropy needs one row of numbers a sample, but layer dense1 gives "
        "(8, 2, 3); put a flatten layer before it"},
    {HEAD "layers:\n  - {type: dense, units: 1}\n" LOSS,
        "r.yaml:4:7: softmax_cross_entropy needs a number for each class, but layer dense1 gives "
        "one; for two classes use 2 units or sigmoid_cross_entropy"},
    {"input: [64]\n" DENSE LOSS "data: {set: digits}\n",
        "r.yaml:4:7: digits has 10 classes, but layer dense1 gives 3 numbers a sample"},
    {HEAD "layers:\n  - {type: reshape, name: r, shape: [3, -1]}\n" LOSS, "r.yaml:3:5: layer r: "},
    {HEAD "layers:\n  - {type: dense, name: a, units: 3}\n  - {type: dense, name: b, units: 2}\n"
          "  - {type: add, name: sum, from: [a, b]}\n" LOSS,
        "r.yaml:5:5: layer sum: "},
    {HEAD "layers:\n  - {type: reshape, name: a, shape: [2, 2]}\n"
          "  - {type: add, name: sum, from: [a, input]}\n" LOSS,
        "r.yaml:4:5: layer sum: samples of 2 and 1 dimensions do not go together"},
    {HEAD "layers:\n  - {type: concat, name: c, from: [input, input], axis: 2}\n" LOSS,
        "r.yaml:3:5: layer c: axis 2 is not in -1 .. 0 of a sample of 1 dimensions"},
    {IMAGE "conv2d, name: c, filters: 2, strides: [2, 1, 1, 1]}\n" LOSS, "r.yaml:3:5: layer c: "},
    {IMAGE "conv2d, name: c, filters: 3, groups: 2}\n" LOSS, "r.yaml:3:5: layer c: "},
    {IMAGE "conv2d, name: c, filters: 3, kernel: 9}\n" LOSS, "r.yaml:3:5: layer c: "},
    {IMAGE "max_pool, name: p, kernel: 9}\n" LOSS, "r.yaml:3:5: layer p: "},
    {IMAGE "depth_to_space, name: d}\n" LOSS, "r.yaml:3:5: layer d: "},
    {IMAGE "space_to_depth, name: d, block: 3}\n" LOSS, "r.yaml:3:5: layer d: "},
    {IMAGE "resize, name: s}\n" LOSS,
        "r.yaml:3:5: layer s: it needs either to: [height, width] or factor"},
    {IMAGE "resize, name: s, factor: 2, to: [9, 9]}\n" LOSS,
        "r.yaml:3:5: layer s: it needs either to: [height, width] or factor"},
    {IMAGE "pad, name: p, amounts: [1, 1]}\n" LOSS,
        "r.yaml:3:5: layer p: 2 amounts for a sample of 3 dimensions"},
    {HEAD "layers:\n  - {type: pad, name: p, amounts: 1}\n" LOSS,
        "r.yaml:3:5: layer p: one amount is for images (height, width, channels), and the sample "
        "has 1 dimensions: give an amount for each"},
    {IMAGE "pad, name: p, mode: reflect, amounts: 8}\n" LOSS, "r.yaml:3:5: layer p: "},
    {HEAD "layers:\n  - {type: resize, name: s, factor: 2}\n" LOSS,
        "r.yaml:3:5: layer s: expected an image (height, width, channels), got a sample of 1 "
        "dimensions"},
    {HEAD DENSE "loss: {kind: mean_squared_error, target: input}\n",
        "r.yaml:4:7: the target is the input (8, 4), but layer dense1 gives (8, 3): make them equal "
        "in number"},
    {HEAD "layers:\n  - {type: dense, units: 4}\n"
          "loss: {kind: mean_squared_error, target: input, artefacts: 2}\n",
        "r.yaml:4:7: artefacts are those of images (height, width, channels), but the input is (8, "
        "4)"},
    {HEAD "layers:\n  - {type: dense, name: a, units: 3}\n"
          "  - {type: dense, name: b, from: input, units: 2}\n"
          "loss: {kind: kl_divergence, from: [a, b]}\n",
        "r.yaml:5:7: loss kl_divergence: "},
    {"input: [16777216]\nlayers:\n  - {type: dense, name: d, units: 16777216}\n" LOSS,
        "r.yaml:3:5: layer d: "},
    {"input: [16777216, 16777216]\n" DENSE LOSS, "r.yaml: input of r: "},
};

START_TEST(not_built) {
    mica_recipe *recipe = NULL;
    mica_network *network = NULL;
    ck_assert_int_eq(load(unbuildable[_i].text, NULL, 0, &recipe), MICA_OK);
    ck_assert_int_eq(mica_recipe_build(recipe, 8, &network), MICA_E_INVALID);
    size_t size = strlen(unbuildable[_i].error);
    ck_assert_msg(
        !strncmp(mica_last_error(), unbuildable[_i].error, size), "%s", mica_last_error());
    ck_assert_ptr_null(network);
    mica_recipe_destroy(&recipe);
}
END_TEST

/* ---- what is read ---- */

START_TEST(defaults) {
    mica_recipe *r = NULL;
    ck_assert_int_eq(load(HEAD DENSE LOSS, NULL, 0, &r), MICA_OK);
    ck_assert_str_eq(r->name, "r");
    ck_assert_str_eq(r->path, FILE_NAME);
    ck_assert_str_eq(r->text, HEAD DENSE LOSS);
    ck_assert_int_eq(r->input_rank, 1);
    ck_assert_int_eq(r->input[0], 4);
    ck_assert_ptr_null(r->data.set);
    ck_assert_int_eq(r->n_losses, 1);
    ck_assert_str_eq(r->losses[0].kind, "softmax_cross_entropy");
    ck_assert_str_eq(r->losses[0].from.item[0], "dense1");
    ck_assert_double_eq(r->losses[0].weight, 1);
    ck_assert_int_eq(r->batch, 32);
    ck_assert_int_eq(r->epochs, 10);
    ck_assert_int_eq(r->seed, 1);
    ck_assert_int_eq(r->patience, 0);
    ck_assert(!r->gradient_norms);
    ck_assert_int_eq(r->optimizer.kind, MICA_SGD);
    ck_assert_float_eq(r->optimizer.learning_rate, 0.01f);
    ck_assert_float_eq(r->optimizer.beta2, 0.999f);
    ck_assert_float_eq(r->optimizer.schedule.gamma, 0.1f);
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(everything) {
    mica_recipe *r = NULL;
    ck_assert_int_eq(
        load("name: all\n" DIGITS
             "data: {set: digits, validation: 0.25, test: 0.3, invert: true, scale: 0.5}\n"
             "l2: 1e-4\nbatch: 16\nepochs: 20\nseed: 7\npatience: 4\ngradient_norms: true\n"
             "optimizer:\n  kind: sgd\n  learning_rate: 0.5\n  momentum: 0.9\n  nesterov: true\n"
             "  weight_decay: 0.1\n  clip_norm: 2\n"
             "  schedule: {kind: step, every: 2.5, gamma: 0.5, warmup: 0.5}\n",
            NULL, 0, &r),
        MICA_OK);
    ck_assert_str_eq(r->name, "all");
    ck_assert_str_eq(r->data.set, "digits");
    ck_assert_int_eq(r->data.classes, 10);
    ck_assert_double_eq(r->data.scale, 0.5);
    ck_assert_double_eq(r->data.byte_scale, 0.5 * 16 / 255);
    ck_assert_double_eq(r->data.validation, 0.25);
    ck_assert_double_eq(r->data.test, 0.3);
    ck_assert(r->data.invert);
    ck_assert_double_eq(r->l2, 1e-4);
    ck_assert_int_eq(r->batch, 16);
    ck_assert_int_eq(r->seed, 7);
    ck_assert_int_eq(r->patience, 4);
    ck_assert(r->gradient_norms);
    ck_assert(r->optimizer.nesterov);
    ck_assert_float_eq(r->optimizer.clip_norm, 2);
    mica_recipe_schedule(r, 100);
    ck_assert_int_eq(r->optimizer.schedule.kind, MICA_SCHEDULE_STEP);
    ck_assert_uint_eq(r->optimizer.schedule.every, 250);
    ck_assert_uint_eq(r->optimizer.schedule.warmup, 50);
    ck_assert_uint_eq(r->optimizer.schedule.total, 2000);
    mica_recipe_destroy(&r);
}
END_TEST

START_TEST(pictures) {
    mica_recipe *r = NULL;
    ck_assert_int_eq(
        load("input: [8, 6, 3]\nlayers: [{type: flatten}, {type: dense, units: 2}]\n" LOSS
             "data: {set: images, files: [a, b], mean: [0.5, 0.25, 0], strict: true, augment: "
             "{crop_padding: 4, flip: true, brightness: 0.5, contrast: 0.25, cutout: 3}}\n",
            NULL, 0, &r),
        MICA_OK);
    ck_assert_str_eq(r->data.files[1], "b");
    ck_assert_int_eq(r->data.classes, 0);
    ck_assert_int_eq(r->data.channels, 3);
    ck_assert_float_eq(r->data.mean[1], 0.25f);
    ck_assert_float_eq(r->data.deviation[2], 1);
    ck_assert(r->data.strict && r->data.augment.flip);
    ck_assert_int_eq(r->data.augment.crop_padding, 4);
    ck_assert_float_eq(r->data.augment.brightness, 0.5f);
    ck_assert_float_eq(r->data.augment.contrast, 0.25f);
    ck_assert_int_eq(r->data.augment.cutout, 3);
    mica_recipe_destroy(&r);
}
END_TEST

/* ---- overrides ---- */

START_TEST(overridden) {
    static const char text[] =
        "# a comment\n" HEAD "layers:\n  - {type: dense, name: fc, units: 3}\n" LOSS;
    const char *sets[] = {"batch=8", "layers.fc.units=5", "layers.0.activation=relu",
        "optimizer.schedule.kind=cosine", "input=[2, 3]", "batch=9", "name=n"};
    mica_recipe *r = NULL, *again = NULL;
    ck_assert_int_eq(load(text, sets, 7, &r), MICA_OK);
    ck_assert_int_eq(r->batch, 9);
    ck_assert_int_eq(r->input_rank, 2);
    ck_assert_int_eq(r->input[1], 3);
    ck_assert_int_eq(r->optimizer.schedule.kind, MICA_SCHEDULE_COSINE);
    ck_assert_str_eq(r->name, "n");
    ck_assert_ptr_nonnull(strstr(r->text, "units: 5"));
    ck_assert_int_eq(load(r->text, NULL, 0, &again), MICA_OK);
    ck_assert_int_eq(again->batch, 9);
    ck_assert_int_eq(again->input[1], 3);
    ck_assert_int_eq(again->optimizer.schedule.kind, MICA_SCHEDULE_COSINE);
    mica_recipe_destroy(&r);
    mica_recipe_destroy(&again);
}
END_TEST

static const refusal bad_overrides[] = {
    {"batch", "--set batch: expected key=value or key.subkey=value"},
    {"=3", "--set =3: expected key=value or key.subkey=value"},
    {"batch=", "--set batch=:1:1: expected a value after the equals sign; \"\" is empty text"},
    {"batch=[1", "--set batch=[1:2:1: while parsing a flow sequence: did not find expected ',' or "
                 "']'"},
    {"batch=x", "--set batch=x: batch: expected an integer from 1 to 1048576, got \"x\""},
    {"bach=3", "--set bach=3: unknown key in the recipe: bach; did you mean batch?"},
    {"a..b=3", "--set a..b=3: a key is empty"},
    {"layers.1.units=3", "--set layers.1.units=3: the list has no item with number or name 1"},
    {"layers.x.units=3", "--set layers.x.units=3: the list has no item with number or name x"},
    {"loss.weight=3", "--set loss.weight=3: there is no weight: what is above it has no keys"},
    {"layers.0.units=0", "--set layers.0.units=0: units: expected an integer from 1 to 16777216, "
                         "classes, users or items, got \"0\""},
    {"optimizer.momentum=2", "--set optimizer.momentum=2: momentum: expected a number from 0 to "
                             "below 1, got \"2\""},
};

START_TEST(bad_override) {
    mica_recipe *recipe = NULL;
    ck_assert_int_ne(load(HEAD DENSE LOSS, &bad_overrides[_i].text, 1, &recipe), MICA_OK);
    ck_assert_str_eq(mica_last_error(), bad_overrides[_i].error);
    ck_assert_ptr_null(recipe);
}
END_TEST

/* ---- hostile files ---- */

static char *repeated(const char *before, const char *part, size_t count, const char *after) {
    size_t size = strlen(part);
    char *text = malloc(strlen(before) + count * size + strlen(after) + 1);
    ck_assert_ptr_nonnull(text);
    char *at = text + sprintf(text, "%s", before);
    for (size_t i = 0; i < count; i++, at += size)
        memcpy(at, part, size);
    strcpy(at, after);
    return text;
}

START_TEST(hostile) {
    char *texts[] = {
        repeated("", "[", 100000, "\n"),
        repeated("", "{a: ", 50000, "\n"),
        repeated("a: \"", "x", 5000, "\"\n"),
        repeated(HEAD LOSS "layers:\n", "  - {type: relu}\n", 600, ""),
        repeated("# ", "x", 300000, "\n" HEAD DENSE LOSS),
        repeated("", "? a\n", 60000, ""),
        repeated("\xff\xfe", "a", 10, ""),
        repeated("a: \x01", "b", 10, "\n"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mica_recipe *recipe = NULL;
        ck_assert_int_ne(load(texts[i], NULL, 0, &recipe), MICA_OK);
        ck_assert_int_eq(strncmp(mica_last_error(), FILE_NAME, strlen(FILE_NAME)), 0);
        ck_assert_ptr_null(recipe);
        free(texts[i]);
    }
}
END_TEST

START_TEST(missing_file) {
    mica_recipe *recipe = NULL;
    ck_assert_int_eq(mica_recipe_load("nowhere.yaml", NULL, 0, &recipe), MICA_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(mica_last_error(), "nowhere.yaml"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("recipe");
    TCase *read = tcase_create("read");
    tcase_add_unchecked_fixture(read, enter, leave);
    tcase_add_test(read, defaults);
    tcase_add_test(read, everything);
    tcase_add_test(read, overridden);
    tcase_add_test(read, pictures);
    tcase_add_loop_test(read, refused, 0, (int)(sizeof refusals / sizeof *refusals));
    tcase_add_loop_test(read, not_built, 0, (int)(sizeof unbuildable / sizeof *unbuildable));
    tcase_add_loop_test(read, bad_override, 0, (int)(sizeof bad_overrides / sizeof *bad_overrides));
    tcase_add_test(read, hostile);
    tcase_add_test(read, missing_file);
    suite_add_tcase(suite, read);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
