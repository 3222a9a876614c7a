/* FMA(a, b, c): a * b + c for floats and vectors of them, rounded once where the device's compiler says
 * that it has this in hardware. Elsewhere fma() may be a function of many instructions, or none that
 * links: mad() is what the device does fastest. Rounding differs by half a unit in the last place. */
#ifndef MICA_FMA_H
#define MICA_FMA_H

/* OpenCL's own word; clang's for x86 and ARM, where PoCL does not say the first. */
#if defined(FP_FAST_FMAF) || defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define FMA(a, b, c) fma(a, b, c)
#else
#define FMA(a, b, c) mad(a, b, c)
#endif

#endif
