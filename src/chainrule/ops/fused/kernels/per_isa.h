/* Every kernel for float and for double, compiled for one kind of processor: ISA names it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "plan.h"

#define JOINED(a, b) a##_##b
#define JOIN(a, b) JOINED(a, b)
#define TABLE(name) JOIN(name, ISA)
#define INLINE static inline __attribute__((always_inline))

/* What GCC would otherwise put into the library once for each call of it. */
#ifdef __clang__
#define APART static __attribute__((noinline))
#else
#define APART static __attribute__((noipa))
#endif

INLINE Size shorter(Size a, Size b) {
    return a < b ? a : b;
}

#include "barrier.h"

#define SINGLE
#include "all_kernels.h"
#undef SINGLE
#include "all_kernels.h"
