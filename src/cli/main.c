/* The program `mica`: finds the subcommand. */
#include "cli/cli.h"
#include "cli/pocl.h"

#include "base/text.h"
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
    bool device; /* it opens one */
} commands[] = {
    {"train", mica_cli_train, "a recipe becomes a trained network: a run", true},
    {"eval", mica_cli_eval, "how a run does on the test set", true},
    {"predict", mica_cli_predict, "what a run sees in pictures", true},
    {"sample", mica_cli_sample, "what a variational autoencoder makes up", true},
    {"encode", mica_cli_encode, "what a layer of a run gives, as an array", true},
    {"recommend", mica_cli_recommend, "items for a user, or similar to an item", true},
    {"convert", mica_cli_convert, "a network as an ONNX file, weights in another format", true},
    {"summary", mica_cli_summary, "a network's layers, shapes and parameters"},
    {"plan", mica_cli_plan, "the launches of a training step, and what each costs", true},
    {"bench", mica_cli_bench, "the time of reference workloads", true},
    {"check", mica_cli_check, "every kernel against a reference: is it safe to train here?", true},
    {"fetch", mica_cli_fetch, "gets a published data set"},
    {"devices", mica_cli_devices, "the devices of this machine", true},
};

enum { COUNT = sizeof commands / sizeof *commands };

static int help(void) {
    mica_cli_out("usage: mica COMMAND [ARGUMENT...]\n\n"
                 "Trains neural networks on any GPU or CPU, through OpenCL and Vulkan.\n\n");
    for (size_t i = 0; i < COUNT; i++)
        mica_cli_out("  %-10s %s\n", commands[i].name, commands[i].help);
    mica_cli_out(
        "\n`mica COMMAND --help` says more. Exit code: 0; 2 for bad usage or input; 1 for what\n"
        "failed while running.\n");
    return 0;
}

static int unknown(const char *name) {
    const char *names[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        names[i] = commands[i].name;
    const char *near = mica_nearest(name, names, COUNT);
    if (near)
        return mica_cli_usage("unknown command %s; did you mean %s?", name, near);
    return mica_cli_usage("unknown command %s; mica --help lists them", name);
}

/* A data file must never be opened as 0, 1 or 2: what is printed would go into it. What was closed
 * stays unusable: 0 cannot be read, 1 and 2 cannot be written. */
static int occupy_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return -1;
    return 0;
}

static int run(int argc, char **argv) {
    if (argc < 2)
        return mica_cli_usage("a command is missing; mica --help lists them");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return help();
    if (!strcmp(argv[1], "--version")) {
        mica_cli_out("mica %s\n", MICA_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COUNT; i++)
        if (!strcmp(argv[1], commands[i].name)) {
            if (commands[i].device)
                mica_cli_pocl_begin();
            return commands[i].run(argc - 1, argv + 1);
        }
    if (*argv[1] == '-')
        return mica_cli_usage("unknown option %s; mica --help lists the commands", argv[1]);
    return unknown(argv[1]);
}

int main(int argc, char **argv) {
    if (occupy_descriptors())
        return 1;
    signal(SIGPIPE, SIG_IGN); /* a reader that has gone is told by the write that fails */
    mica_cli_json_begin();
    int code = run(argc, argv);
    mica_cli_pocl_end();
    if (mica_cli_out_end() && !code)
        code = 1;
    return code;
}
