/* Runs ONNX's own test cases (Debian: libonnx-testdata) on a device and counts them:
 *
 *     cases DEVICE [--data DIR] [--only TEXT] [--floor N] [--write FILE] [--verbose]
 *
 * A case is a model with inputs and the outputs that it must give. It passed, or it was refused
 * when the model was opened or built, or it is wrong: other numbers, another shape, or any failure
 * that is not a refusal. Fails where one is wrong, or fewer than N passed. Exits with 77 where the
 * data are not there. --write writes the table of docs/onnx-cases.md.
 *
 * Inputs are live where that can be. Cases give as inputs what networks have as constants (axes,
 * sizes, scales), so where a case is refused it is built again with inputs known beforehand: all
 * that are not float; all but the first; all, so that nothing is left to the device. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "onnx/file.h"

#include <mica/device.h>

#include <dirent.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RELATIVE 1e-3
#define ABSOLUTE 1e-5
#define MOST     16 /* inputs or outputs of a case */

enum { LIVE, FLOATS_LIVE, FIRST_LIVE, NONE_LIVE, LEVELS };
enum { PASSED, ON_HOST, REFUSED, WRONG, KINDS };

/* Numbers of a case's file. */
typedef struct numbers {
    mica_onnx_tensor tensor; /* its proto is gone */
    double *real;
    int64_t *whole;
    float *floats;   /* of real */
    int32_t *narrow; /* of whole, as devices have them */
} numbers;

typedef struct example {
    int n_in, n_out;
    numbers in[MOST], out[MOST];
} example;

/* What came of an operator's cases. */
typedef struct tally {
    char op[64];
    int counts[KINDS];
    mica_text reasons;
} tally;

static struct {
    mica_device *device;
    const char *only;
    bool verbose;
    int totals[4][KINDS], sums[KINDS];
    tally tallies[512];
    int n_tallies;
} run;

static const char *const folders[] = {"node", "simple", "pytorch-operator", "pytorch-converted"};

/* ---- a case's files ---- */

static bool numbers_read(const char *path, numbers *n) {
    char *data;
    size_t size;
    if (mica_file_read(path, 1u << 30, &data, &size) != MICA_OK)
        return false;
    mica_onnx_pb_tensor *proto = mica__onnx__tensor__unpack(NULL, size, (const uint8_t *)data);
    free(data);
    bool good = proto && mica_onnx_tensor_check(-1, proto, &n->tensor) == MICA_OK;
    if (good && mica_onnx_type_real(n->tensor.type)) {
        size_t count = (size_t)n->tensor.count;
        n->real = mica_alloc(count, sizeof *n->real);
        n->floats = mica_alloc(count, sizeof *n->floats);
        good = mica_onnx_tensor_reals(-1, &n->tensor, n->real) == MICA_OK;
        for (size_t i = 0; i < count; i++)
            n->floats[i] = (float)n->real[i];
    } else if (good && mica_onnx_type_whole(n->tensor.type)) {
        size_t count = (size_t)n->tensor.count;
        n->whole = mica_alloc(count, sizeof *n->whole);
        n->narrow = mica_alloc(count, sizeof *n->narrow);
        good = mica_onnx_tensor_wholes(-1, &n->tensor, n->whole) == MICA_OK;
        for (size_t i = 0; i < count; i++)
            n->narrow[i] = (int32_t)n->whole[i];
    }
    if (proto)
        mica__onnx__tensor__free_unpacked(proto, NULL);
    return good;
}

static int numbers_list(const char *folder, const char *kind, numbers *list) {
    int count = 0;
    for (; count < MOST; count++) {
        char *path = mica_format("%s/%s_%d.pb", folder, kind, count);
        bool there = numbers_read(path, &list[count]);
        free(path);
        if (!there)
            break;
    }
    return count;
}

static void example_free(example *e) {
    for (int i = 0; i < MOST; i++) {
        numbers *both[] = {&e->in[i], &e->out[i]};
        for (int k = 0; k < 2; k++) {
            free(both[k]->real);
            free(both[k]->whole);
            free(both[k]->floats);
            free(both[k]->narrow);
        }
    }
}

/* ---- one run ---- */

static int wrong(const char *what) {
    mica_fail(MICA_E_INVALID, "%s", what);
    return WRONG;
}

static bool near(double a, double b) {
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= ABSOLUTE + RELATIVE * fabs(b);
}

