/* Trains a small network with the C API. `mnist FOLDER` takes the four files of MNIST, plain or
 * .gz, from a folder; without one it takes the 8x8 digits that come with Mica's sources.
 *
 * Build it with cc mnist.c $(pkg-config --cflags --libs mica) -o mnist */
#include <mica/mica.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, EPOCHS = 20 };

static void try(mica_status status) {
    if (status == MICA_OK)
        return;
    fprintf(stderr, "mnist: %s\n", mica_last_error());
    exit(1);
}

static void open_sets(const char *folder, mica_dataset **sets) {
    if (folder) {
        try(mica_dataset_from_mnist(folder, "mnist", true, NULL, &sets[0]));
        try(mica_dataset_from_mnist(folder, "mnist", false, NULL, &sets[1]));
    } else {
        mica_dataset *all = NULL;
        mica_dataset_options options = {.scale = 1.0f / 16};
        try(mica_dataset_from_csv("recipes/data/digits.csv.gz", &options, &all));
        try(mica_dataset_split(all, 1, 2, (double[]){0.8, 0.2}, sets));
    }
}

int main(int argc, char **argv) {
    mica_dataset *sets[2]; /* training, test */
    open_sets(argc > 1 ? argv[1] : NULL, sets);
    const mica_dataset_info *info = mica_dataset_get_info(sets[0]);
    int64_t width = mica_shape_count(info->sample);

    mica_graph *graph;
    try(mica_graph_create(&graph));
    mica_value *x = mica_input(graph, "x", MICA_F32, MICA_SHAPE(BATCH, width));
    mica_value *y = mica_input(graph, "y", MICA_I32, MICA_SHAPE(BATCH));
    mica_value *hidden = mica_dense(x, "fc1", 128, &(mica_dense_options){.activation = MICA_RELU});
    mica_value *logits = mica_dense(hidden, "fc2", info->classes, NULL);
    mica_value *loss = mica_mean(mica_softmax_cross_entropy(logits, y), NULL, 0, false);
    mica_value *guess = mica_argmax(logits);
    mica_optimizer adam = {.kind = MICA_ADAM, .learning_rate = 2e-3f};

    mica_device *device;
    mica_model *model;
    mica_program *programs[2]; /* one that trains, one that guesses; they share the model */
    try(mica_device_open("auto", &device));
    try(mica_model_create(graph, device, 1, &model));
    mica_program_options training = {.loss = loss, .optimizer = &adam, .training = true};
    mica_program_options guessing = {.outputs = &guess, .n_outputs = 1};
    try(mica_program_create(model, &training, &programs[0]));
    try(mica_program_create(model, &guessing, &programs[1]));

    int64_t right = 0;
    for (int test = 0; test < 2; test++) {
        mica_loader *loader;
        mica_loader_options order = {.batch = BATCH, .shuffle = !test, .drop_last = !test};
        try(mica_loader_create(sets[test], &order, &loader));
        int64_t steps = mica_loader_batches(loader) * (test ? 1 : EPOCHS);
        for (int64_t i = 0; i < steps; i++) {
            mica_batch batch;
            int32_t guesses[BATCH];
            try(mica_loader_next(loader, &batch));
            try(mica_program_write(
                programs[test], x, batch.features, BATCH * width * sizeof(float)));
            if (!test)
                try(mica_program_write(programs[test], y, batch.labels, BATCH * sizeof(int32_t)));
            try(mica_program_run(programs[test]));
            if (test)
                try(mica_program_read(programs[test], guess, guesses, sizeof guesses));
            for (int64_t s = 0; test && s < batch.valid; s++)
                right += guesses[s] == batch.labels[s];
        }
    }
    printf("test accuracy %.2f %%\n", 100.0 * right / mica_dataset_get_info(sets[1])->count);
    return 0;
}
