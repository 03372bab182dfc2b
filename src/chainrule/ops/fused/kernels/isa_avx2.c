/* The kernels for x86 processors with AVX2. */
#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,bmi2")
#endif
#define ISA avx2
#define VECTOR_BYTES 32
#include "per_isa.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
