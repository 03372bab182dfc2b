/* Products in bfloat16 for x86 processors that multiply them: Intel since Cooper Lake, AMD since Zen 4. */
#if defined(__x86_64__)
#ifdef __clang__
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma,bmi2,prefer-vector-width=512")
#endif
#define ISA avx512bf16
#define VECTOR_BYTES 64
#define NATIVE
#define SINGLE
#include <string.h>

#include "inlining.h"
#include "names.h"
#include "precision.h"
#include "transpose.h"
#include "bfloat16.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
