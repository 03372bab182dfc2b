/* The kernels for x86 processors with AVX512. */
#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2,prefer-vector-width=512")
#endif
#define ISA avx512
#define VECTOR_BYTES 64
#include "per_isa.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
