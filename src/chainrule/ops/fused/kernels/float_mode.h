/* Numbers below the smallest normal one, 1e-38 or 1e-308, cost a processor many times the work of others, and the means of
 * an optimizer shrink into them. Where many steps or rows are computed they count as 0, read or written; the mode of the
 * thread is restored afterwards. */
#ifndef CHAINRULE_FLOAT_MODE_H
#define CHAINRULE_FLOAT_MODE_H

#if defined(__SSE2__)
typedef unsigned FloatMode;
#define FLUSHING 0x8040u /* FTZ and DAZ */
#define float_mode() __builtin_ia32_stmxcsr()
#define set_float_mode(mode) __builtin_ia32_ldmxcsr(mode)
#elif defined(__aarch64__)
typedef unsigned long long FloatMode;
#define FLUSHING (1ull << 24) /* FZ */
static inline FloatMode float_mode(void) {
    FloatMode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
#define set_float_mode(mode) __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory")
#else
typedef int FloatMode;
#define FLUSHING 0
#define float_mode() 0
#define set_float_mode(mode) ((void)(mode))
#endif

/* The mode that was there before, for set_float_mode. */
static inline FloatMode flush_subnormals(void) {
    const FloatMode before = float_mode();
    set_float_mode(before | FLUSHING);
    return before;
}

#endif
