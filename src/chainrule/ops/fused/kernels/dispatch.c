/* Which kernels this processor runs fastest, decided once, when the module is loaded. */
#include "kernels.h"

/* The kernels for float, but for their products, which take operands in bfloat16. */
#define WITH_BFLOAT16(isa)                                                                \
    extern __typeof__(*((Kernels *)0)->product) bfloat16_product_##isa;                   \
    extern __typeof__(*((Kernels *)0)->pull_back) bfloat16_pull_back_##isa;               \
    static const Kernels *with_bfloat16_##isa(void) {                                     \
        static Kernels kernels;                                                           \
        kernels = *chainrule_kernels(4);                                                  \
        kernels.product = bfloat16_product_##isa, kernels.pull_back = bfloat16_pull_back_##isa; \
        return &kernels;                                                                  \
    }

#if defined(__x86_64__)
extern const Kernels chainrule_float_avx2, chainrule_double_avx2, chainrule_float_avx512, chainrule_double_avx512;
WITH_BFLOAT16(avx2)
WITH_BFLOAT16(avx512bf16)

static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

int chainrule_multiplies_bfloat16(void) {
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

const Kernels *chainrule_kernels(int bytes) {
    if (!has_avx2()) return NULL;
    if (bytes == 2) return chainrule_multiplies_bfloat16() ? with_bfloat16_avx512bf16() : with_bfloat16_avx2();
    if (has_avx512()) return bytes == 4 ? &chainrule_float_avx512 : &chainrule_double_avx512;
    return bytes == 4 ? &chainrule_float_avx2 : &chainrule_double_avx2;
}

const char *chainrule_instructions(void) {
    return has_avx512() ? "AVX-512" : has_avx2() ? "AVX2" : "";
}
#else
extern const Kernels chainrule_float_generic, chainrule_double_generic;
WITH_BFLOAT16(generic)

int chainrule_multiplies_bfloat16(void) {
    return 0;
}

const Kernels *chainrule_kernels(int bytes) {
    return bytes == 2 ? with_bfloat16_generic() : bytes == 4 ? &chainrule_float_generic : &chainrule_double_generic;
}

const char *chainrule_instructions(void) {
#ifdef __aarch64__
    return "NEON";
#else
    return "generic";
#endif
}
#endif
