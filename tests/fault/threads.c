/* Two threads, each with a device and a folder of its own, train at the same time,
 * and share the caches. For ThreadSanitizer (ci/checks threads).
 * threads RECIPE FOLDER DEVICE1 DEVICE2 */
#include <mica/mica.h>
#include <mica/train.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef struct job {
    const char *recipe, *device;
    char out[512];
    int bad;
} job;

static void *work(void *data) {
    job *j = data;
    const char *overrides[] = {"epochs=1"};
    mica_train_options options = {
        .device = j->device, .out = j->out, .overrides = overrides, .n_overrides = 1};
    mica_train_result *result = NULL;
    if (mica_train(j->recipe, &options, &result) != MICA_OK) {
        fprintf(stderr, "%s: %s\n", j->device, mica_last_error());
        j->bad = 1;
        return NULL;
    }
    mica_train_result_destroy(&result);
    /* an error of this thread is not the other's */
    options.out = "/nowhere/at/all";
    if (mica_train("/no/recipe.yaml", &options, NULL) != MICA_E_NOT_FOUND ||
        !strstr(mica_last_error(), "/no/recipe.yaml"))
        j->bad = 1;
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    job jobs[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        jobs[i] = (job){.recipe = argv[1], .device = argv[3 + i]};
        snprintf(jobs[i].out, sizeof jobs[i].out, "%s/run%d", argv[2], i);
        if (pthread_create(&threads[i], NULL, work, &jobs[i]))
            return 1;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return jobs[0].bad | jobs[1].bad;
}
