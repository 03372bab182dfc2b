/* What every kernel is written with: REAL, its bits, NAME(f), the f of this REAL, and vectors of LANES numbers.
 * Included once for float and once for double; without include guard for this reason. */
#undef REAL
#undef BITS
#undef NAME
#undef R
#ifdef SINGLE
#define REAL float
#define BITS int32_t
#define NAME(f) f##_float
#define R(x) x##f /* a constant in this precision: R(0.5) */
#else
#define REAL double
#define BITS int64_t
#define NAME(f) f##_double
#define R(x) x
#endif

/* Numbers in a register; Loose is a Vector anywhere in an array. */
#undef LANES
#define LANES ((Size)(VECTOR_BYTES / sizeof(REAL)))
typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL NAME(Loose) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

/* For the numbers beyond the last whole vector: too few for memcpy, which the compiler would call but for __asm__. */
INLINE void NAME(copy_few)(Size n, const REAL *from, REAL *to) {
    for (Size i = 0; i < n; i++) {
        to[i] = from[i];
        __asm__ volatile("");
    }
}
