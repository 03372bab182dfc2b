/* Which kernels this processor runs fastest, decided once, when the module is loaded. */
#include "kernels.h"

#if defined(__x86_64__)
extern const Kernels chainrule_float_avx2, chainrule_double_avx2, chainrule_float_avx512, chainrule_double_avx512;

static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

const Kernels *chainrule_kernels(int bytes) {
    if (has_avx512()) return bytes == 4 ? &chainrule_float_avx512 : &chainrule_double_avx512;
    if (has_avx2()) return bytes == 4 ? &chainrule_float_avx2 : &chainrule_double_avx2;
    return NULL;
}

const char *chainrule_instructions(void) {
    return has_avx512() ? "AVX-512" : has_avx2() ? "AVX2" : "";
}
#else
extern const Kernels chainrule_float_generic, chainrule_double_generic;

const Kernels *chainrule_kernels(int bytes) {
    return bytes == 4 ? &chainrule_float_generic : &chainrule_double_generic;
}

const char *chainrule_instructions(void) {
    return "generic";
}
#endif
