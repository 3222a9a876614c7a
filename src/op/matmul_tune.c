/* Runs the variants of a matrix product on memory of their own, for the measured choice. */
#include "base/error.h"
#include "op/elementwise.h"
#include "op/matmul_plan.h"
#include "tune/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

mica_status mica_matmul_record(mica_device *device, const mica_matmul_variant *variant,
    mica_buffer *const buffers[MICA_MATMUL_BINDINGS], bool timed, mica_commands **commands) {
    mica_launch launches[MICA_MATMUL_LAUNCHES] = {0};
    for (int i = 0; i < variant->n_launches; i++) {
        const mica_matmul_launch *planned = &variant->launches[i];
        mica_launch *launch = &launches[i];
        MICA_TRY(mica_kernel_get(device, &planned->kernel, &launch->kernel));
        for (uint32_t k = 0; k < planned->kernel.n_bindings; k++) {
            mica_buffer *buffer = buffers[planned->bindings[k]];
            launch->bindings[k] =
                (mica_range){buffer, 0, buffer ? mica_buffer_bytes(buffer) / 4 : 0};
        }
        memcpy(launch->groups, planned->groups, sizeof launch->groups);
        memcpy(launch->params, &planned->params, planned->kernel.params_size);
    }
    return mica_commands_create(device, launches, (size_t)variant->n_launches, timed, commands);
}

typedef struct bench {
    mica_device *device;
    const mica_matmul_shape *shape;
    const mica_matmul_variant *variants;
    int n_variants;
    mica_buffer *buffers[MICA_MATMUL_BINDINGS];
} bench;

static mica_status make_buffer(bench *b, mica_matmul_binding binding, uint64_t count) {
    mica_buffer **buffer = &b->buffers[binding];
    if (!count)
        return MICA_OK;
    MICA_TRY(mica_buffer_create(b->device, count * 4, MICA_MEMORY_DEVICE, buffer));
    return mica_tune_fill(*buffer, binding);
}

static mica_status make_buffers(bench *b) {
    const mica_matmul_shape *s = b->shape;
    uint64_t parts = 0, last = s->batch - 1;
    for (int i = 0; i < b->n_variants; i++)
        parts = b->variants[i].parts > parts ? b->variants[i].parts : parts;
    MICA_TRY(make_buffer(b, MICA_MATMUL_A, last * s->sa + (uint64_t)s->m * s->k));
    MICA_TRY(make_buffer(b, MICA_MATMUL_B, last * s->sb + (uint64_t)s->k * s->n));
    MICA_TRY(make_buffer(b, MICA_MATMUL_BIAS, s->n));
    MICA_TRY(make_buffer(b, MICA_MATMUL_C, last * s->sc + (uint64_t)s->m * s->n));
    return make_buffer(b, MICA_MATMUL_PARTS, parts);
}

static mica_status record(void *user, int index, mica_commands **commands) {
    bench *b = user;
    if (!b->buffers[MICA_MATMUL_A])
        MICA_TRY(make_buffers(b));
    return mica_matmul_record(b->device, &b->variants[index], b->buffers, true, commands);
}

static mica_buffer *result(void *user) {
    return ((bench *)user)->buffers[MICA_MATMUL_C];
}

static double expect(void *user, uint64_t at, double *slack) {
    const mica_matmul_shape *s = ((const bench *)user)->shape;
    const uint64_t m = s->m, n = s->n, k = s->k, z = at / (m * n), i = at / n % m, j = at % n;
    double sum = 0, magnitude = 0;
    for (uint64_t l = 0; l < k; l++) {
        const uint64_t a = z * s->sa + (s->ta ? l * m + i : i * k + l);
        const uint64_t b = z * s->sb + (s->tb ? j * k + l : l * n + j);
        const double product =
            (double)mica_tune_number(MICA_MATMUL_A, a) * (double)mica_tune_number(MICA_MATMUL_B, b);
        sum += product;
        magnitude += fabs(product);
    }
    if (s->bias)
        sum += (double)mica_tune_number(MICA_MATMUL_BIAS, j);
    *slack = mica_tune_slack(k, magnitude + 1);
    return mica_elementwise_value(s->act, s->act_k, sum, slack);
}

/* Multiply-adds: below, a launch costs more than a better kernel saves. */
static const double worth_measuring = 1e6;

/* x lies in 2^(result-1) + 1 .. 2^result */
static int log2_up(uint32_t x) {
    int bits = 0;
    while (x > UINT32_C(1) << bits && bits < 31)
        bits++;
    return bits;
}

const mica_matmul_variant *mica_matmul_choose(mica_device *device, mica_graph *graph,
    const mica_matmul_shape *s, const mica_matmul_variant *variants, int n_variants) {
    if ((double)s->m * s->n * s->k * s->batch < worth_measuring)
        return variants;
    char key[96];
    const char *names[MICA_MATMUL_VARIANTS];
    for (int i = 0; i < n_variants; i++)
        names[i] = variants[i].name;
    snprintf(key, sizeof key, "matmul %c%c%s m%d n%d k%d batch%d", s->ta ? 't' : 'n',
        s->tb ? 't' : 'n', s->bias || s->act >= 0 ? " epilogue" : "", log2_up(s->m), log2_up(s->n),
        log2_up(s->k), log2_up(s->batch));
    bench b = {.device = device, .shape = s, .variants = variants, .n_variants = n_variants};
    const mica_tune_problem problem = {.record = record,
        .result = result,
        .count = (uint64_t)s->m * s->n * s->batch,
        .terms = s->k,
        .expect = expect,
        .user = &b,
        .graph = graph};
    int choice = mica_tune_choose(device, key, names, n_variants, &problem);
    for (int i = 0; i < MICA_MATMUL_BINDINGS; i++)
        mica_buffer_destroy(&b.buffers[i]);
    return choice < 0 ? NULL : &variants[choice];
}
