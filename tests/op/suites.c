/* The list of all suites, from the operator names in meson.build. */
#include "tests/op/harness.h"

#define SUITE(name) extern const mica_op_suite mica_suite_##name;
#include "op_suites.inc"
#undef SUITE

#define SUITE(name) &mica_suite_##name,
const mica_op_suite *const mica_suites[] = {
#include "op_suites.inc"
};
#undef SUITE
const size_t mica_suite_count = sizeof(mica_suites) / sizeof(mica_suites[0]);
