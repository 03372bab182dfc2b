/* What the compiler is to copy into its callers, and what it is not. */
#ifndef CHAINRULE_INLINING_H
#define CHAINRULE_INLINING_H

#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))

/* What GCC would otherwise put into the library once for each call of it. */
#ifdef __clang__
#define APART static __attribute__((noinline, unused))
#else
#define APART static __attribute__((noipa, unused))
#endif

INLINE Size shorter(Size a, Size b) {
    return a < b ? a : b;
}

#endif
