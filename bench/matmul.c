/* Square matrix products: Mica on a device against OpenBLAS, in turn on the same machine.
 *
 * usage: matmul [--device D] [--rounds N] [SIZE...]      (default: auto, 15, 256 512 1024 2048)
 *
 * A round times each of the two over about 0.1 s, Mica first. OpenBLAS' threads spin for a while
 * after a call, which would slow down Mica's: a pause before each round lets them sleep. Prints one
 * line a size: the medians in GFLOP/s and the ratio of medians, Mica's speed over OpenBLAS'. */
#include <mica/mica.h>

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MOST = 1000 };
static const double round_seconds = 0.1;
static const struct timespec pause_time = {.tv_nsec = 60 * 1000 * 1000};

static void check(mica_status status) {
    if (status == MICA_OK)
        return;
    fprintf(stderr, "matmul: %s\n", mica_last_error());
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *numbers, int count) {
    qsort(numbers, (size_t)count, sizeof *numbers, compare);
    return numbers[count / 2];
}

typedef struct product {
    int size;
    float *a, *b, *c;
    mica_device *device;
    mica_program *program;
} product;

static void run_mica(const product *p, int repeats) {
    for (int i = 0; i < repeats; i++)
        check(mica_program_run(p->program));
    check(mica_device_wait(p->device));
}

static void run_openblas(const product *p, int repeats) {
    const int n = p->size;
    for (int i = 0; i < repeats; i++)
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, p->a, n, p->b, n, 0, p->c, n);
}

/* Seconds a product, after one that warms up. */
static double time_of(void (*run)(const product *, int), const product *p, int repeats) {
    run(p, 1);
    double start = seconds();
    run(p, repeats);
    return (seconds() - start) / repeats;
}

static void compare_results(const product *p, mica_value *c) {
    const size_t count = (size_t)p->size * (size_t)p->size;
    float *got = malloc(count * sizeof *got);
    double worst = 0;
    run_mica(p, 1);
    run_openblas(p, 1);
    check(mica_program_read(p->program, c, got, count * sizeof *got));
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs((double)got[i] - (double)p->c[i]));
    free(got);
    if (worst > 1e-5 * p->size) {
        fprintf(stderr, "matmul: the results differ by %g\n", worst);
        exit(1);
    }
}

static void measure(product *p, int rounds) {
    const double flops = 2.0 * p->size * p->size * p->size;
    double mica[ROUNDS_MOST], openblas[ROUNDS_MOST];
    int repeats = (int)(round_seconds / time_of(run_openblas, p, 1)) + 1;
    for (int i = 0; i < rounds; i++) {
        nanosleep(&pause_time, NULL);
        mica[i] = time_of(run_mica, p, repeats);
        openblas[i] = time_of(run_openblas, p, repeats);
    }
    double ours = median(mica, rounds), theirs = median(openblas, rounds);
    printf("%5d  mica %7.1f GFLOP/s  openblas %7.1f GFLOP/s  ratio %.3f\n", p->size,
        flops / ours * 1e-9, flops / theirs * 1e-9, theirs / ours);
    fflush(stdout);
}

static void bench(mica_device *device, int size, int rounds) {
    const size_t count = (size_t)size * (size_t)size, bytes = count * sizeof(float);
    product p = {.size = size, .device = device};
    p.a = malloc(bytes), p.b = malloc(bytes), p.c = malloc(bytes);
    for (size_t i = 0; i < count; i++) {
        p.a[i] = (float)rand() / (float)RAND_MAX - 0.5f;
        p.b[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    }
    mica_graph *graph;
    mica_model *model;
    check(mica_graph_create(&graph));
    mica_value *a = mica_input(graph, "a", MICA_F32, MICA_SHAPE(size, size));
    mica_value *b = mica_input(graph, "b", MICA_F32, MICA_SHAPE(size, size));
    mica_value *c = mica_matmul(a, b, NULL);
    check(mica_model_create(graph, device, 1, &model));
    check(mica_program_create(
        model, &(mica_program_options){.outputs = &c, .n_outputs = 1}, &p.program));
    check(mica_program_write(p.program, a, p.a, bytes));
    check(mica_program_write(p.program, b, p.b, bytes));
    compare_results(&p, c);
    measure(&p, rounds);
    mica_program_destroy(&p.program);
    mica_model_destroy(&model);
    mica_graph_destroy(&graph);
    free(p.a);
    free(p.b);
    free(p.c);
}

static int number(const char *text, int most) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || value < 1 || value > most) {
        fprintf(stderr, "matmul: %s is no number of 1 .. %d\n", text, most);
        exit(2);
    }
    return (int)value;
}

int main(int argc, char **argv) {
    static const int usual[] = {256, 512, 1024, 2048};
    const char *device_name = "auto";
    int rounds = 15, first = 1;
    for (; first + 1 < argc && !strncmp(argv[first], "--", 2); first += 2) {
        if (!strcmp(argv[first], "--device"))
            device_name = argv[first + 1];
        else if (!strcmp(argv[first], "--rounds"))
            rounds = number(argv[first + 1], ROUNDS_MOST);
        else
            break;
    }
    if (first < argc && argv[first][0] == '-') {
        fprintf(stderr, "usage: matmul [--device D] [--rounds N] [SIZE...]\n");
        return 2;
    }
    mica_device *device;
    check(mica_device_open(device_name, &device));
    printf("%s against %s\n", mica_device_get_info(device)->name, openblas_get_config());
    for (int i = 0; i < 4 && first >= argc; i++)
        bench(device, usual[i], rounds);
    for (int i = first; i < argc; i++)
        bench(device, number(argv[i], 16384), rounds);
    mica_device_destroy(&device);
    return 0;
}