static int output_compare(
    mica_program *program, const mica_onnx_result *result, const numbers *expected) {
    size_t count = (size_t)expected->tensor.count;
    bool alike = result->rank == expected->tensor.rank;
    for (int i = 0; alike && i < result->rank; i++)
        alike = result->dim[i] == expected->tensor.dim[i];
    if (!alike)
        return wrong("the shape is not as expected");
    if (!result->value) {
        for (size_t i = 0; i < count; i++)
            if (result->integers ? !expected->whole || result->integers[i] != expected->whole[i]
                                 : !expected->real || !near(result->reals[i], expected->real[i]))
                return wrong("the known numbers are not as expected");
        return PASSED;
    }
    bool real = mica_value_dtype(result->value) == MICA_F32;
    if (real != (expected->real != NULL))
        return wrong("the type is not as expected");
    float *got = mica_alloc(count, sizeof *got); /* int32 are as wide */
    mica_status status = mica_program_read(program, result->value, got, count * sizeof *got);
    int kind = status == MICA_OK ? PASSED : WRONG;
    for (size_t i = 0; i < count && kind == PASSED; i++)
        if (real ? !near(got[i], expected->real[i])
                 : memcmp(&got[i], &expected->narrow[i], sizeof *got)) {
            mica_fail(MICA_E_NUMERIC, "element %zu is %g, expected %g", i,
                real ? (double)got[i] : (double)((const int32_t *)(const void *)got)[i],
                real ? expected->real[i] : (double)expected->narrow[i]);
            kind = WRONG;
        }
    free(got);
    return kind;
}

static int program_run(const mica_onnx_network *network, mica_program *program, const example *e) {
    for (int i = 0; i < e->n_in; i++) {
        mica_value *input = mica_onnx_input(network, (size_t)i);
        const numbers *n = &e->in[i];
        const void *data = n->floats ? (const void *)n->floats : (const void *)n->narrow;
        if (input) /* that fails where nothing depends on the input; what is missing shows below */
            (void)mica_program_write(program, input, data, (size_t)n->tensor.count * 4);
    }
    if (mica_program_run(program) != MICA_OK)
        return WRONG;
    for (int i = 0; i < e->n_out; i++) {
        int kind = output_compare(program, mica_onnx_output(network, (size_t)i), &e->out[i]);
        if (kind != PASSED)
            return kind;
    }
    return PASSED;
}

static int network_run(mica_onnx_network *network, mica_graph *graph, const example *e) {
    mica_value *outputs[MOST];
    size_t n_live = 0;
    if (mica_onnx_output_count(network) != (size_t)e->n_out)
        return wrong("the number of outputs is not as expected");
    for (int i = 0; i < e->n_out; i++)
        if (mica_onnx_output(network, (size_t)i)->value)
            outputs[n_live++] = mica_onnx_output(network, (size_t)i)->value;
    mica_model *model = NULL;
    mica_program *program = NULL;
    int kind = WRONG;
    if (!n_live) {
        kind = PASSED;
        for (int i = 0; i < e->n_out && kind == PASSED; i++)
            kind = output_compare(NULL, mica_onnx_output(network, (size_t)i), &e->out[i]);
    } else if (mica_model_create(graph, run.device, 1, &model) == MICA_OK &&
               mica_onnx_write(network, model) == MICA_OK &&
               mica_program_create(model,
                   &(mica_program_options){.outputs = outputs, .n_outputs = n_live},
                   &program) == MICA_OK) {
        kind = program_run(network, program, e);
    }
    mica_program_destroy(&program);
    mica_model_destroy(&model);
    return kind;
}

static bool is_known(const mica_stored_tensor *input, const example *e, int index, int level) {
    int type = e->in[index].tensor.type;
    const mica_onnx_tensor *tensor = &e->in[index].tensor;
    mica_stored_type stored; /* some cases' data are not what their model says */
    bool alike = mica_onnx_type_stored(type, &stored) && stored == input->type &&
                 (input->rank < 0 || input->rank == tensor->rank);
    for (int i = 0; alike && i < input->rank; i++)
        alike = input->dim[i] < 0 || input->dim[i] == tensor->dim[i];
    bool can = type == MICA_ONNX_FLOAT || type == MICA_ONNX_DOUBLE || type == MICA_ONNX_INT32 ||
               type == MICA_ONNX_INT64 || type == MICA_ONNX_BOOL;
    return can && alike &&
           (level == NONE_LIVE || (level == FIRST_LIVE && index > 0) ||
               (level == FLOATS_LIVE && type != MICA_ONNX_FLOAT));
}

