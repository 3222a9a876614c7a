#include "cli/workloads.h"

#include <mica/nn.h>
#include <mica/sequence.h>
#include <stdio.h>

typedef mica_workload_network network;

/* ---- what the networks share ---- */

static void classifier(network *net, mica_graph *graph, mica_shape input) {
    net->classes = 10;
    net->input = mica_input(graph, "input", MICA_F32, input);
    net->label = mica_input(graph, "label", MICA_I32, MICA_SHAPE(input.dim[0]));
}

static void classify(network *net, mica_value *logits) {
    net->loss = mica_mean(mica_softmax_cross_entropy(logits, net->label), NULL, 0, false);
}

static mica_value *flatten(mica_value *x) {
    if (!x)
        return NULL;
    return mica_reshape(x, 2, (const int64_t[]){mica_value_shape(x).dim[0], -1});
}

/* A 3x3 convolution with padding SAME. */
static mica_value *conv3(
    mica_value *x, const char *name, int64_t filters, mica_activation activation) {
    return mica_conv2d_layer(x, name, filters,
        &(mica_conv2d_layer_options){.conv.padding = MICA_SAME, .activation = activation});
}

static mica_value *pool2(mica_value *x) {
    return mica_max_pool(x,
        &(mica_pool_options){.ksize = {1, 2, 2, 1}, .strides = {1, 2, 2, 1}, .padding = MICA_SAME});
}

/* ---- dense networks ---- */

static const mica_dense_options relu = {.activation = MICA_RELU};

static void build_softmax(network *net, mica_graph *graph, int64_t batch) {
    classifier(net, graph, MICA_SHAPE(batch, 784));
    classify(net, mica_dense(net->input, "scores", 10, NULL));
}

static void build_mlp(network *net, mica_graph *graph, int64_t batch) {
    classifier(net, graph, MICA_SHAPE(batch, 784));
    mica_value *x = mica_dense(net->input, "hidden1", 256, &relu);
    x = mica_dense(mica_dropout(x, 0.5f), "hidden2", 128, &relu);
    classify(net, mica_dense(mica_dropout(x, 0.5f), "scores", 10, NULL));
}

static void build_vae(network *net, mica_graph *graph, int64_t batch) {
    mica_value *x = net->input = mica_input(graph, "input", MICA_F32, MICA_SHAPE(batch, 784));
    mica_value *hidden = mica_dense(x, "encoder", 400, &relu);
    mica_value *mean = mica_dense(hidden, "mean", 20, NULL);
    mica_value *log_variance = mica_dense(hidden, "log_variance", 20, NULL);
    mica_value *code = mica_gaussian_sample(mean, log_variance);
    mica_value *logits = mica_dense(mica_dense(code, "decoder", 400, &relu), "pixels", 784, NULL);
    mica_value *pixels = mica_sum(mica_sigmoid_cross_entropy(logits, x), NULL, 0, false);
    mica_value *kl = mica_sum(mica_kl_divergence(mean, log_variance), NULL, 0, false);
    net->loss = mica_scale(mica_add(pixels, kl), 1.0f / (float)batch);
}

/* ---- convolutional networks ---- */

static void build_cifar_cnn(network *net, mica_graph *graph, int64_t batch) {
    classifier(net, graph, MICA_SHAPE(batch, 32, 32, 3));
    mica_value *x = conv3(net->input, "conv1", 32, MICA_RELU);
    x = pool2(conv3(x, "conv2", 32, MICA_RELU));
    x = conv3(x, "conv3", 64, MICA_RELU);
    x = pool2(conv3(x, "conv4", 64, MICA_RELU));
    x = pool2(conv3(x, "conv5", 128, MICA_RELU));
    x = mica_dense(flatten(x), "hidden", 256, &relu);
    classify(net, mica_dense(mica_dropout(x, 0.5f), "scores", 10, NULL));
}

/* Convolution, batch normalization and, if asked for, ReLU. */
static mica_value *normalized(
    mica_value *x, const char *name, int64_t filters, int64_t kernel, int64_t stride, bool active) {
    char norm[40];
    snprintf(norm, sizeof norm, "%s_norm", name);
    x = mica_conv2d_layer(x, name, filters,
        &(mica_conv2d_layer_options){.kernel = {kernel},
            .conv = {.strides = {1, stride, stride, 1},
                .padding = MICA_EXPLICIT,
                .pad = {kernel / 2, kernel / 2, kernel / 2, kernel / 2}},
            .no_bias = true});
    x = mica_batch_norm_layer(x, norm, NULL);
    return active ? mica_relu(x) : x;
}

