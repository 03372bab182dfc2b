/* All kernels for one REAL, and their table. */
#include "precision.h"
/* The compiler is not to copy a kernel into those that call it: each is in the library once for each REAL. */
#define KERNEL(result, name, parameters) static __attribute__((noinline)) result NAME(name) parameters;
/* Of float64 on x86-64, what does little of the work is compiled with AVX2 alone, which saves 20 kB of the wheel. */
#if defined(__x86_64__) && !defined(SINGLE)
#define LITTLE(result, name, parameters) \
    extern __attribute__((noinline, visibility("hidden"))) result NAME(name) parameters;
#endif
#include "kernels.def"
#include "elementary.h"
#include "activations.h"
#include "rows.h"
#if defined(SINGLE) || VECTOR_BYTES != 64
#include "normalization.h"
#include "softmax.h"
#include "losses.h"
#endif
#include "optimizers.h"
#include "few_rows.h"
#include "gemm.h"
#include "columns.h"
#include "noise.h"
#include "plan_stages.h"
#include "plan_run.h"
#include "vtable.h"
