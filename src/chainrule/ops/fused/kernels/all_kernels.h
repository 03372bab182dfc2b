/* All kernels for one REAL, and their table. */
#include "precision.h"
/* The compiler is not to copy a kernel into those that call it: each is in the library once for each REAL. */
#define KERNEL(result, name, parameters) static __attribute__((noinline)) result NAME(name) parameters;
/* On x86-64 these are compiled with AVX2 alone, which saves 37 kB of the wheel. */
#ifdef __x86_64__
#define SELDOM(result, name, parameters) \
    extern __attribute__((noinline, visibility("hidden"))) result NAME(name) parameters;
#ifndef SINGLE
#define LITTLE SELDOM
#endif
#endif
#include "kernels.def"
#include "elementary.h"
#include "activations.h"
#include "rows.h"
#if !defined(__x86_64__) || VECTOR_BYTES != 64
#include "softmax.h"
#include "losses.h"
#include "normalization.h"
#include "parametric.h"
#include "plan_loops.h"
#endif
#include "transpose.h"
#include "gemm.h"
#if defined(SINGLE) && (!defined(__x86_64__) || VECTOR_BYTES != 64)
#include "bfloat16.h"
#endif
#include "noise.h"
#if !defined(__x86_64__) || VECTOR_BYTES != 64 || defined(SINGLE)
#include "columns.h"
#include "gaussian_noise.h"
#endif
#include "optimizers.h"
#include "few_rows.h"
#include "vtable.h"
