/* The activations and their pull-backs, as activations.def lists them; the equations stand in ops/activations/.
 *
 * First the formulas that are too long for the list: functions of one number, `f` and `f_slope`, without branches.
 * Where the plain op multiplies by zero or passes through a minimum, so do these: NaN, infinities and the sign of zero
 * come out alike. */

INLINE REAL NAME(relu)(REAL x) {
    return x <= 0 ? 0 : x; /* not x > 0 ? x : 0, which loses NaN */
}

INLINE REAL NAME(relu_slope)(REAL y) {
    return y > 0 ? 1 : 0;
}

INLINE REAL NAME(leaky_relu)(REAL x, REAL slope) {
    const REAL below = x * slope;
    return x > below ? x : below;
}

INLINE REAL NAME(leaky_relu_slope)(REAL y, REAL slope) {
    const REAL least = NAME(relu_slope)(y);
    return least > slope ? least : slope;
}

INLINE REAL NAME(hard_sigmoid)(REAL x) {
    const REAL line = x / 6 + R(0.5), above = line <= 0 ? 0 : line;
    return above > 1 ? 1 : above;
}

INLINE REAL NAME(hard_sigmoid_slope)(REAL y) {
    const REAL above = y > 0 ? R(1.0) / 6 : 0;
    return y < 1 ? above : 0;
}

INLINE REAL NAME(softplus)(REAL x) {
    return (x > 0 ? x : 0) + NAME(log1p_unit)(NAME(exponential_negative)(-NAME(magnitude)(x)));
}

INLINE REAL NAME(elu)(REAL x, REAL alpha) {
    return x > 0 ? x : alpha * NAME(expm1)(x) + 0; /* + 0 makes -0 a 0 */
}

INLINE REAL NAME(elu_slope)(REAL y, REAL above, REAL below) {
    return y > 0 ? above : y + below;
}

/* The λ and α of ops/activations/smooth.py. */
#undef SELU_ALPHA
#undef SELU_SCALE
#define SELU_ALPHA R(1.6732632423543772848170429916717)
#define SELU_SCALE R(1.0507009873554804934193349852946)

INLINE REAL NAME(normal_cdf)(REAL x, REAL *bell) {
    const REAL tail = NAME(normal_tail)(NAME(magnitude)(x), bell);
    return x < 0 ? tail : 1 - tail;
}

INLINE REAL NAME(gelu)(REAL x) {
    REAL bell;
    return x * NAME(normal_cdf)(x, &bell);
}

INLINE REAL NAME(gelu_slope)(REAL x) {
    REAL bell;
    const REAL gate = NAME(normal_cdf)(x, &bell);
    return gate + x * (bell * R(0.39894228040143267794)); /* 1 / √(2π) */
}

/* ½ (1 + tanh u) = 1 / (1 + exp(-2u)) spares the tail its cancellation; the line is 2u / x, and 2√(2/π) its level. */
INLINE REAL NAME(gelu_tanh)(REAL x) {
    const REAL line = R(1.59576912160573071176) * (1 + R(0.044715) * x * x);
    return x * NAME(logistic)(x * line);
}

INLINE REAL NAME(gelu_tanh_slope)(REAL x) {
    const REAL square = R(0.044715) * x * x, line = R(1.59576912160573071176) * (1 + square);
    const REAL e = NAME(exponential_negative)(-NAME(magnitude)(x * line)), larger = 1 / (1 + e), smaller = e * larger;
    const REAL gate = x < 0 ? smaller : larger;
    return gate + x * (smaller * larger) * (R(1.59576912160573071176) * (1 + 3 * square));
}

INLINE REAL NAME(silu)(REAL x) {
    return x * NAME(logistic)(x);
}

INLINE REAL NAME(silu_slope)(REAL x) {
    const REAL e = NAME(exponential_negative)(-NAME(magnitude)(x)), larger = 1 / (1 + e), smaller = e * larger;
    return (x < 0 ? smaller : larger) * (1 + x * (x < 0 ? larger : smaller));
}

/* `below` where x has a minus sign, else `above`, by its bits: from a ?: the compiler makes a branch in the scalar rest
 * of a loop, and what it fuses with a sum there is not what it fuses in the vectors. */
