/* The program `mica`: finds the subcommand. */
#include "cli/cli.h"

#include "base/text.h"
#include "config.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"train", mica_cli_train, "a recipe becomes a trained network: a run"},
    {"eval", mica_cli_eval, "how a run does on the test set"},
    {"predict", mica_cli_predict, "what a run sees in pictures"},
    {"sample", mica_cli_sample, "what a variational autoencoder makes up"},
    {"encode", mica_cli_encode, "what a layer of a run gives, as an array"},
    {"recommend", mica_cli_recommend, "items for a user, or similar to an item"},
    {"convert", mica_cli_convert, "a network as an ONNX file, weights in another format"},
    {"summary", mica_cli_summary, "a network's layers, shapes and parameters"},
    {"plan", mica_cli_plan, "the launches of a training step, and what each costs"},
    {"bench", mica_cli_bench, "the time of reference workloads"},
    {"check", mica_cli_check, "every kernel against a reference: is it safe to train here?"},
    {"fetch", mica_cli_fetch, "gets a published data set"},
    {"devices", mica_cli_devices, "the devices of this machine"},
};

enum { COUNT = sizeof commands / sizeof *commands };

static int help(void) {
    printf("usage: mica COMMAND [ARGUMENT...]\n\n"
           "Trains neural networks on any GPU or CPU, through OpenCL and Vulkan.\n\n");
    for (size_t i = 0; i < COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\n`mica COMMAND --help` says more. Exit code: 0; 2 for bad usage or input; 1 for what\n"
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

/* Asks PoCL to pin its threads, before it starts: left alone, two of them may share a core for a
 * while after each pause, at half the speed. It pins thread i to CPU i, so only where all CPUs are
 * ours. The user's own setting stands. */
static void pin_pocl(void) {
    cpu_set_t ours;
    if (sched_getaffinity(0, sizeof ours, &ours))
        return;
    for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
        if (i >= CPU_SETSIZE || !CPU_ISSET((size_t)i, &ours))
            return;
    setenv("POCL_AFFINITY", "1", 0);
}

int main(int argc, char **argv) {
    pin_pocl();
    if (argc < 2)
        return mica_cli_usage("a command is missing; mica --help lists them");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        return help();
    if (!strcmp(argv[1], "--version")) {
        printf("mica %s\n", MICA_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COUNT; i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    if (*argv[1] == '-')
        return mica_cli_usage("unknown option %s; mica --help lists the commands", argv[1]);
    return unknown(argv[1]);
}
