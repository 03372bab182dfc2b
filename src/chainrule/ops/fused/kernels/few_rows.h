/* The affine map of a few rows, where the time goes into reading W: it is read once, in the order in which it lies. On an
 * AMD EPYC (Zen 4) one core reads it from its caches at 90 GB/s; OpenBLAS's matrix-vector product needs two for that. */
#define AT_ONCE 8 /* rows of W: y is loaded and stored once for all of them */

/* y += x W for `count` rows of W, a constant where this is inlined. */
INLINE void NAME(add_few)(const int count, Size outputs, const REAL *x, const REAL *W, REAL *restrict y) {
    for (Size o = 0; o < outputs; o++) {
        REAL sum = y[o];
#pragma GCC unroll 8
        for (int i = 0; i < count; i++) sum += x[i] * W[i * outputs + o];
        y[o] = sum;
    }
}

static void NAME(affine_few)(Size rows, Size inputs, Size outputs, const void *x_, const void *W_, const void *b,
                             void *y_) {
    const REAL *x = x_, *W = W_;
    REAL *y = y_;
    for (Size r = 0; r < rows; r++)
        if (b == NULL)
            memset(y + r * outputs, 0, outputs * sizeof(REAL));
        else
            memcpy(y + r * outputs, b, outputs * sizeof(REAL));
    Size i = 0;
    for (; i + AT_ONCE <= inputs; i += AT_ONCE, W += AT_ONCE * outputs)
        for (Size r = 0; r < rows; r++)
            NAME(add_few)(AT_ONCE, outputs, x + r * inputs + i, W, y + r * outputs);
    for (; i < inputs; i++, W += outputs)
        for (Size r = 0; r < rows; r++) NAME(add_few)(1, outputs, x + r * inputs + i, W, y + r * outputs);
}