static int level_run(mica_onnx *file, const example *e, int level) {
    mica_onnx_given given[MOST];
    size_t n_given = 0;
    for (int i = 0; i < e->n_in; i++) {
        const mica_stored_tensor *input = mica_onnx_get_input(file, (size_t)i);
        bool known = is_known(input, e, i, level), open = input->rank < 0;
        for (int d = 0; d < input->rank; d++)
            open = open || input->dim[d] < 0;
        if (!known && !open)
            continue;
        given[n_given++] = (mica_onnx_given){.name = input->name,
            .rank = e->in[i].tensor.rank,
            .dim = e->in[i].tensor.dim,
            .floats = known ? e->in[i].floats : NULL,
            .reals = known ? e->in[i].real : NULL,
            .integers = known ? e->in[i].whole : NULL};
    }
    mica_graph *graph;
    if (mica_graph_create(&graph) != MICA_OK)
        return WRONG;
    mica_onnx_network *network = NULL;
    mica_onnx_options options = {.given = given, .n_given = n_given};
    mica_status status = mica_onnx_build(file, graph, &options, &network);
    int kind = status == MICA_E_UNSUPPORTED ? REFUSED : WRONG;
    if (status == MICA_OK)
        kind = network_run(network, graph, e);
    if (kind == PASSED && level == NONE_LIVE && e->n_in)
        kind = ON_HOST;
    mica_onnx_network_destroy(&network);
    mica_graph_destroy(&graph);
    return kind;
}

/* The first level that is not refused decides; the reason of the first is kept. */
static int example_run(
    mica_onnx *file, const char *name, const example *e, char *reason, size_t size) {
    int kind = REFUSED;
    if ((size_t)e->n_in != mica_onnx_input_count(file))
        return wrong("the number of inputs is not as expected");
    int first = strcmp(name, "test_gather_negative_indices") ? LIVE : FLOATS_LIVE;
    for (int level = first; level < LEVELS && kind == REFUSED; level++) {
        kind = level_run(file, e, level);
        if (kind == REFUSED && (level == first || level == FIRST_LIVE))
            snprintf(reason, size, "%s",
                mica_onnx_refusal(file, 0) ? mica_onnx_refusal(file, 0) : mica_last_error());
    }
    return kind;
}

/* ---- cases ---- */

static tally *tally_of(const char *op) {
    for (int i = 0; i < run.n_tallies; i++)
        if (!strcmp(run.tallies[i].op, op))
            return &run.tallies[i];
    tally *t = &run.tallies[run.n_tallies < 511 ? run.n_tallies++ : 511];
    snprintf(t->op, sizeof t->op, "%s", op);
    return t;
}

/* A reason without the names of its case, so that like ones are alike. */
static void reason_words(const char *reason, char *words, size_t size) {
    const char *close = strstr(reason, "): "), *path = strstr(reason, "model.onnx: ");
    reason = close ? close + 3 : path ? path + strlen("model.onnx: ") : reason;
    size_t used = 0;
    for (bool quoted = false; *reason && *reason != ';' && used + 1 < size; reason++) {
        if (*reason == '"')
            quoted = !quoted;
        else if (!quoted && !(*reason == ' ' && used && words[used - 1] == ' '))
            words[used++] = *reason;
    }
    words[used] = 0;
}

/* What a case is counted under: its only operator or, where it has several, the refused one. */
static void count_case(const mica_onnx *file, int folder, int kind, const char *reason) {
    char op[64] = "several together", words[256];
    const char *open = strchr(reason, '('), *close = open ? strstr(open, "): ") : NULL;
    if (file && file->n_nodes == 1)
        snprintf(op, sizeof op, "%s", file->nodes[0].proto->op_type);
    else if (kind == REFUSED && close)
        snprintf(op, sizeof op, "%.*s", (int)(close - open - 1), open + 1);
    else if (!file)
        snprintf(op, sizeof op, "%s", "sequences, maps and strings");
    tally *t = tally_of(op);
    t->counts[kind]++;
    run.totals[folder][kind]++;
    run.sums[kind]++;
    reason_words(reason, words, sizeof words);
    if (kind == REFUSED && !(t->reasons.data && strstr(t->reasons.data, words)))
        mica_text_add(&t->reasons, "%s%s", t->reasons.size ? "; " : "", words);
}

