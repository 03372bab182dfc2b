/* One step of each optimizer in one pass over weights, gradient and state; chainrule/optimizers/ states the rules and
 * computes the coefficients c. Called for a whole vector or for a segment of a few registers: the result is the same to
 * the bit, for each element is computed from itself alone. */

INLINE REAL NAME(root)(REAL x) {
    return sizeof(REAL) == sizeof(float) ? (REAL)sqrtf((float)x) : (REAL)sqrt((double)x);
}

/* min(max(x, -limit), limit), in the order in which NaN stays NaN and the compiler sees its own instructions. */
INLINE REAL NAME(within)(REAL x, REAL limit) {
    REAL below = limit < x ? limit : x;
    return -limit > below ? -limit : below;
}

/* For each element i of a block of rows, with its gradient g, clipped. */
#define OVER_BLOCK(...)                                                                  \
    for (Size row = 0; row < rows; row++) {                                              \
        _Pragma("omp simd") for (Size j = 0; j < columns; j++) {                         \
            const Size i = row * stride + j;                                             \
            const REAL g = factor * NAME(within)(gradient[row * g_stride + j], limit);   \
            __VA_ARGS__                                                                  \
        }                                                                                \
    }                                                                                    \
    break;

/* From row to row it is `stride` numbers for the weights and the state, `g_stride` for the gradient. */
static void NAME(update_rows)(const Update *step, Size rows, Size columns, Size stride, Size g_stride, REAL *w,
                              const REAL *gradient, REAL *state1, REAL *state2) {
    const REAL rate = (REAL)step->rate, keep = (REAL)(1 - step->shrink);
    const REAL limit = (REAL)step->limit, factor = (REAL)step->factor;
    const REAL a = (REAL)step->c[0], b = (REAL)step->c[1], c = (REAL)step->c[2], d = (REAL)step->c[3],
               e = (REAL)step->c[4];
    enum { SGD_MOMENTUM = 16, SGD_NESTEROV, RMSPROP_MOMENTUM }; /* rules of their own, whose loops have no branch */
    int kind = step->kind;
    if (kind == SGD && state1) kind = c == 0 ? SGD_MOMENTUM : SGD_NESTEROV;
    if (kind == RMSPROP && state2) kind = RMSPROP_MOMENTUM;
    REAL *velocity = step->kind == RMSPROP ? state2 : state1, *mean = state1;
    REAL *square = kind == ADAM || kind == NADAM ? state2 : state1;
    switch (kind) {
    case SGD:
        OVER_BLOCK(w[i] = keep * w[i] - rate * g;)
    case SGD_MOMENTUM:
        OVER_BLOCK(REAL v = velocity[i] = a * velocity[i] + b * g; w[i] = keep * w[i] - rate * v;)
    case SGD_NESTEROV:
        OVER_BLOCK(REAL v = velocity[i] = a * velocity[i] + b * g; w[i] = keep * w[i] - rate * (g + c * v);)
    case RMSPROP:
        OVER_BLOCK(REAL v = square[i] = square[i] + a * (g * g - square[i]);
             w[i] = keep * w[i] - rate * (g / (NAME(root)(v) + b));)
    case RMSPROP_MOMENTUM:
        OVER_BLOCK(REAL v = square[i] = square[i] + a * (g * g - square[i]);
             REAL u = velocity[i] = c * velocity[i] + g / (NAME(root)(v) + b);
             w[i] = keep * w[i] - rate * u;)
    case ADAGRAD:
        OVER_BLOCK(REAL v = square[i] = square[i] + g * g; w[i] = keep * w[i] - rate * (g / (NAME(root)(v) + a));)
    case ADAM:
        OVER_BLOCK(REAL m = mean[i] = mean[i] + a * (g - mean[i]);
             REAL v = square[i] = square[i] + b * (g * g - square[i]);
             w[i] = keep * w[i] - rate * (m / (NAME(root)(v) * c + d));)
    case NADAM:
        OVER_BLOCK(REAL m = mean[i] = mean[i] + a * (g - mean[i]);
             REAL v = square[i] = square[i] + b * (g * g - square[i]);
             w[i] = keep * w[i] - rate * ((g + e * m) / (NAME(root)(v) * c + d));)
    case LION:
        OVER_BLOCK(REAL m = mean[i], u = m + a * (g - m);
             mean[i] = m + b * (g - m);
             w[i] = keep * w[i] - rate * (u > 0 ? 1 : u < 0 ? -1 : u);) /* u itself: the sign of NaN is NaN */
    }
}

static void NAME(update)(const Update *step, Size n, void *w, const void *g, void *state1, void *state2) {
    NAME(update_rows)(step, 1, n, n, n, w, g, state1, state2);
}

/* Squares and sum in double: from float they cannot overflow. */
static double NAME(square_norm)(Size n, const void *g_, double limit) {
    const REAL *gradient = g_, bound = (REAL)limit;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Size i = 0; i < n; i++) {
        double g = NAME(within)(gradient[i], bound);
        sum += g * g;
    }
    return sum;
}
