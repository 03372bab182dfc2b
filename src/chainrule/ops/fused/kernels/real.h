/* What every kernel is written with: REAL, its bits, and NAME(f), the f of this REAL. Included once for float and
 * once for double; without include guard for this reason. */
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
