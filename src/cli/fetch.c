/* `mica fetch`: gets published data sets. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/download.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIVE_SECONDS 0.2 /* between drawings of the live line */

static const char help[] =
    "usage: mica fetch mnist|fashion-mnist|cifar10 [--to DIR] [--from URL] [--json]\n"
    "\n"
    "Gets a data set from its own public address into DIR/NAME, where `mica train` finds it. What\n"
    "broke off is continued, check sums are compared, and what is there already is not got again.\n"
    "Proxies come from the environment (https_proxy, http_proxy, no_proxy).\n"
    "\n"
    "  --to DIR     the data folder (default: $MICA_DATA or ~/.cache/mica/data)\n"
    "  --from URL   another address that has the same files\n"
    "  --json       the files as one JSON object, the last line on stdout\n";

enum { FILES = 4, ADDRESSES = 2 };

/* Sizes and check sums of the files as published. */
static const struct {
    const char *name;
    const char *addresses[ADDRESSES]; /* asked in this order */
    struct {
        const char *name;
        uint64_t size;
        const char *sha256;
    } files[FILES];
} sets[] = {
    {"mnist",
        {"https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist"},
        {{"train-images-idx3-ubyte.gz", 9912422,
             "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
            {"train-labels-idx1-ubyte.gz", 28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
            {"t10k-images-idx3-ubyte.gz", 1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
            {"t10k-labels-idx1-ubyte.gz", 4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}}},
    {"fashion-mnist", {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"},
        {{"train-images-idx3-ubyte.gz", 26421880,
             "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
            {"train-labels-idx1-ubyte.gz", 29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
            {"t10k-images-idx3-ubyte.gz", 4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
            {"t10k-labels-idx1-ubyte.gz", 5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}},
    {"cifar10", {"https://www.cs.toronto.edu/~kriz"},
        {{"cifar-10-binary.tar.gz", 170052171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}}},
};

enum { SETS = sizeof sets / sizeof *sets };

typedef struct arguments {
    const char *name, *to, *from;
    size_t set;
    bool json;
} arguments;

static int find_set(arguments *a) {
    const char *names[SETS];
    for (a->set = 0; a->set < SETS; a->set++) {
        names[a->set] = sets[a->set].name;
        if (!strcmp(a->name, names[a->set]))
            return 0;
    }
    const char *near = mica_nearest(a->name, names, SETS);
    if (near)
        return mica_cli_usage("fetch: unknown data set %s; did you mean %s?", a->name, near);
    return mica_cli_usage(
        "fetch: unknown data set %s; there are mnist, fashion-mnist and cifar10", a->name);
}

static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {{"to", required_argument, NULL, 't'},
        {"from", required_argument, NULL, 'f'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "h", longs)) != -1;) {
        switch (c) {
        case 't':
            a->to = optarg;
            break;
        case 'f':
            if (strncmp(optarg, "http://", 7) && strncmp(optarg, "https://", 8))
                return mica_cli_usage(
                    "fetch: --from: expected http://... or https://..., got \"%s\"", optarg);
            a->from = optarg;
            break;
        case 'j':
            a->json = true;
            break;
        case 'h':
            return -1;
        default:
            return 2;
        }
    }
    if (optind != argc - 1)
        return mica_cli_usage("fetch: expected one data set; see mica fetch --help");
    a->name = argv[optind];
    return find_set(a);
}

/* ---- the progress line ---- */

typedef struct progress {
    const char *file;
    uint64_t size;
    double shown;
    bool live;
} progress;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void show(void *user, uint64_t done) {
    progress *p = user;
    if (!p->live || (now() - p->shown < LIVE_SECONDS && done < p->size))
        return;
    mica_cli_err(
        "\r%s  %.1f of %.1f MB\033[K", p->file, 1e-6 * (double)done, 1e-6 * (double)p->size);
    fflush(stderr);
    p->shown = now();
}

/* ---- files ---- */

/* Asks the addresses one after the other. */
static mica_status get_file(const arguments *a, const char *folder, size_t index, bool *there) {
    const char *file = sets[a->set].files[index].name;
    progress shown = {
        .file = file, .size = sets[a->set].files[index].size, .live = isatty(STDERR_FILENO)};
    mica_download download = {.size = sets[a->set].files[index].size,
        .sha256 = sets[a->set].files[index].sha256,
        .progress = show,
        .user = &shown};
    char *path = mica_path_join(folder, file);
    mica_status status = path ? MICA_E_IO : MICA_E_MEMORY;
    for (int i = 0; status == MICA_E_IO && i < (a->from ? 1 : ADDRESSES); i++) {
        const char *address = a->from ? a->from : sets[a->set].addresses[i];
        if (!address)
            break;
        char *url = mica_path_join(address, file);
        download.url = url;
        download.path = path;
        status = url ? mica_download_file(&download, there) : MICA_E_MEMORY;
        free(url);
    }
    if (shown.live)
        mica_cli_err("\r\033[K");
    if (status == MICA_OK)
        mica_cli_err("%s: %s, %.1f MB\n", path, *there ? "already there" : "fetched",
            1e-6 * (double)shown.size);
    free(path);
    return status;
}

static int fetch(const arguments *a, const char *folder) {
    json_t *files = json_array();
    mica_status status = mica_folder_make(folder);
    for (size_t i = 0; i < FILES && sets[a->set].files[i].name && status == MICA_OK; i++) {
        bool there = false;
        status = get_file(a, folder, i, &there);
        if (status == MICA_OK)
            json_array_append_new(
                files, json_pack("{s:s, s:I, s:b}", "file", sets[a->set].files[i].name, "bytes",
                           (json_int_t)sets[a->set].files[i].size, "fetched", !there));
    }
    int code = status == MICA_OK ? 0 : mica_cli_fail(status);
    if (a->json && !code)
        code = mica_cli_json(json_pack(
            "{s:s, s:o, s:O}", "set", a->name, "folder", mica_cli_string(folder), "files", files));
    json_decref(files);
    return code;
}

int mica_cli_fetch(int argc, char **argv) {
    arguments a = {.to = getenv("MICA_DATA")};
    int code = parse(argc, argv, &a);
    if (code == -1)
        return fputs(help, stdout) < 0;
    if (code)
        return code;
    char *to = a.to && *a.to ? mica_strdup(a.to) : mica_cache_path("data");
    char *folder = to ? mica_path_join(to, a.name) : NULL;
    if (folder && !curl_global_init(CURL_GLOBAL_DEFAULT)) {
        code = fetch(&a, folder);
        curl_global_cleanup();
    } else {
        code = folder ? mica_cli_usage("fetch: libcurl cannot be used")
                      : mica_cli_fail(to ? MICA_E_MEMORY : MICA_E_NOT_FOUND);
    }
    free(folder);
    free(to);
    return code;
}
