#include "cli/workloads.h"

#include <mica/nn.h>
#include <mica/sequence.h>
#include <stdio.h>

typedef mica_workload_network network;

/* ---- what the networks share ---- */

/* Images of 10 classes; gives the images. */
static mica_value *classifier(network *net, mica_graph *graph, mica_shape input) {
    net->below[1] = 10;
    net->inputs[1] = mica_input(graph, "label", MICA_I32, MICA_SHAPE(input.dim[0]));
    return net->inputs[0] = mica_input(graph, "input", MICA_F32, input);
}

static void classify(network *net, mica_value *logits) {
    net->loss = mica_mean(mica_softmax_cross_entropy(logits, net->inputs[1]), NULL, 0, false);
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
    mica_value *x = classifier(net, graph, MICA_SHAPE(batch, 784));
    classify(net, mica_dense(x, "scores", 10, NULL));
}

static void build_mlp(network *net, mica_graph *graph, int64_t batch) {
    mica_value *x = classifier(net, graph, MICA_SHAPE(batch, 784));
    x = mica_dense(x, "hidden1", 256, &relu);
    x = mica_dense(mica_dropout(x, 0.5f), "hidden2", 128, &relu);
    classify(net, mica_dense(mica_dropout(x, 0.5f), "scores", 10, NULL));
}

static void build_vae(network *net, mica_graph *graph, int64_t batch) {
    mica_value *x = net->inputs[0] = mica_input(graph, "input", MICA_F32, MICA_SHAPE(batch, 784));
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
    mica_value *x = classifier(net, graph, MICA_SHAPE(batch, 32, 32, 3));
    x = conv3(x, "conv1", 32, MICA_RELU);
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
    mica_value *x = classifier(net, graph, MICA_SHAPE(batch, 32, 32, 3));
    x = normalized(x, "stem", 64, 3, 1, true);
    for (int stage = 0; stage < 4; stage++)
        for (int block = 0; block < 2; block++) {
            char name[16];
            snprintf(name, sizeof name, "block%d%d", stage + 1, block + 1);
            x = residual_block(x, name, 64 << stage, stage && !block ? 2 : 1);
        }
    classify(net, mica_dense(mica_global_avg_pool(x), "scores", 10, NULL));
}

static void build_conv_autoencoder(network *net, mica_graph *graph, int64_t batch) {
    mica_value *x = net->inputs[0] =
        mica_input(graph, "input", MICA_F32, MICA_SHAPE(batch, 28, 28, 1));
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
    net->loss = mica_mean(mica_sigmoid_cross_entropy(logits, net->inputs[0]), NULL, 0, false);
}

/* A convolution of AlexNet with ReLU; `wide` ones are followed by local response normalization. */
static mica_value *alex_conv(mica_value *x, int number, int64_t filters, int64_t kernel,
    int64_t stride, int64_t groups, bool wide) {
    char name[8];
    snprintf(name, sizeof name, "conv%d", number);
    const int64_t zeros = stride > 1 ? 0 : kernel / 2;
    x = mica_conv2d_layer(x, name, filters,
        &(mica_conv2d_layer_options){.kernel = {kernel},
            .conv = {.strides = {1, stride, stride, 1},
                .padding = MICA_EXPLICIT,
                .pad = {zeros, zeros, zeros, zeros},
                .groups = groups},
            .activation = MICA_RELU});
    return wide ? mica_local_response_norm(
                      x, &(mica_lrn_options){.radius = 2, .bias = 1, .alpha = 2e-5f, .beta = 0.75f})
                : x;
}

static mica_value *pool3(mica_value *x) {
    return mica_max_pool(x, &(mica_pool_options){.ksize = {1, 3, 3, 1}, .strides = {1, 2, 2, 1}});
}

/* Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
 * networks", 2012, up to the second layer of 4096. */
static void build_alexnet_codes(network *net, mica_graph *graph, int64_t batch) {
    mica_value *x = net->inputs[0] =
        mica_input(graph, "input", MICA_F32, MICA_SHAPE(batch, 227, 227, 3));
    x = pool3(alex_conv(x, 1, 96, 11, 4, 1, true));
    x = pool3(alex_conv(x, 2, 256, 5, 1, 2, true));
    x = alex_conv(x, 3, 384, 3, 1, 1, false);
    x = alex_conv(x, 4, 384, 3, 1, 2, false);
    x = pool3(alex_conv(x, 5, 256, 3, 1, 2, false));
    x = mica_dense(flatten(x), "fc6", 4096, &relu);
    net->result = mica_dense(x, "fc7", 4096, &relu);
}

/* ---- sequences ---- */

/* The characters' one-hot rows are looked up. */
static void build_char_lstm(network *net, mica_graph *graph, int64_t batch) {
    const int64_t steps = 50;
    const int32_t classes = 83;
    for (int i = 0; i < 2; i++) {
        net->below[i] = classes;
        net->inputs[i] = mica_input(
            graph, (const char *[]){"input", "label"}[i], MICA_I32, MICA_SHAPE(batch, steps));
    }
    const mica_recurrent_layer_options lstm = {.layers = 2, .classes = classes};
    mica_recurrent y = mica_lstm_layer(net->inputs[0], "lstm", 512, &lstm);
    classify(net, mica_dense(y.outputs, "scores", classes, NULL));
}

/* ---- recommendations ---- */

static mica_value *sparse_rows(mica_value *ids, const char *name, int64_t rows, int64_t width) {
    return mica_embedding_layer(
        ids, name, rows, width, &(mica_embedding_layer_options){.sparse = true});
}

/* Koren, Bell and Volinsky, "Matrix factorization techniques for recommender systems", 2009. */
static void build_matrix_factorization(network *net, mica_graph *graph, int64_t batch) {
    const int64_t users = 943, items = 1682, factors = 64;
    mica_value *user = mica_input(graph, "user", MICA_I32, MICA_SHAPE(batch));
    mica_value *item = mica_input(graph, "item", MICA_I32, MICA_SHAPE(batch));
    mica_value *rating = mica_input(graph, "rating", MICA_F32, MICA_SHAPE(batch, 1));
    mica_value *agreement = mica_mul(sparse_rows(user, "user_factors", users, factors),
        sparse_rows(item, "item_factors", items, factors));
    mica_value *bias = mica_add(
        sparse_rows(user, "user_bias", users, 1), sparse_rows(item, "item_bias", items, 1));
    mica_value *score = mica_add(mica_sum(agreement, (const int[]){1}, 1, true), bias);
    *net = (network){{user, item, rating}, {(int32_t)users, (int32_t)items},
        .loss = mica_mean_squared_error(score, rating)};
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
    {"matrix_factorization", 1024, build_matrix_factorization,
        "943 users, 1682 items, 64 factors and biases, squared error, sparse tables"},
    {"alexnet_codes", 16, build_alexnet_codes,
        "AlexNet for 227x227x3 up to the second 4096 layer, forward only"},
};
const size_t mica_workload_count = sizeof mica_workloads / sizeof *mica_workloads;