static mica_value *residual_block(
    mica_value *x, const char *name, int64_t filters, int64_t stride) {
    char part[3][32];
    for (int i = 0; i < 3; i++)
        snprintf(part[i], sizeof part[i], "%s_%s", name, (const char *[]){"a", "b", "shortcut"}[i]);
    mica_value *y = normalized(x, part[0], filters, 3, stride, true);
    y = normalized(y, part[1], filters, 3, 1, false);
    if (stride > 1)
        x = normalized(x, part[2], filters, 1, stride, false);
    return mica_relu(mica_add(y, x));
}

/* He et al., "Deep residual learning", 2016, with a stem for small images. */
static void build_resnet18_cifar(network *net, mica_graph *graph, int64_t batch) {
    classifier(net, graph, MICA_SHAPE(batch, 32, 32, 3));
    mica_value *x = normalized(net->input, "stem", 64, 3, 1, true);
    for (int stage = 0; stage < 4; stage++)
        for (int block = 0; block < 2; block++) {
            char name[16];
            snprintf(name, sizeof name, "block%d%d", stage + 1, block + 1);
            x = residual_block(x, name, 64 << stage, stage && !block ? 2 : 1);
        }
    classify(net, mica_dense(mica_global_avg_pool(x), "scores", 10, NULL));
}

static void build_conv_autoencoder(network *net, mica_graph *graph, int64_t batch) {
    mica_value *x = net->input = mica_input(graph, "input", MICA_F32, MICA_SHAPE(batch, 28, 28, 1));
    x = pool2(conv3(x, "encoder1", 32, MICA_RELU));
    x = pool2(conv3(x, "encoder2", 32, MICA_RELU));
    x = pool2(conv3(x, "encoder3", 16, MICA_RELU));
    static const int64_t sizes[] = {7, 14, 28}, filters[] = {16, 32, 32};
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "decoder%d", i + 1);
        x = mica_resize(x, sizes[i], sizes[i], MICA_NEAREST, MICA_HALF_PIXEL);
        x = conv3(x, name, filters[i], MICA_RELU);
    }
    mica_value *logits = conv3(x, "pixels", 1, MICA_LINEAR);
    net->loss = mica_mean(mica_sigmoid_cross_entropy(logits, net->input), NULL, 0, false);
}

/* ---- sequences ---- */

/* The characters' one-hot rows are looked up. */
static void build_char_lstm(network *net, mica_graph *graph, int64_t batch) {
    const int64_t steps = 50;
    net->classes = 83;
    net->input = mica_input(graph, "input", MICA_I32, MICA_SHAPE(batch, steps));
    net->label = mica_input(graph, "label", MICA_I32, MICA_SHAPE(batch, steps));
    const mica_recurrent_layer_options lstm = {.layers = 2, .classes = net->classes};
    mica_recurrent y = mica_lstm_layer(net->input, "lstm", 512, &lstm);
    classify(net, mica_dense(y.outputs, "scores", net->classes, NULL));
}

const mica_workload mica_workloads[] = {
    {"softmax", 128, build_softmax, "dense 784-10"},
    {"mlp", 128, build_mlp, "dense 784-256-128-10, ReLU, dropout 0.5 after each hidden layer"},
    {"cifar_cnn", 128, build_cifar_cnn,
        "32x32x3, 3x3 convolutions 32-32-pool-64-64-pool-128-pool, dense 256-10"},
    {"resnet18_cifar", 32, build_resnet18_cifar, "ResNet-18 for 32x32x3, batch normalization"},
    {"conv_autoencoder", 128, build_conv_autoencoder,
        "28x28x1, convolutions and max pooling down, nearest resizing and convolutions up"},
    {"vae", 128, build_vae, "784-400-(20 and 20)-400-784, Gaussian code, KL divergence"},
    {"char_lstm", 100, build_char_lstm, "50 of 83 characters, 2 layers of 512, dense 83"},
};
const size_t mica_workload_count = sizeof mica_workloads / sizeof *mica_workloads;