INLINE REAL NAME(by_sign)(REAL x, REAL below, REAL above) {
    const UBITS minus = 0 - (NAME(bits)(x) >> (sizeof(REAL) * 8 - 1));
    return NAME(from_bits)((NAME(bits)(below) & minus) | (NAME(bits)(above) & ~minus));
}

/* tanh(log(1 + w)) = v / (v + 2) with v = w (w + 2) and w = exp x = up / down, one of which is 1 and the other
 * e = exp(-|x|), so that nothing overflows: part / whole. */
INLINE REAL NAME(mish)(REAL x) {
    const REAL e = NAME(exponential_negative)(-NAME(magnitude)(x));
    const REAL up = NAME(by_sign)(x, e, 1), down = NAME(by_sign)(x, 1, e);
    const REAL part = up * (1 + e) + e;
    return x * (part / (2 * down * down + part));
}

/* t + x σ (1 - t²), where 1 - t² = (whole + part) (whole - part) / whole² has the factor 1 + e of σ squared: one
 * division is enough. */
INLINE REAL NAME(mish_slope)(REAL x) {
    const REAL e = NAME(exponential_negative)(-NAME(magnitude)(x));
    const REAL up = NAME(by_sign)(x, e, 1), down = NAME(by_sign)(x, 1, e);
    const REAL part = up * (1 + e) + e, inverse = 1 / (2 * down * down + part);
    return inverse * (x * (4 * e * (1 + e) * down * inverse) + part);
}

/* The loops, over whole vectors only. What is left beyond the last is copied into one, so that no formula is in the
 * library a second time, for single numbers. `omp simd` says that no element waits for another; y may be x itself. */
APART void NAME(activate_vectors)(int kind, Size n, const REAL *inputs, REAL *y, REAL a) {
    n &= -LANES;
    switch (kind) {
#define ACTIVATION(name, value, slope)                          \
    case ACTIVATION_##name:                                     \
        _Pragma("omp simd") for (Size i = 0; i < n; i++) {      \
            const REAL x = inputs[i];                           \
            y[i] = value;                                       \
        }                                                       \
        break;
#include "activations.def"
    }
}

static void NAME(activate)(int kind, Size n, const void *x_, void *y_, double a) {
    const REAL *x = x_;
    REAL *y = y_;
    if (kind == ACTIVATION_identity) { /* faster than a loop, above all where y is x */
        memmove(y, x, (size_t)n * sizeof(REAL));
        return;
    }
    const Size whole = n & -LANES, left = n - whole;
    if (left) {
        REAL last[LANES] = {0};
        NAME(copy_few)(left, x + whole, last);
        NAME(activate_vectors)(kind, LANES, last, last, (REAL)a);
        NAME(copy_few)(left, last, y + whole);
    }
    if (whole) NAME(activate_vectors)(kind, whole, x, y, (REAL)a);
}

APART void NAME(pull_back_vectors)(int kind, Size n, const REAL *dy, const REAL *saved, REAL *dx, REAL a) {
    n &= -LANES;
    switch (kind) {
#define ACTIVATION(name, value, slope)                          \
    case ACTIVATION_##name:                                     \
        _Pragma("omp simd") for (Size i = 0; i < n; i++) {      \
            const REAL kept = saved[i];                         \
            (void)kept; /* the identity's slope is 1 */         \
            dx[i] = dy[i] * (slope);                            \
        }                                                       \
        break;
#include "activations.def"
    }
}

static void NAME(activate_backward)(int kind, Size n, const void *dy_, const void *kept_, void *dx_, double a) {
    const REAL *dy = dy_, *kept = kept_;
    REAL *dx = dx_;
    if (kind == ACTIVATION_identity) {
        memmove(dx, dy, (size_t)n * sizeof(REAL));
        return;
    }
    const Size whole = n & -LANES, left = n - whole;
    if (left) {
        REAL last[LANES] = {0}, saved[LANES] = {0};
        NAME(copy_few)(left, dy + whole, last);
        NAME(copy_few)(left, kept + whole, saved);
        NAME(pull_back_vectors)(kind, LANES, last, saved, last, (REAL)a);
        NAME(copy_few)(left, last, dx + whole);
    }
    if (whole) NAME(pull_back_vectors)(kind, whole, dy, kept, dx, (REAL)a);
}