static void case_run(const char *data, int folder, const char *name) {
    if (run.only && !strstr(name, run.only))
        return;
    char reason[1024] = "";
    char *path = mica_format("%s/%s/%s/model.onnx", data, folders[folder], name);
    mica_onnx *file = NULL;
    mica_status status = mica_onnx_open(path, &file);
    int kind = status == MICA_OK ? PASSED : status == MICA_E_UNSUPPORTED ? REFUSED : WRONG;
    if (status != MICA_OK)
        snprintf(reason, sizeof reason, "%s", mica_last_error());
    int sets = 0;
    for (; file && (kind == PASSED || kind == ON_HOST); sets++) {
        char *set = mica_format("%s/%s/%s/test_data_set_%d", data, folders[folder], name, sets);
        DIR *there = opendir(set);
        example *e = mica_alloc(1, sizeof *e);
        if (there) {
            e->n_in = numbers_list(set, "input", e->in);
            e->n_out = numbers_list(set, "output", e->out);
            kind = example_run(file, name, e, reason, sizeof reason);
        }
        example_free(e);
        free(e);
        free(set);
        if (!there)
            break;
        closedir(there);
    }
    if (file && !sets && kind == PASSED)
        kind = wrong("there are no data for it");
    if (kind == WRONG || run.verbose)
        printf("%s %s: %s\n",
            (const char *const[]){"passed", "passed on the host", "REFUSED", "WRONG"}[kind], name,
            kind == WRONG                ? mica_last_error()
            : kind == REFUSED && *reason ? reason
                                         : "");
    count_case(file, folder, kind, reason);
    mica_onnx_close(&file);
    free(path);
}

static bool folder_run(const char *data, int folder) {
    char *path = mica_format("%s/%s", data, folders[folder]);
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    free(path);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.')
            case_run(data, folder, names[i]->d_name);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return count >= 0;
}

/* ---- the table ---- */

static int by_op(const void *a, const void *b) {
    return strcasecmp(((const tally *)a)->op, ((const tally *)b)->op);
}

static void table_totals(mica_text *text) {
    mica_text_add(text, "| cases | passed | of these known while building | refused | wrong |\n"
                        "| --- | ---: | ---: | ---: | ---: |\n");
    for (int i = 0; i < 5; i++) {
        const int *n = i < 4 ? run.totals[i] : run.sums;
        mica_text_add(text, "| %s | %d | %d | %d | %d |\n", i < 4 ? folders[i] : "all",
            n[PASSED] + n[ON_HOST], n[ON_HOST], n[REFUSED], n[WRONG]);
    }
}

static mica_status table_write(const char *path) {
    mica_text text = {0};
    mica_text_add(&text,
        "# ONNX's test cases\n\n"
        "Written by `tests/onnx/cases DEVICE --write FILE`, which runs the cases of Debian's\n"
        "libonnx-testdata and fails where one is wrong (relative error over %g and absolute over\n"
        "%g, another type or shape). [onnx.md](onnx.md) says what is imported, and how.\n\n",
        RELATIVE, ABSOLUTE);
    table_totals(&text);
    mica_text_add(
        &text, "\n| operator | passed | refused | reasons |\n| --- | ---: | ---: | --- |\n");
    qsort(run.tallies, (size_t)run.n_tallies, sizeof *run.tallies, by_op);
    for (int i = 0; i < run.n_tallies; i++) {
        const tally *t = &run.tallies[i];
        mica_text_add(&text, "| %s | %d | %d | %.300s |\n", t->op,
            t->counts[PASSED] + t->counts[ON_HOST], t->counts[REFUSED],
            t->reasons.data ? t->reasons.data : "");
    }
    mica_status status =
        text.failed ? MICA_E_MEMORY : mica_file_replace(path, text.data, text.size);
    free(text.data);
    return status;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"data", required_argument, 0, 'd'},
        {"only", required_argument, 0, 'o'}, {"floor", required_argument, 0, 'f'},
        {"write", required_argument, 0, 'w'}, {"verbose", no_argument, 0, 'v'}, {0}};
    const char *data = "/usr/share/libonnx-testdata/data", *table = NULL;
    int least = 0, option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'd':
            data = optarg;
            break;
        case 'o':
            run.only = optarg;
            break;
        case 'f':
            least = atoi(optarg);
            break;
        case 'w':
            table = optarg;
            break;
        case 'v':
            run.verbose = true;
            break;
        default:
            return 2;
        }
    if (optind >= argc || mica_device_open(argv[optind], &run.device) != MICA_OK) {
        printf("skipped: %s\n", optind < argc ? mica_last_error() : "no device named");
        return 77;
    }
    int there = 0;
    for (int i = 0; i < 4; i++)
        there += folder_run(data, i);
    mica_device_destroy(&run.device);
    if (!there) {
        printf("skipped: no cases in %s\n", data);
        return 77;
    }
    mica_text text = {0};
    table_totals(&text);
    printf("%s", text.data ? text.data : "");
    free(text.data);
    int passed = run.sums[PASSED] + run.sums[ON_HOST];
    bool good = !run.sums[WRONG] && passed >= least;
    if (passed < least)
        printf("%d passed, expected at least %d\n", passed, least);
    if (table && table_write(table) != MICA_OK) {
        printf("%s\n", mica_last_error());
        good = false;
    }
    for (int i = 0; i < run.n_tallies; i++)
        free(run.tallies[i].reasons.data);
    return good ? 0 : 1;
}
